#include "support/storage_kill.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Newer than some C libraries' <sys/ptrace.h>; the kernel's own header cannot stand beside that one.
#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif

namespace pawl::test {
namespace {

enum class Names : std::uint8_t { descriptor, path, path_at, socket };

struct Watched {
    long number;
    const char* name;
    Names file;
};

constexpr Watched watched[] = {
    {SYS_write, "write", Names::descriptor},
    {SYS_pwrite64, "pwrite64", Names::descriptor},
    {SYS_writev, "writev", Names::descriptor},
    {SYS_pwritev, "pwritev", Names::descriptor},
    {SYS_fsync, "fsync", Names::descriptor},
    {SYS_fdatasync, "fdatasync", Names::descriptor},
    {SYS_ftruncate, "ftruncate", Names::descriptor},
    {SYS_fallocate, "fallocate", Names::descriptor},
    {SYS_flock, "flock", Names::descriptor},
    {SYS_openat, "openat", Names::path_at},
    {SYS_unlinkat, "unlinkat", Names::path_at},
    {SYS_renameat2, "renameat2", Names::path_at},
    {SYS_bind, "bind", Names::socket},
#ifdef SYS_unlink
    {SYS_open, "open", Names::path},
    {SYS_unlink, "unlink", Names::path},
    {SYS_rename, "rename", Names::path},
#endif
};

const Watched* find_watched(std::uint64_t number) {
    for (const Watched& call : watched)
        if (static_cast<std::uint64_t>(call.number) == number) return &call;
    return nullptr;
}

// Only these calls stop for the tracer; all others run at full speed.
std::vector<sock_filter> filter() {
    const auto statement = [](unsigned code, unsigned k) {
        return sock_filter{static_cast<std::uint16_t>(code), 0, 0, k};
    };
    std::vector<sock_filter> out{statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const Watched& call : watched) {
        out.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<unsigned>(call.number)});
        out.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    }
    out.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return out;
}

// In the child; nothing here may allocate.
[[noreturn]] void become(char* const* argv, char* const* environment, const char* folder, int output,
                         sock_fprog program) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (folder && ::chdir(folder) != 0) ::_exit(127);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(126);
    ::raise(SIGSTOP);  // until the tracer has set its options
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(126);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(126);
    ::execve(argv[0], argv, environment);
    ::_exit(127);
}

std::string text_at(pid_t pid, std::uint64_t address, std::size_t size) {
    std::string text(size, '\0');
    const iovec local{text.data(), size};
    const iovec remote{reinterpret_cast<void*>(address), size};  // NOLINT: an address of the other process
    const ssize_t n = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return n > 0 ? text.substr(0, static_cast<std::size_t>(n)) : std::string();
}

// A path may end just before a page that does not exist: never reads beyond the page in one go.
std::string path_at(pid_t pid, std::uint64_t address) {
    constexpr std::size_t page = 4096;
    std::string path;
    while (path.size() < PATH_MAX) {
        const std::string part = text_at(pid, address, page - address % page);
        path += part.substr(0, part.find('\0'));
        if (part.empty() || part.find('\0') != std::string::npos) break;
        address += part.size();
    }
    return path;
}

std::string file_of_descriptor(pid_t pid, std::uint64_t fd) {
    std::array<char, PATH_MAX> target{};
    const std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
    const ssize_t n = ::readlink(link.c_str(), target.data(), target.size());
    return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : std::string();
}

class Tracer {
public:
    Tracer(pid_t pid, std::string folder, KillPoint point) : pid_(pid), folder_(std::move(folder)), point_(point) {}

    StorageRun run() {
        int status = 0;
        ::waitpid(pid_, &status, __WALL);
        if (!WIFSTOPPED(status)) return run_;  // it could not be traced
        constexpr long options =
            PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD;
        ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, options);
        ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
        for (pid_t thread = 0; (thread = ::waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
            if (thread <= 0) continue;
            if (WIFSTOPPED(status)) stopped(thread, status);
            else if (thread == pid_) end(status);
        }
        return run_;
    }

private:
    void end(int status) {
        run_.process.exit = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        run_.was_killed = killed_ && run_.process.exit == 128 + SIGKILL;
    }

