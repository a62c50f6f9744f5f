#include "agent/process_child.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace pawl::agent {

namespace {

constexpr int gate = 3;
constexpr int status = 4;

[[noreturn]] void fail(ChildStatus::Stage stage) {
    const ChildStatus report{stage, errno};
    [[maybe_unused]] const auto told = ::write(status, &report, sizeof report);
    ::_exit(127);
}

void close_from(unsigned first) {
    if (::close_range(first, ~0u, 0) == 0) return;
    rlimit limit{};
    const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1u << 20;
    const unsigned end = known ? static_cast<unsigned>(limit.rlim_cur) : 1u << 20;
    for (unsigned fd = first; fd < end; ++fd) ::close(static_cast<int>(fd));
}

void set_limit(decltype(RLIMIT_CORE) what, std::uint64_t value, std::uint64_t hard) {
    const rlimit limit{value, hard};
    if (::setrlimit(what, &limit) == 0) return;
    // More than we may have ourselves: then our own limit is the tighter one.
    if (errno != EPERM) fail(ChildStatus::Stage::setup);
}

void reset_signals() {
    // Ignored signals stay ignored over exec, and ours would surprise a tool.
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void run_child(const ChildPlan& plan) {
    // First of all: a copy of another child's gate in here would keep that child waiting after our parent's death.
    if (::dup2(plan.stdin_fd, 0) < 0 || ::dup2(plan.stdout_fd, 1) < 0 || ::dup2(plan.stderr_fd, 2) < 0 ||
        ::dup3(plan.gate_fd, gate, O_CLOEXEC) < 0 || ::dup3(plan.status_fd, status, O_CLOEXEC) < 0) {
        ::_exit(127);
    }
    close_from(5);
    // Own session: own group, and no terminal to read a password from.
    if (::setsid() < 0) fail(ChildStatus::Stage::setup);
    reset_signals();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(ChildStatus::Stage::setup);
    set_limit(RLIMIT_CORE, 0, 0);
    if (plan.cpu_seconds_max > 0) set_limit(RLIMIT_CPU, plan.cpu_seconds_max, plan.cpu_seconds_max + 1);
    if (plan.memory_bytes_max > 0) set_limit(RLIMIT_AS, plan.memory_bytes_max, plan.memory_bytes_max);
    if (plan.open_files_max > 0) set_limit(RLIMIT_NOFILE, plan.open_files_max, plan.open_files_max);
    if (plan.cwd != nullptr && ::chdir(plan.cwd) != 0) fail(ChildStatus::Stage::folder);

    const ChildStatus ready{ChildStatus::Stage::ready, 0};
    if (::write(status, &ready, sizeof ready) != sizeof ready) ::_exit(127);
    char go = 0;
    ssize_t got = 0;
    do { got = ::read(gate, &go, 1); } while (got < 0 && errno == EINTR);
    // The end of the stream: our parent is gone, or gave us up. Nobody has recorded that we run, so we must not.
    if (got != 1) ::_exit(126);
    ::execve(plan.program, plan.argv, plan.environment);
    fail(ChildStatus::Stage::exec);
}

}  // namespace pawl::agent
