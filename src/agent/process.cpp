#include "agent/process.hpp"

#include "agent/process_child.hpp"
#include "core/assert.hpp"
#include "core/sha256.hpp"
#include "core/shown.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

namespace pawl::agent {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::string_view path_default = "/usr/local/bin:/usr/bin:/bin";
constexpr std::chrono::milliseconds poll_without_pidfd{20};
constexpr std::chrono::seconds death_limit{5};

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    int get() const { return fd_; }
    /// Above the numbers the child moves its own to.
    bool raise() {
        const int high = ::fcntl(fd_, F_DUPFD_CLOEXEC, 10);
        if (high < 0) return false;
        reset();
        fd_ = high;
        return true;
    }

private:
    int fd_ = -1;
};

Error system_refusal(const std::string& what) { return {Errc::refused, what + ": " + std::strerror(errno)}; }

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<std::string> find_program(const std::string& name, const std::string& path) {
    if (name.find('/') != std::string::npos) return name;
    std::string_view rest = path;
    while (!rest.empty()) {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        const std::string folder(rest.substr(0, colon));
        rest.remove_prefix(std::min(colon + 1, rest.size()));
        if (folder.empty() || folder.front() != '/') continue;  // the current folder has no place in a search
        const std::string candidate = folder + "/" + name;
        struct stat info {};
        if (::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return Error{Errc::not_found, "program " + core::shown(name) + " is not in PATH (" + path + ")"};
}

Result<std::vector<std::string>> build_environment(const ProcessSpec& spec, const std::string& token) {
    std::vector<std::pair<std::string, std::string>> all{{"PATH", std::string(path_default)}, {"HOME", "/"}};
    const auto set = [&](const std::string& name, const std::string& value) {
        const auto same = std::find_if(all.begin(), all.end(), [&](const auto& v) { return v.first == name; });
        if (same != all.end()) {
            same->second = value;
        } else {
            all.emplace_back(name, value);
        }
    };
    for (const char* name : {"PATH", "HOME", "LANG", "TZ"}) {
        if (const char* value = std::getenv(name)) set(name, value);
    }
    for (const auto& [name, value] : spec.environment) {
        if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value)) {
            return Error{Errc::bad_input, "environment variable " + core::shown(name) + " is malformed"};
        }
        // The model's key pays for everything; no tool needs it.
        if (name == "OPENAI_API_KEY") return Error{Errc::bad_input, "OPENAI_API_KEY is never given to a tool"};
        set(name, value);
    }
    set(std::string(token_variable), token);
    std::vector<std::string> lines;
    for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::string random_token() {
    std::array<char, 16> bytes{};
    std::size_t got = 0;
    while (got < bytes.size()) {
        const auto n = ::getrandom(bytes.data() + got, bytes.size() - got, 0);
        if (n > 0) got += static_cast<std::size_t>(n);
    }
    return core::to_hex(std::string_view(bytes.data(), bytes.size()));
}

// Standard input is a file in memory: no pipe to feed, so none that breaks.
Result<Fd> stdin_file(const std::string& text) {
    Fd fd(::memfd_create("pawl-stdin", MFD_CLOEXEC));
    if (fd.get() < 0) return system_refusal("cannot make a tool's standard input");
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto n = ::write(fd.get(), rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return system_refusal("cannot fill a tool's standard input");
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

/// Both ends of what connects us to the child.
struct Lines {
    Fd in, out_read, out_write, err_read, err_write, gate_ours, gate_child, status_read, status_write;

    static Result<Lines> make(const std::string& stdin_text) {
        Lines l;
        auto in = stdin_file(stdin_text);
        if (!in) return in.error();
        l.in = std::move(*in);
        std::array<int, 2> pair{};
        const auto keep = [&](Fd& ours, Fd& childs) {
            ours = Fd(pair[0]);
            childs = Fd(pair[1]);
        };
        if (::pipe2(pair.data(), O_CLOEXEC) != 0) return system_refusal("cannot make a pipe for a tool");
        keep(l.out_read, l.out_write);
        if (::pipe2(pair.data(), O_CLOEXEC) != 0) return system_refusal("cannot make a pipe for a tool");
        keep(l.err_read, l.err_write);
        if (::pipe2(pair.data(), O_CLOEXEC) != 0) return system_refusal("cannot make a pipe for a tool");
        keep(l.status_read, l.status_write);
        // A socket: writing to a child that is dead already must not raise SIGPIPE here.
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
            return system_refusal("cannot make a gate for a tool");
        }
        keep(l.gate_ours, l.gate_child);
        for (Fd* fd : {&l.in, &l.out_write, &l.err_write, &l.status_write, &l.gate_child}) {
            if (!fd->raise()) return system_refusal("no file descriptor left for a tool");
        }
        ::fcntl(l.out_read.get(), F_SETFL, O_NONBLOCK);
        ::fcntl(l.err_read.get(), F_SETFL, O_NONBLOCK);
        return l;
    }
};

int poll_length(std::optional<Clock::time_point> until, std::chrono::milliseconds most) {
    if (!until) return static_cast<int>(most.count());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, most.count()));
}