    void stopped(pid_t thread, int status) {
        const int signal = WSTOPSIG(status);
        const bool is_seccomp = status >> 8 == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8));
        if (is_seccomp && called(thread)) return;  // it goes on to the end of its call, or is dead
        if (signal == (SIGTRAP | 0x80) && thread == ending_) {
            kill();
            return;
        }
        const bool is_event = status >> 16 != 0 || signal == (SIGTRAP | 0x80) || signal == SIGTRAP;
        const bool is_new_thread = signal == SIGSTOP && started_.insert(thread).second;
        const long passed_on = is_event || is_new_thread ? 0 : signal;
        ::ptrace(PTRACE_CONT, thread, nullptr, passed_on);
    }

    // True when this call is the one to die at.
    bool called(pid_t thread) {
        const std::optional<StorageCall> call = read_call(thread);
        if (!call || killed_) return false;
        run_.calls.push_back(*call);
        if (call->number != point_.call) return false;
        run_.where = std::string(point_.is_after ? "after " : "before ") + call->name + " of " + call->file + " (" +
                     std::to_string(call->number) + ")";
        if (point_.is_after) {
            ending_ = thread;
            ::ptrace(PTRACE_SYSCALL, thread, nullptr, nullptr);
        } else {
            kill();
        }
        return true;
    }

    void kill() {
        killed_ = true;
        ::kill(pid_, SIGKILL);
    }

    std::optional<StorageCall> read_call(pid_t thread) const {
        // What PTRACE_GET_SYSCALL_INFO fills at a stop by seccomp.
        struct {
            std::uint8_t op;
            std::uint32_t arch;
            std::uint64_t instruction_pointer, stack_pointer, number, arguments[6];
            std::uint32_t data;
        } info{};
        constexpr std::uint8_t stopped_by_seccomp = 3;
        const auto request = static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO);
        if (::ptrace(request, thread, sizeof info, &info) <= 0 || info.op != stopped_by_seccomp) return std::nullopt;
        const Watched* call = find_watched(info.number);
        if (!call) return std::nullopt;
        std::string file;
        if (call->file == Names::descriptor) file = file_of_descriptor(thread, info.arguments[0]);
        else if (call->file == Names::path) file = path_at(thread, info.arguments[0]);
        else if (call->file == Names::path_at) file = path_at(thread, info.arguments[1]);
        else file = path_at(thread, info.arguments[1] + offsetof(sockaddr_un, sun_path));
        if (!file.starts_with(folder_)) return std::nullopt;
        return StorageCall{static_cast<int>(run_.calls.size()) + 1, call->name, file.substr(folder_.size())};
    }

    const pid_t pid_;
    const std::string folder_;
    const KillPoint point_;
    pid_t ending_ = -1;
    bool killed_ = false;
    std::set<pid_t> started_;
    StorageRun run_;
};

std::string drain(int fd) {
    std::string text;
    std::array<char, 4096> part;
    for (ssize_t n = 0; (n = ::read(fd, part.data(), part.size())) > 0;)
        text.append(part.data(), static_cast<std::size_t>(n));
    return text;
}

}  // namespace

bool can_trace(std::string& reason) {
    const StorageRun probe = run_killed({"/bin/true"}, "/nowhere", {});
    reason = "this machine forbids tracing (ptrace with seccomp), so no process can be killed at a chosen call";
    return probe.process.exit == 0;
}

StorageRun run_killed(const std::vector<std::string>& argv, const std::string& folder, KillPoint point,
                      const Surroundings& surroundings) {
    std::vector<std::string> environment = surroundings.environment;
    for (char** at = environ; *at; ++at) environment.emplace_back(*at);
    std::vector<char*> words, variables;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& variable : environment) variables.push_back(const_cast<char*>(variable.c_str()));
    words.push_back(nullptr), variables.push_back(nullptr);
    std::vector<sock_filter> rules = filter();
    const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    std::array<int, 2> output{};
    if (::pipe2(output.data(), O_CLOEXEC) != 0) {
        ADD_FAILURE() << "no pipe: " << std::strerror(errno);
        return {};
    }
    const char* start_folder = surroundings.folder.empty() ? nullptr : surroundings.folder.c_str();
    const pid_t pid = ::fork();
    if (pid == 0) become(words.data(), variables.data(), start_folder, output[1], program);
    ::close(output[1]);
    StorageRun run = Tracer(pid, folder, point).run();
    run.process.out = drain(output[0]);
    ::close(output[0]);
    return run;
}

}  // namespace pawl::test
