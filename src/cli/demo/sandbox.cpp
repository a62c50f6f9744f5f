#include "cli/demo/sandbox.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace pawl::cli::demo {

namespace fs = std::filesystem;

namespace {

constexpr int old_logs = 12;
constexpr std::size_t old_log_bytes = 640 << 10;
constexpr std::size_t data_bytes = 1 << 20;

void write_file(const fs::path& path, std::size_t bytes, const std::string& line) {
    std::ofstream out(path, std::ios::binary);
    for (std::size_t written = 0; written < bytes; written += line.size()) out << line;
}

std::int64_t bytes_in(const fs::path& folder) {
    std::int64_t bytes = 0;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error))
        if (entry.is_regular_file(error)) bytes += static_cast<std::int64_t>(entry.file_size(error));
    return bytes;
}

std::string mib(std::int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return text;
}

}  // namespace

Result<Sandbox> Sandbox::make() {
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "pawl-demo-XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
        return Error{Errc::refused, "no folder for the demonstration could be made: " + pattern};
    const fs::path folder(pattern);
    fs::create_directories(folder / "disk/data");
    fs::create_directories(folder / "disk/logs/old");
    write_file(folder / "disk/data/orders.bin", data_bytes, "order 4711; ");
    write_file(folder / "disk/logs/app.log", 4096, "2026-11-23 INFO still running\n");
    for (int i = 1; i <= old_logs; i++)
        write_file(folder / ("disk/logs/old/app.log." + std::to_string(i)), old_log_bytes,
                   "2026-10-01 INFO request served\n");
    return Sandbox(pattern);
}

void Sandbox::remove() const {
    std::error_code error;
    fs::remove_all(folder_, error);
}

Result<void> Sandbox::write_agent_file(const std::string& program, const std::string& model) const {
    const auto tool = [&](const std::string& name) {
        return "[\"" + program + "\", \"demo-tool\", \"" + name + "\", \"" + folder_ + "\"]";
    };
    std::ofstream out(agent_file());
    out << "name = \"disk-doctor\"\n"
           "model = \""
        << model
        << "\"\n"
           "instructions = \"You are an autonomous DevOps agent. Measure before and after you change anything.\"\n"
           "\n[limits]\nturns = 10\ndeadline = \"5min\"\n"
           "\n[[tool]]\nname = \"check_disk\"\ndescription = \"Measure how full the disk is\"\n"
           "command = "
        << tool("check_disk")
        << "\neffect = \"read\"\ntimeout = \"30s\"\n"
           "\n[[tool]]\nname = \"clean_logs\"\ndescription = \"Remove old log files to free space\"\n"
           "command = "
        << tool("clean_logs") << "\ncheck = " << tool("is_clean")
        << "\n"
           "effect = \"once\"\ntimeout = \"60s\"\n";
    if (const char* delay = std::getenv("PAWL_DEMO_CLEAN_DELAY_MS"))
        out << "env = { PAWL_DEMO_CLEAN_DELAY_MS = \"" << std::atoi(delay) << "\" }\n";
    out.flush();
    if (!out) return Error{Errc::refused, "cannot write " + agent_file()};
    return {};
}

std::int64_t Sandbox::used_bytes() const { return bytes_in(folder_ + "/disk"); }

int Sandbox::times_cleaned() const {
    int times = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error))
        if (entry.path().filename().string().starts_with("removed-")) times++;
    return times;
}

std::vector<Sandbox::Start> Sandbox::ledger() const {
    std::vector<Start> starts;
    std::ifstream in(folder_ + "/ledger");
    Start start;
    while (in >> start.tool >> start.key >> start.at_us) starts.push_back(start);
    return starts;
}

// One write and one flush: what really ran is known afterwards, whatever was killed when.
void Sandbox::note_start(const std::string& tool) const {
    const char* key = std::getenv("PAWL_IDEMPOTENCY_KEY");
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::ostringstream line;
    line << tool << ' ' << (key && *key ? key : "-") << ' '
         << std::chrono::duration_cast<std::chrono::microseconds>(now).count() << '\n';
    const std::string text = line.str();
    const int fd = ::open((folder_ + "/ledger").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    [[maybe_unused]] const auto n = ::write(fd, text.data(), text.size());
    ::fdatasync(fd);
    ::close(fd);
}

int Sandbox::check_disk() const {
    note_start("check_disk");
    const std::int64_t used = used_bytes();
    const std::int64_t old = bytes_in(folder_ + "/disk/logs/old");
    std::printf("%s of %s used (%d %%)%s. Old logs: %s in logs/old.\n", mib(used).c_str(), mib(limit_bytes).c_str(),
                static_cast<int>(used * 100 / limit_bytes), used > limit_bytes ? ", CRITICAL" : "", mib(old).c_str());
    return 0;
}

// The effect is one rename: it happened or it did not, also when we are killed in the middle. Deleting what was taken
// away can be cut anywhere and does no harm.
int Sandbox::clean_logs(int delay_ms) const {
    note_start("clean_logs");
    if (delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    const fs::path old = folder_ + "/disk/logs/old";
    const std::int64_t freed = bytes_in(old);
    const fs::path away = folder_ + "/removed-" + std::to_string(times_cleaned() + 1);
    std::error_code error;
    fs::rename(old, away, error);
    if (error) {
        std::printf("Nothing to clean: there are no old logs.\n");
        return 0;
    }
    for (const auto& entry : fs::directory_iterator(away, error)) fs::remove(entry.path(), error);
    std::printf("Old logs removed, %s freed.\n", mib(freed).c_str());
    return 0;
}

int Sandbox::is_clean() const {
    std::error_code error;
    if (fs::exists(folder_ + "/disk/logs/old", error)) return 1;
    std::printf("Old logs are gone; %s of %s used now.\n", mib(used_bytes()).c_str(), mib(limit_bytes).c_str());
    return 0;
}

}  // namespace pawl::cli::demo