/// The child's next word, or nothing when it closed the pipe (its program runs, or it died). Entering a folder and
/// executing a file wait for as long as a file server is silent: hence the limits.
Result<std::optional<ChildStatus>> read_status(int fd, const WaitLimits& limits, const ProcessSpec& spec) {
    const std::string whose = "the process of " + core::shown(spec.argv[0], 200);
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{fd, POLLIN, 0}, pollfd{limits.stop_fd, POLLIN, 0}};
        if (::poll(fds.data(), fds.size(), poll_length(limits.deadline, 60s)) < 0 && errno != EINTR)
            return system_refusal("cannot wait for " + whose);
        if (fds[0].revents != 0) break;
        if ((fds[1].revents & POLLIN) != 0)
            return Error{Errc::stopping, whose + " was told to stop before its program ran"};
        if (limits.deadline && Clock::now() >= *limits.deadline)
            return Error{Errc::timed_out, whose +
                                              " came to its time limit before its program ran; does its folder, or "
                                              "its program, lie on a file server that does not answer?"};
    }
    ChildStatus status;
    ssize_t n = 0;
    do { n = ::read(fd, &status, sizeof status); } while (n < 0 && errno == EINTR);
    if (n != sizeof status) return std::optional<ChildStatus>{};
    return std::optional(status);
}

Error child_failure(const ChildStatus& status, const ProcessSpec& spec) {
    const std::string why = std::string(": ") + std::strerror(status.error);
    switch (status.stage) {
        case ChildStatus::Stage::folder:
            return {Errc::not_found, "cannot enter the tool's folder " + core::shown(spec.cwd, 200) + why};
        case ChildStatus::Stage::exec: {
            const bool missing = status.error == ENOENT || status.error == ENOTDIR;
            return {missing ? Errc::not_found : Errc::refused,
                    "cannot execute " + core::shown(spec.argv[0], 200) + why};
        }
        case ChildStatus::Stage::setup:
        case ChildStatus::Stage::ready:
            break;
    }
    return {Errc::refused, "cannot set up the process of " + core::shown(spec.argv[0], 200) + why};
}

/// Children of ours that were killed and hung in the kernel: each is reaped once it is dead.
class LeftBehind {
public:
    static void add(pid_t pid) {
        std::lock_guard lock(mutex());
        pids().push_back(pid);
    }
    static void reap() {
        std::lock_guard lock(mutex());
        std::erase_if(pids(), [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
    }

private:
    static std::mutex& mutex() {
        static std::mutex only;
        return only;
    }
    static std::vector<pid_t>& pids() {
        static std::vector<pid_t> only;
        return only;
    }
};

/// One captured stream.
struct Capture {
    Fd fd;
    std::size_t bytes_max = 0;
    std::string text;
    bool cut = false;

    /// Takes what is there now.
    void drain() {
        std::array<char, 16 * 1024> bytes;
        while (fd.get() >= 0) {
            const auto n = ::read(fd.get(), bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) return;
            if (n <= 0) return fd.reset();
            const std::size_t room = bytes_max - text.size();
            const auto got = static_cast<std::size_t>(n);
            text.append(bytes.data(), std::min(room, got));
            cut = cut || got > room;
        }
    }
};

}  // namespace

std::string ProcessOutcome::describe() const {
    switch (end) {
        case End::exited:
            return "exited with " + std::to_string(exit_code);
        case End::signalled:
            return "ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
        case End::timed_out:
            return "ended at its time limit";
        case End::stopped:
            return "ended because its task, or the worker that ran it, was told to stop";
        case End::lost:
            return "ended, but its exit status was taken by another part of this process";
    }
    return "ended";
}

struct Process::Impl {
    ProcessSpec spec;
    ProcessIdentity identity;
    pid_t pid = -1;
    Fd pidfd, gate, status;
    Capture out, err;
    bool reaped = false;
    bool runs = false;          // its program has begun
    bool status_taken = false;  // somebody else reaped it: its number may be another's by now

