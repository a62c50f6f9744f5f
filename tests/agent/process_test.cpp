// Command tools as real child processes: F14 and B25 of the fault and input lists, and what holds over a crash.
#include "agent/process.hpp"
#include "agent/command_tool.hpp"

#include "support/net_loop.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using End = ProcessOutcome::End;
using testing::TempDir;

ProcessSpec command(std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    return spec;
}

ProcessSpec shell(const std::string& script) { return command({"/bin/sh", "-c", script}); }

ProcessOutcome run(const ProcessSpec& spec, WaitLimits limits = {}) {
    auto process = Process::start(spec);
    if (!process) {
        ADD_FAILURE() << process.error().message;
        return {};
    }
    const auto released = process->release();
    if (!released) {
        ADD_FAILURE() << released.error().message;
        return {};
    }
    return process->wait(limits);
}

WaitLimits within(std::chrono::milliseconds deadline, std::chrono::milliseconds grace) {
    WaitLimits limits;
    limits.deadline = Clock::now() + deadline;
    limits.grace = grace;
    return limits;
}

/// Waits until that process has ended, child of ours or not.
bool ends(pid_t pid) {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd < 0) return true;
    pollfd ended{fd, POLLIN, 0};
    const bool seen = ::poll(&ended, 1, 20'000) == 1;
    ::close(fd);
    return seen;
}

bool lives(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(file, text)) return false;
    const char state = text[text.rfind(')') + 2];
    return state != 'Z' && state != 'X';
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(Process, OutputErrorsAndExitCodeComeBack) {
    const auto outcome = run(shell("echo out; echo err >&2; exit 3"));
    EXPECT_EQ(outcome.end, End::exited);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_EQ(outcome.out, "out\n");
    EXPECT_EQ(outcome.err, "err\n");
    EXPECT_FALSE(outcome.out_cut);
    EXPECT_EQ(outcome.describe(), "exited with 3");
}

TEST(Process, StandardInputIsGivenWhole) {
    ProcessSpec spec = command({"cat"});
    for (int i = 0; i < 50'000; ++i) spec.stdin_text += std::to_string(i) + "\n";
    EXPECT_EQ(run(spec).out, spec.stdin_text);
    EXPECT_EQ(run(command({"cat"})).out, "");
    ProcessSpec deaf = command({"true"});
    deaf.stdin_text = std::string(1'000'000, 'x');
    EXPECT_EQ(run(deaf).exit_code, 0) << "a tool that reads nothing is no error";
}

TEST(Process, ArgumentsAreLiteral) {
    TempDir dir;
    std::ofstream(dir.path("x")) << "still here";
    ProcessSpec spec =
        command({"printf", "%s\\n", "; rm -rf x", "$(id)", "`id`", "two\nlines", "-n", "*", "", "é\x01"});
    spec.cwd = dir.path();
    EXPECT_EQ(run(spec).out, "; rm -rf x\n$(id)\n`id`\ntwo\nlines\n-n\n*\n\né\x01\n");
    EXPECT_EQ(text_of(dir.path("x")), "still here");
}

TEST(Process, TheEnvironmentIsClean) {
    ::setenv("OPENAI_API_KEY", "sk-secret", 1);
    ::setenv("PAWL_TEST_SECRET", "hunter2", 1);
    ::setenv("LANG", "C.UTF-8", 1);
    ProcessSpec spec = command({"env"});
    spec.environment = {{"PAWL_IDEMPOTENCY_KEY", "k1"}, {"HOME", "/elsewhere"}};
    const auto outcome = run(spec);
    EXPECT_EQ(outcome.out.find("sk-secret"), std::string::npos);
    EXPECT_EQ(outcome.out.find("hunter2"), std::string::npos);
    EXPECT_NE(outcome.out.find("PAWL_IDEMPOTENCY_KEY=k1\n"), std::string::npos);
    EXPECT_NE(outcome.out.find("HOME=/elsewhere\n"), std::string::npos);
    EXPECT_NE(outcome.out.find("LANG=C.UTF-8\n"), std::string::npos);
    EXPECT_NE(outcome.out.find("PATH="), std::string::npos);
    ::unsetenv("OPENAI_API_KEY");
    ::unsetenv("PAWL_TEST_SECRET");

    spec.environment = {{"OPENAI_API_KEY", "sk-other"}};
    const auto refused = Process::start(spec);
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error().code, Errc::bad_input);
    EXPECT_EQ(refused.error().message.find("sk-other"), std::string::npos);
}

