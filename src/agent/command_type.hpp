// The type `command`: one command as a task, for durable work without code.
#pragma once

#include "runtime/registry.hpp"

namespace pawl::agent {

/// Input: {"argv": ["program", "argument"], "stdin": "", "timeout": "60s", "effect": "once"}; all but argv optional.
/// Output: {"exit_code", "stdout", "stderr"}. An exit code other than 0 fails the task.
void add_command_type(runtime::Registry& registry);

}  // namespace pawl::agent