    ~Impl() {
        gate.reset();
        if (pid > 0 && !reaped) finish();
        if (pid > 0 && !reaped) LeftBehind::add(pid);
    }

    /// True once the leader has ended; it stays a zombie, so that its group's number stays ours.
    bool has_ended() {
        siginfo_t info{};
        status_taken = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0;
        return status_taken || info.si_pid == pid;
    }

    /// A child that has not come to its own session yet has no group either; until it is reaped its number is its own.
    void signal_group(int number) const {
        if (::kill(-pid, number) != 0 && !reaped) ::kill(pid, number);
    }

    /// Of a child that has been killed: false when it hangs in the kernel. It never comes back from there, and no
    /// thread is to wait with it.
    bool dies_in_time() {
        const auto until = Clock::now() + death_limit;
        while (!has_ended()) {
            if (Clock::now() >= until) return false;
            pollfd fd{pidfd.get(), POLLIN, 0};
            ::poll(&fd, 1, poll_length(until, poll_without_pidfd));
        }
        return true;
    }

    /// Kills all that is left and takes the leader's status; nothing when somebody else took it.
    std::optional<int> finish() {
        if (status_taken) {
            reaped = true;
            // Whether all of it died does not change what is known of its effect: nothing.
            static_cast<void>(kill_if_same(identity));
            return std::nullopt;
        }
        signal_group(SIGKILL);
        if (!runs && !dies_in_time()) return std::nullopt;
        int wait_status = 0;
        pid_t got = 0;
        do { got = ::waitpid(pid, &wait_status, 0); } while (got < 0 && errno == EINTR);
        reaped = true;
        const auto until = Clock::now() + death_limit;
        while (group_is_alive(pid) && Clock::now() < until) {
            signal_group(SIGKILL);
            std::this_thread::sleep_for(1ms);
        }
        kill_escaped(identity);
        if (got != pid) return std::nullopt;
        return wait_status;
    }