TEST(Process, NothingOfOursIsOpenInTheTool) {
    const int secret = ::open("/etc/hostname", O_RDONLY);  // deliberately without O_CLOEXEC
    ASSERT_GE(secret, 0);
    const auto outcome = run(shell("ls /proc/self/fd"));
    ::close(secret);
    // 0, 1, 2, and the one that ls itself reads the folder with.
    EXPECT_EQ(outcome.out, "0\n1\n2\n3\n");
}

TEST(Process, LimitsAndPrivilegesAreSet) {
    ProcessSpec spec = shell(
        "ulimit -c; ulimit -n; ulimit -v; ulimit -t; grep NoNewPrivs /proc/self/status; "
        "ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat; trap");
    spec.open_files_max = 77;
    spec.memory_bytes_max = 1ull << 30;
    spec.cpu_seconds_max = 5;
    auto process = Process::start(spec);
    ASSERT_TRUE(process);
    const auto group = process->identity().group;
    ASSERT_TRUE(process->release());
    std::istringstream lines(process->wait({}).out);
    std::string core, files, memory, cpu, privileges, pgid;
    std::getline(lines, core) && std::getline(lines, files) && std::getline(lines, memory) &&
        std::getline(lines, cpu) && std::getline(lines, privileges) && std::getline(lines, pgid);
    EXPECT_EQ(core, "0");
    EXPECT_EQ(files, "77");
    EXPECT_EQ(memory, std::to_string((1ull << 30) / 1024));
    EXPECT_EQ(cpu, "5");
    EXPECT_EQ(privileges, "NoNewPrivs:\t1");
    EXPECT_EQ(std::atoll(pgid.c_str()), group);
}

TEST(Process, ASpinningToolDiesAtItsCpuLimit) {
    ProcessSpec spec = shell("while :; do :; done");
    spec.cpu_seconds_max = 1;
    const auto outcome = run(spec);
    EXPECT_EQ(outcome.end, End::signalled);
    EXPECT_EQ(outcome.signal, SIGXCPU);
}

