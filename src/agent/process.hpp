// Command tools: one child process in a group of its own, held before its program starts until its intent is
// recorded (docs/guides/agents.md).
#pragma once

#include "agent/process_identity.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pawl::agent {

struct ProcessSpec {
    std::vector<std::string> argv;  ///< program and arguments; never seen by a shell. Looked up in PATH without '/'
    /// Added to PATH, HOME, LANG and TZ of this process: nothing else of its environment is handed on.
    std::vector<std::pair<std::string, std::string>> environment;
    std::string cwd;                       ///< empty = ours
    std::string stdin_text;                ///< whole standard input
    std::size_t stdout_max = 1024 * 1024;  ///< the rest is read and dropped
    std::size_t stderr_max = 64 * 1024;
    std::uint64_t cpu_seconds_max = 0;   ///< 0 = no limit
    std::uint64_t memory_bytes_max = 0;  ///< address space; 0 = no limit
    std::uint64_t open_files_max = 1'024;
};

struct ProcessOutcome {
    enum class End : std::uint8_t {
        exited,     ///< by itself; see exit_code
        signalled,  ///< by a signal that was not ours
        timed_out,  ///< we ended it: the deadline passed
        stopped,    ///< we ended it: asked to stop
        lost,       ///< somebody else took its exit status
    };
    End end = End::exited;
    int exit_code = 0;  ///< of `exited`
    int signal = 0;     ///< of `signalled`
    std::string out, err;
    bool out_cut = false, err_cut = false;

    /// "exited with 3", "ended by signal 9 (Killed)", "ended at its time limit" ...
    std::string describe() const;
};

struct WaitLimits {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    int stop_fd = -1;                              ///< ends the process when readable (an eventfd); not owned
    core::Micros grace{std::chrono::seconds(10)};  ///< between SIGTERM and SIGKILL
};

/// A started tool. One thread at a time.
///
/// Until `release` its program has not begun: the child waits on a socket of ours and exits without executing
/// anything when we die or destroy it. After the end, and in the destructor, everything that is left of its group,
/// and what left the group but carries its token, is killed.
class Process {
public:
    /// Makes the child and everything it needs; returns when it is held at the gate. Blocks for about a millisecond;
    /// longer, within `limits`, where entering its folder does (a file server that is gone).
    ///
    /// Errors, nothing happened: `bad_input` (no argv, NUL bytes, a bad or forbidden variable), `not_found` (program
    /// or folder), `refused` (system limits), `timed_out` and `stopping` (by `limits`).
    static Result<Process> start(const ProcessSpec& spec, const WaitLimits& limits = {});

    Process(Process&&) noexcept;
    Process& operator=(Process&&) noexcept;
    ~Process();

    const ProcessIdentity& identity() const;

    /// Lets the program begin. Errors: `refused` when the system could not execute it: nothing happened; `timed_out`
    /// and `stopping` by `limits`: whether it began is not known, and it is killed with this object.
    Result<void> release(const WaitLimits& limits = {});

    /// Waits for its end. Requires: released, and not waited for before.
    ProcessOutcome wait(const WaitLimits& limits);

private:
    struct Impl;
    explicit Process(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::agent