    /// Waits for output, the end, the stop or `until`. True when the stop was asked for.
    bool watch(int stop_fd, std::optional<Clock::time_point> until) {
        std::array<pollfd, 4> fds{pollfd{out.fd.get(), POLLIN, 0}, pollfd{err.fd.get(), POLLIN, 0},
                                  pollfd{pidfd.get(), POLLIN, 0}, pollfd{stop_fd, POLLIN, 0}};
        const int some =
            ::poll(fds.data(), fds.size(), poll_length(until, pidfd.get() >= 0 ? 60s : poll_without_pidfd));
        out.drain();
        err.drain();
        return some > 0 && (fds[3].revents & POLLIN) != 0;
    }
};

Process::Process(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

const ProcessIdentity& Process::identity() const { return impl_->identity; }

Result<Process> Process::start(const ProcessSpec& spec, const WaitLimits& limits) {
    if (spec.argv.empty() || spec.argv[0].empty()) return Error{Errc::bad_input, "a command needs a program"};
    for (const std::string& argument : spec.argv) {
        if (has_nul(argument))
            return Error{Errc::bad_input, "argument " + core::shown(argument) + " contains a NUL byte"};
    }
    if (has_nul(spec.cwd)) return Error{Errc::bad_input, "the tool's folder contains a NUL byte"};
    LeftBehind::reap();
    auto impl = std::make_unique<Impl>();
    impl->spec = spec;
    const std::string token = random_token();
    auto environment = build_environment(spec, token);
    if (!environment) return environment.error();
    auto program = find_program(spec.argv[0], environment->front().substr(5));  // PATH is the first
    if (!program) return program.error();
    auto lines = Lines::make(spec.stdin_text);
    if (!lines) return lines.error();
    auto argv = pointers(impl->spec.argv);
    auto variables = pointers(*environment);

    ChildPlan plan;
    plan.program = program->c_str();
    plan.argv = argv.data();
    plan.environment = variables.data();
    plan.cwd = spec.cwd.empty() ? nullptr : spec.cwd.c_str();
    plan.stdin_fd = lines->in.get();
    plan.stdout_fd = lines->out_write.get();
    plan.stderr_fd = lines->err_write.get();
    plan.gate_fd = lines->gate_child.get();
    plan.status_fd = lines->status_write.get();
    plan.cpu_seconds_max = spec.cpu_seconds_max;
    plan.memory_bytes_max = spec.memory_bytes_max;
    plan.open_files_max = spec.open_files_max;

    const pid_t pid = ::fork();
    if (pid < 0) return system_refusal("cannot start a process");
    if (pid == 0) run_child(plan);
    impl->pid = pid;
    impl->pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    impl->gate = std::move(lines->gate_ours);
    impl->status = std::move(lines->status_read);
    impl->out = Capture{std::move(lines->out_read), spec.stdout_max, {}, false};
    impl->err = Capture{std::move(lines->err_read), spec.stderr_max, {}, false};
    lines->status_write.reset();  // else the pipe would never end

    const auto read = read_status(impl->status.get(), limits, spec);
    if (!read) return read.error();
    const auto& status = *read;
    if (!status)
        return Error{Errc::refused, "the process of " + core::shown(spec.argv[0], 200) + " died before its start"};
    if (status->stage != ChildStatus::Stage::ready) return child_failure(*status, spec);
    auto identity = identify(pid, token);
    if (!identity) return identity.error();
    impl->identity = std::move(*identity);
    return Process(std::move(impl));
}

Result<void> Process::release(const WaitLimits& limits) {
    PAWL_ASSERT(impl_->gate.get() >= 0);
    const char go = 1;
    const auto sent = ::send(impl_->gate.get(), &go, 1, MSG_NOSIGNAL);
    impl_->gate.reset();
    // Ends without a word when the program runs: the pipe closes at exec.
    const auto status = read_status(impl_->status.get(), limits, impl_->spec);
    if (!status) return status.error();
    impl_->status.reset();
    if (*status) return child_failure(**status, impl_->spec);
    if (sent != 1)
        return Error{Errc::refused,
                     "the process of " + core::shown(impl_->spec.argv[0], 200) + " died before its start"};
    impl_->runs = true;
    return {};
}

ProcessOutcome Process::wait(const WaitLimits& limits) {
    Impl& p = *impl_;
    PAWL_ASSERT(p.gate.get() < 0 && !p.reaped);
    using End = ProcessOutcome::End;
    std::optional<End> ours;  // why we are ending it
    std::optional<Clock::time_point> until = limits.deadline;
    int stop_fd = limits.stop_fd;
    while (!p.has_ended()) {
        const bool stop = p.watch(stop_fd, until);
        const bool late = until && Clock::now() >= *until;
        if (!stop && !late) continue;
        if (ours) {
            p.signal_group(SIGKILL);
            until.reset();
            continue;
        }
        ours = stop ? End::stopped : End::timed_out;
        p.signal_group(SIGTERM);
        p.signal_group(SIGCONT);  // a stopped process would not see it
        until = Clock::now() + limits.grace;
        stop_fd = -1;
    }
    const auto status = p.finish();
    p.out.drain();
    p.err.drain();
    ProcessOutcome outcome;
    outcome.out = std::move(p.out.text);
    outcome.err = std::move(p.err.text);
    outcome.out_cut = p.out.cut;
    outcome.err_cut = p.err.cut;
    if (!status) {
        outcome.end = End::lost;
    } else if (WIFEXITED(*status)) {
        outcome.exit_code = WEXITSTATUS(*status);
        // It may have ended well within the grace: then its exit status tells what it did.
        outcome.end = ours.value_or(End::exited);
    } else {
        outcome.signal = WTERMSIG(*status);
        outcome.end = ours.value_or(End::signalled);
    }
    return outcome;
}

}  // namespace pawl::agent