TEST(Process, SignalsAreAtTheirDefaultsInTheTool) {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked, before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    const auto outcome = run(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status"));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    EXPECT_EQ(outcome.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Process, WhatCannotStartSaysSoAndNothingHappened) {
    EXPECT_EQ(Process::start(command({})).error().code, Errc::bad_input);
    EXPECT_EQ(Process::start(command({""})).error().code, Errc::bad_input);
    EXPECT_EQ(Process::start(command({"true", std::string("a\0b", 3)})).error().code, Errc::bad_input);
    EXPECT_EQ(Process::start(command({"no-such-program-here"})).error().code, Errc::not_found);
    ProcessSpec lost = command({"true"});
    lost.cwd = "/no/such/folder";
    EXPECT_EQ(Process::start(lost).error().code, Errc::not_found);
    ProcessSpec bad_variable = command({"true"});
    bad_variable.environment = {{"A=B", "c"}};
    EXPECT_EQ(Process::start(bad_variable).error().code, Errc::bad_input);

    auto missing = Process::start(command({"/no/such/program"}));
    ASSERT_TRUE(missing) << "seen only when executed";
    EXPECT_EQ(missing->release().error().code, Errc::not_found);
    auto folder = Process::start(command({"/tmp"}));
    ASSERT_TRUE(folder);
    EXPECT_EQ(folder->release().error().code, Errc::refused);
}

TEST(Process, OutputBeyondItsCapIsDroppedAndMarked) {
    ProcessSpec spec = shell("yes x | head -c 3000000; yes y | head -c 3000000 >&2; echo done >&2; exit 7");
    spec.stdout_max = 1'000;
    spec.stderr_max = 10;
    const auto outcome = run(spec);
    EXPECT_EQ(outcome.exit_code, 7) << "a full cap must not block the tool";
    EXPECT_EQ(outcome.out.size(), 1'000u);
    EXPECT_EQ(outcome.err.size(), 10u);
    EXPECT_TRUE(outcome.out_cut);
    EXPECT_TRUE(outcome.err_cut);
    spec = shell("printf 12345");
    spec.stdout_max = 5;
    EXPECT_FALSE(run(spec).out_cut) << "exactly full is whole";
}

TEST(Process, AHangingToolIsEndedAtItsDeadline) {
    auto process = Process::start(shell("echo before; exec tail -f /dev/null"));
    ASSERT_TRUE(process);
    const auto pid = static_cast<pid_t>(process->identity().group);
    ASSERT_TRUE(process->release());
    const auto outcome = process->wait(within(50ms, 10s));
    EXPECT_EQ(outcome.end, End::timed_out);
    EXPECT_FALSE(lives(pid));
}

TEST(Process, AToolThatIgnoresTermIsKilledAfterTheGrace) {
    // It says when it is deaf, so that the stop comes after the trap was set.
    TempDir dir;
    ASSERT_EQ(::mkfifo(dir.path("deaf").c_str(), 0600), 0);
    auto process = Process::start(shell("trap '' TERM; echo > " + dir.path("deaf") + "; tail -f /dev/null"));
    ASSERT_TRUE(process);
    const auto pid = static_cast<pid_t>(process->identity().group);
    ASSERT_TRUE(process->release());
    EXPECT_EQ(text_of(dir.path("deaf")), "\n");
    const int stop = ::eventfd(1, EFD_CLOEXEC);
    WaitLimits limits;
    limits.stop_fd = stop;
    limits.grace = 30ms;
    const auto outcome = process->wait(limits);
    ::close(stop);
    EXPECT_EQ(outcome.end, End::stopped);
    EXPECT_EQ(outcome.signal, SIGKILL);
    EXPECT_FALSE(lives(pid));
}

TEST(Process, AToolThatListensMayEndByItselfWithinTheGrace) {
    TempDir dir;
    ASSERT_EQ(::mkfifo(dir.path("ready").c_str(), 0600), 0);
    auto process = Process::start(
        shell("trap 'echo tidied; exit 4' TERM; echo > " + dir.path("ready") + "; tail -f /dev/null & wait"));
    ASSERT_TRUE(process);
    ASSERT_TRUE(process->release());
    EXPECT_EQ(text_of(dir.path("ready")), "\n");
    const int stop = ::eventfd(0, EFD_CLOEXEC);
    WaitLimits limits;
    limits.stop_fd = stop;
    limits.grace = 20s;
    std::thread later([&] { ::eventfd_write(stop, 1); });
    const auto outcome = process->wait(limits);
    later.join();
    ::close(stop);
    EXPECT_EQ(outcome.end, End::stopped);
    EXPECT_EQ(outcome.exit_code, 4);
    EXPECT_EQ(outcome.out, "tidied\n");
}

TEST(Process, AStoppedToolCanStillBeEnded) {
    auto process = Process::start(shell("kill -STOP $$; tail -f /dev/null"));
    ASSERT_TRUE(process);
    ASSERT_TRUE(process->release());
    EXPECT_EQ(process->wait(within(50ms, 10s)).end, End::timed_out);
}

TEST(Process, AToolEndedByItsOwnSignalSaysWhich) {
    const auto outcome = run(shell("kill -SEGV $$"));
    EXPECT_EQ(outcome.end, End::signalled);
    EXPECT_EQ(outcome.signal, SIGSEGV);
    EXPECT_EQ(outcome.describe(), "ended by signal 11 (Segmentation fault)");
}

TEST(Process, WhatAToolLeavesInItsGroupDiesWithIt) {
    const auto outcome = run(shell("tail -f /dev/null & echo $!"));
    EXPECT_EQ(outcome.end, End::exited) << "a child that holds the output must not hold us";
    EXPECT_FALSE(lives(std::atoi(outcome.out.c_str())));
}

TEST(Process, ADaemonThatLeftTheGroupDiesToo) {
    TempDir dir;
    ASSERT_EQ(::mkfifo(dir.path("pid").c_str(), 0600), 0);
    // Its own session, its own output: a daemon by the book.
    const auto outcome = run(shell("setsid sh -c 'echo $$ > " + dir.path("pid") +
                                   "; exec tail -f /dev/null' </dev/null >/dev/null 2>&1 & read pid < " +
                                   dir.path("pid") + "; echo $pid"));
    EXPECT_EQ(outcome.end, End::exited);
    const int daemon = std::atoi(outcome.out.c_str());
    ASSERT_GT(daemon, 1);
    EXPECT_FALSE(lives(daemon));
}

TEST(Process, AProcessThatIsNotReleasedNeverRuns) {
    TempDir dir;
    pid_t pid = 0;
    {
        auto process = Process::start(command({"touch", dir.path("ran")}));
        ASSERT_TRUE(process);
        pid = static_cast<pid_t>(process->identity().group);
        EXPECT_TRUE(lives(pid));
    }
    EXPECT_FALSE(lives(pid));
    EXPECT_FALSE(std::filesystem::exists(dir.path("ran")));
}

// As where its program lies on a file server that is silent.
TEST(Process, AChildThatHangsBeforeItsProgramRunsIsGivenUp) {
    TempDir dir;
    const int stop = ::eventfd(1, EFD_CLOEXEC);
    for (const bool stopped : {false, true}) {
        pid_t pid = 0;
        {
            auto process = Process::start(command({"touch", dir.path("ran")}), within(1h, 0s));
            ASSERT_TRUE(process);
            pid = static_cast<pid_t>(process->identity().group);
            ::kill(pid, SIGSTOP);
            siginfo_t info{};
            ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED), 0);

            WaitLimits limits = within(stopped ? 1h : 10ms, 0s);
            if (stopped) limits.stop_fd = stop;
            const auto released = process->release(limits);
            ASSERT_TRUE(released.has_error());
            EXPECT_EQ(released.error().code, stopped ? Errc::stopping : Errc::timed_out) << released.error().message;
        }
        EXPECT_FALSE(lives(pid));
        EXPECT_FALSE(std::filesystem::exists(dir.path("ran")));
    }
    ::close(stop);
}

