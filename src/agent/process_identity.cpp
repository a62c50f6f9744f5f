#include "agent/process_identity.hpp"

#include <pawl/json.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace pawl::agent {

namespace {

using Clock = std::chrono::steady_clock;

// Processes may fork while they are hunted; a fork bomb of a tool must not hold us for ever.
constexpr int hunt_rounds_max = 100;
constexpr std::chrono::milliseconds look_again{2};

std::string read_small_file(const std::string& path, std::size_t bytes_max = 256 * 1024) {
    std::string text;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    std::array<char, 4096> bytes;
    while (text.size() < bytes_max) {
        const auto n = ::read(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        text.append(bytes.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
    return text;
}

std::string boot_id() {
    std::string id = read_small_file("/proc/sys/kernel/random/boot_id");
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
}

struct ProcessStat {
    char state = '?';
    std::int64_t group = 0;
    std::uint64_t start_ticks = 0;

    bool alive() const { return state != 'Z' && state != 'X' && state != 'x'; }
};

std::optional<ProcessStat> stat_of(std::int64_t pid) {
    const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/stat");
    // The second field is the program's name in parentheses, which may itself contain blanks and parentheses.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::vector<std::string_view> fields;  // from field 3 on
    std::string_view rest = std::string_view(text).substr(name_end + 1);
    while (!rest.empty()) {
        const std::size_t begin = rest.find_first_not_of(" \n");
        if (begin == std::string_view::npos) break;
        rest.remove_prefix(begin);
        const std::size_t end = std::min(rest.find_first_of(" \n"), rest.size());
        fields.push_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    if (fields.size() < 20) return std::nullopt;
    ProcessStat out;
    out.state = fields[0].front();
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), out.group);
    std::from_chars(fields[19].data(), fields[19].data() + fields[19].size(), out.start_ticks);
    return out;
}

std::string environment_of(std::int64_t pid) { return read_small_file("/proc/" + std::to_string(pid) + "/environ"); }

bool holds_token(const std::string& environment, const std::string& token) {
    const std::string needle = std::string(token_variable) + "=" + token;
    for (std::size_t at = environment.find(needle); at != std::string::npos; at = environment.find(needle, at + 1)) {
        const bool starts = at == 0 || environment[at - 1] == '\0';
        const std::size_t end = at + needle.size();
        if (starts && (end == environment.size() || environment[end] == '\0')) return true;
    }
    return false;
}

std::vector<std::int64_t> all_processes() {
    std::vector<std::int64_t> pids;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
    if (!folder) return pids;
    while (const dirent* entry = ::readdir(folder.get())) {
        std::int64_t pid = 0;
        const char* end = entry->d_name + std::strlen(entry->d_name);
        const auto parsed = std::from_chars(entry->d_name, end, pid);
        if (parsed.ec == std::errc{} && parsed.ptr == end) pids.push_back(pid);
    }
    return pids;
}

/// Kills what `is_victim(pid, round)` names, round by round until one finds nobody alive. The answer: the last round
/// when `until` came before.
template <class IsVictim>
std::optional<int> hunt(const IsVictim& is_victim, Clock::time_point until) {
    for (int round = 0;; ++round) {
        bool found = false;
        for (const std::int64_t pid : all_processes()) {
            if (pid == ::getpid() || !is_victim(pid, round)) continue;
            found = true;
            if (round < hunt_rounds_max) ::kill(static_cast<pid_t>(pid), SIGKILL);
        }
        if (!found) return std::nullopt;
        if (Clock::now() >= until) return round;
        std::this_thread::sleep_for(look_again);
    }
}

/// An identity whose processes are being ended.
class Quarry {
public:
    /// Kills its group at once.
    Quarry(const ProcessIdentity& identity, const std::string& boot) : identity_(identity) {
        is_named_ = identity.group > 1 && !identity.token.empty();
        is_of_this_boot_ = is_named_ && identity.boot_id == boot;
        if (!is_of_this_boot_) return;
        // While one member lives, the kernel does not give the group's number to a new process. So if the number
        // belongs to another process now, the group is gone; if it belongs to nobody, only the token tells its members.
        const auto leader = stat_of(identity.group);
        has_leader_ = leader && leader->start_ticks == identity.start_ticks;
        was_alive_ = has_leader_ && leader->alive();
        if (was_alive_) ::kill(static_cast<pid_t>(-identity.group), SIGKILL);
    }

    /// Notes that a member was seen alive. `environment` is read when the first needs it.
    bool claims(std::int64_t pid, const ProcessStat& process, std::optional<std::string>& environment, int round) {
        if (!is_of_this_boot_ || process.start_ticks < identity_.start_ticks) return false;
        if (!has_leader_ || process.group != identity_.group) {
            if (!environment) environment = environment_of(pid);
            if (!holds_token(*environment, identity_.token)) return false;
        }
        was_alive_ = true;
        last_seen_ = round;
        return true;
    }

    Result<KillResult> result(std::optional<int> last_round) const {
        if (!is_named_) return Error{Errc::bad_input, "process identity names no process"};
        if (last_round && last_seen_ == *last_round)
            return Error{Errc::timed_out, "process group " + std::to_string(identity_.group) +
                                              " of an earlier attempt does not die; it may wait for a device, or "
                                              "belong to another user"};
        return was_alive_ ? KillResult::killed : KillResult::gone;
    }

private:
    const ProcessIdentity& identity_;
    bool is_named_ = false, is_of_this_boot_ = false, has_leader_ = false, was_alive_ = false;
    int last_seen_ = -1;
};

}  // namespace

std::string encode_identity(const ProcessIdentity& identity) {
    JsonOut out;
    out.begin_object();
    out.key("boot_id");
    out.string(identity.boot_id);
    out.key("group");
    out.integer(identity.group);
    out.key("start");
    out.integer(identity.start_ticks);
    out.key("token");
    out.string(identity.token);
    out.end_object();
    return out.take();
}

Result<ProcessIdentity> decode_identity(std::string_view text) {
    try {
        const JsonDoc doc(text);
        const JsonIn root = doc.root();
        ProcessIdentity out;
        out.boot_id = std::string(root.need("boot_id").string());
        out.group = root.need("group").integer();
        out.start_ticks = root.need("start").unsigned_integer();
        out.token = std::string(root.need("token").string());
        // 0 and 1 would mean our own group, and init.
        if (out.group <= 1 || out.token.empty()) return Error{Errc::bad_input, "process identity names no process"};
        return out;
    } catch (const JsonError& e) { return Error{Errc::bad_input, std::string("process identity: ") + e.what()}; }
}

Result<ProcessIdentity> identify(std::int64_t pid, std::string token) {
    const auto found = stat_of(pid);
    if (!found) return Error{Errc::not_found, "process " + std::to_string(pid) + " is not in /proc"};
    return ProcessIdentity{pid, found->start_ticks, boot_id(), std::move(token)};
}

bool group_is_alive(std::int64_t group) {
    if (::kill(static_cast<pid_t>(-group), 0) != 0 && errno == ESRCH) return false;
    // Members without a living parent that reaps them stay as zombies; in a container for ever.
    for (const std::int64_t pid : all_processes()) {
        const auto found = stat_of(pid);
        if (found && found->group == group && found->alive()) return true;
    }
    return false;
}

void kill_escaped(const ProcessIdentity& identity) {
    // /proc/loadavg ends with the newest process id. Below ours, the numbers have wrapped and say nothing of age.
    const std::string load = read_small_file("/proc/loadavg");
    const std::size_t last = load.rfind(' ');
    std::int64_t newest = 0;
    if (last != std::string::npos) std::from_chars(load.data() + last + 1, load.data() + load.size(), newest);
    const bool wrapped = newest < identity.group;
    hunt(
        [&](std::int64_t pid, int) {
            if (!wrapped && pid <= identity.group) return false;
            const auto found = stat_of(pid);
            return found && found->alive() && found->start_ticks >= identity.start_ticks &&
                   holds_token(environment_of(pid), identity.token);
        },
        Clock::now() + std::chrono::seconds(1));
}

Result<KillResult> kill_if_same(const ProcessIdentity& identity, core::Micros limit) {
    return kill_all_same({&identity, 1}, limit).front();
}

std::vector<Result<KillResult>> kill_all_same(std::span<const ProcessIdentity> identities, core::Micros limit) {
    const std::string boot = boot_id();
    std::vector<Quarry> quarries;
    for (const ProcessIdentity& identity : identities) quarries.emplace_back(identity, boot);
    const auto last_round = hunt(
        [&](std::int64_t pid, int round) {
            const auto found = stat_of(pid);
            if (!found || !found->alive()) return false;
            std::optional<std::string> environment;
            // Asked of all: one process may be of several.
            return std::ranges::count_if(quarries,
                                         [&](Quarry& q) { return q.claims(pid, *found, environment, round); }) > 0;
        },
        Clock::now() + limit);
    std::vector<Result<KillResult>> results;
    for (const Quarry& quarry : quarries) results.push_back(quarry.result(last_round));
    return results;
}

}  // namespace pawl::agent
