// The child's side of a tool process, between fork and exec.
#pragma once

#include <cstdint>

namespace pawl::agent {

/// All the child needs, made before the fork: after it, in a process that had threads, only async-signal-safe calls
/// are allowed, so nothing may allocate.
struct ChildPlan {
    const char* program = nullptr;
    char* const* argv = nullptr;
    char* const* environment = nullptr;
    const char* cwd = nullptr;                                                        ///< null = unchanged
    int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1, gate_fd = -1, status_fd = -1;  ///< all above 9
    std::uint64_t cpu_seconds_max = 0, memory_bytes_max = 0, open_files_max = 0;
};

/// What the child says on its status pipe: `ready` when it waits at the gate, else what failed.
struct ChildStatus {
    enum class Stage : std::int32_t { ready = 0, setup = 1, folder = 2, exec = 3 };
    Stage stage = Stage::ready;
    std::int32_t error = 0;  ///< errno
};

[[noreturn]] void run_child(const ChildPlan& plan);

}  // namespace pawl::agent
