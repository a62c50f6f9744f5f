// Kills a program with SIGKILL at one of its calls that change files: for tests of what a crash leaves behind.
//
// Like `strace -f -e inject=CALL:signal=SIGKILL:when=N`, but over all calls and all threads in one count. strace counts
// for each call and each thread alone: what a later thread does in its first N calls would never be reached.
#pragma once

#include "support/process.hpp"

#include <string>
#include <vector>

namespace pawl::test {

/// One storage call: what changes a file, its size, its name or its folder, or flushes it.
struct StorageCall {
    int number = 0;      ///< 1 for the first
    std::string name{};  ///< "pwrite64"
    std::string file{};  ///< below the watched folder
};

struct StorageRun {
    ProcessResult process{};
    std::vector<StorageCall> calls{};  ///< up to the kill
    bool was_killed = false;

    /// "before pwrite64 of pawl.db-wal (12)", for messages.
    std::string where;
};

/// Where to kill: the entry of the call (it does not happen) or its exit (it did, and nobody knows yet).
struct KillPoint {
    int call = 0;  ///< 0 = nowhere
    bool is_after = false;

    /// Both points of each call, one after the other: 0 = before the first call.
    static KillPoint nth(int n) { return {n / 2 + 1, n % 2 == 1}; }
};

/// False where the machine forbids tracing (a container without ptrace); says why in `reason`.
bool can_trace(std::string& reason);

/// Runs `argv` until its end or the kill, and counts its storage calls on files below `folder`. The program must not
/// start others. Its output must fit into a pipe (64 kB).
StorageRun run_killed(const std::vector<std::string>& argv, const std::string& folder, KillPoint point,
                      const Surroundings& surroundings = {});

}  // namespace pawl::test