TEST(Process, AChildWhoseParentDiedBeforeTheReleaseNeverRuns) {
    TempDir dir;
    constexpr int children = 4;
    auto* pids = static_cast<pid_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const pid_t parent = ::fork();
    if (parent == 0) {
        // Several, since each later child was forked with a copy of the earlier ones' gates.
        std::vector<Process> held;
        for (int i = 0; i < children; ++i) {
            auto process = Process::start(command({"touch", dir.path("ran" + std::to_string(i))}));
            if (!process) ::_exit(1);
            pids[i] = static_cast<pid_t>(process->identity().group);
            held.push_back(std::move(*process));
        }
        ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(parent, &status, 0), parent);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (int i = 0; i < children; ++i) {
        ASSERT_GT(pids[i], 1);
        EXPECT_TRUE(ends(pids[i])) << i;
        EXPECT_FALSE(std::filesystem::exists(dir.path("ran" + std::to_string(i))));
    }
    ::munmap(pids, 4096);
}

TEST(Process, ProcessesStartedByManyThreadsDoNotHoldEachOther) {
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 5; ++i) {
                const std::string word = std::to_string(t) + "." + std::to_string(i);
                good += run(command({"echo", word})).out == word + "\n";
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 40);
}

TEST(ProcessIdentity, RoundTripsThroughJson) {
    const ProcessIdentity identity{123, 456, "b-1", "t\"1"};
    EXPECT_EQ(decode_identity(encode_identity(identity)).value(), identity);
    for (const char* text : {"", "{}", "[]", "{\"boot_id\":\"b\",\"group\":1,\"start\":1,\"token\":\"t\"}",
                             "{\"boot_id\":\"b\",\"group\":-5,\"start\":1,\"token\":\"t\"}",
                             "{\"boot_id\":\"b\",\"group\":5,\"start\":1,\"token\":\"\"}"}) {
        EXPECT_EQ(decode_identity(text).error().code, Errc::bad_input) << text;
    }
}

// With its output elsewhere: `tail` leaves by itself when the pipe to its worker breaks.
const std::string lives_on = "tail -f /dev/null >/dev/null 2>&1";

/// A tool whose worker died by SIGKILL: as a successor finds it.
struct Orphan {
    ProcessIdentity identity;
    TempDir dir;

    /// Leaves `child &` behind in the group, and `leader` as its leader: the worker dies once the child was started.
    explicit Orphan(const std::string& child, const std::string& leader = "true") {
        const std::string started = dir.path("started");
        EXPECT_EQ(::mkfifo(started.c_str(), 0600), 0);
        const std::string script = child + " & : > '" + started + "'; " + leader;
        int channel[2];
        EXPECT_EQ(::pipe(channel), 0);
        const pid_t worker = ::fork();
        if (worker == 0) {
            auto process = Process::start(shell(script));
            if (!process || !process->release()) ::_exit(1);
            if (::open(started.c_str(), O_RDONLY | O_CLOEXEC) < 0) ::_exit(1);  // opens when the script does
            const std::string text = encode_identity(process->identity());
            if (::write(channel[1], text.data(), text.size()) < 0) ::_exit(1);
            ::raise(SIGKILL);
        }
        ::close(channel[1]);
        std::string text(4096, '\0');
        const auto n = ::read(channel[0], text.data(), text.size());
        ::close(channel[0]);
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        identity = decode_identity(text).value();
        ::waitpid(worker, nullptr, 0);
    }
};

TEST(ProcessIdentity, ASurvivorOfADeadWorkerIsKilledAndGone) {
    Orphan orphan(lives_on, lives_on);
    EXPECT_TRUE(group_is_alive(orphan.identity.group));
    EXPECT_EQ(kill_if_same(orphan.identity).value(), KillResult::killed);
    EXPECT_FALSE(group_is_alive(orphan.identity.group));
    EXPECT_EQ(kill_if_same(orphan.identity).value(), KillResult::gone) << "repeating is harmless";
}

TEST(ProcessIdentity, MembersThatOutliveTheirLeaderAreKilledByTheirToken) {
    Orphan orphan(lives_on);
    ASSERT_TRUE(ends(static_cast<pid_t>(orphan.identity.group)));
    EXPECT_EQ(kill_if_same(orphan.identity).value(), KillResult::killed);
    EXPECT_FALSE(group_is_alive(orphan.identity.group));
}

TEST(ProcessIdentity, AnotherProcessWithTheSameNumberIsLeftAlone) {
    auto process = Process::start(shell("exec tail -f /dev/null"));
    ASSERT_TRUE(process);
    ASSERT_TRUE(process->release());
    const auto pid = static_cast<pid_t>(process->identity().group);
    ProcessIdentity older = process->identity();
    older.start_ticks -= 1;
    older.token = "another token";
    EXPECT_EQ(kill_if_same(older).value(), KillResult::gone);
    ProcessIdentity other_boot = process->identity();
    other_boot.boot_id = "another boot";
    EXPECT_EQ(kill_if_same(other_boot).value(), KillResult::gone);
    EXPECT_TRUE(lives(pid));
    EXPECT_EQ(kill_if_same(ProcessIdentity{1, 0, "", ""}).error().code, Errc::bad_input);
    EXPECT_EQ(kill_if_same(process->identity()).value(), KillResult::killed);
    EXPECT_FALSE(lives(pid));
}

/// What `f` says in a process of another user, who may not signal ours.
bool holds_as_nobody(const std::function<bool()>& f) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setgid(65'534) == 0 && ::setuid(65'534) == 0 && f() ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ProcessIdentity, OfManyThoseThatDieAreEndedAlthoughOneDoesNot) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const Orphan ours(lives_on, lives_on);
    EXPECT_TRUE(holds_as_nobody([&] {
        const Orphan theirs(lives_on, lives_on), other(lives_on, lives_on);
        const std::vector<ProcessIdentity> all{theirs.identity, ours.identity, other.identity};
        const auto ended = kill_all_same(all, 50ms);
        return ended[0].has_value() && ended[2].has_value() && ended[1].has_error() &&
               ended[1].error().code == Errc::timed_out && !group_is_alive(theirs.identity.group) &&
               !group_is_alive(other.identity.group);
    }));
    EXPECT_TRUE(group_is_alive(ours.identity.group));
    EXPECT_TRUE(holds_as_nobody([&] {
        const Orphan theirs(lives_on, lives_on);
        end_recorded_processes({encode_identity(ours.identity), "{}", encode_identity(theirs.identity)}, 50ms);
        return !group_is_alive(theirs.identity.group);
    })) << "an opening of the store goes on";
    EXPECT_EQ(kill_if_same(ours.identity).value(), KillResult::killed);
}

}  // namespace
}  // namespace pawl::agent
