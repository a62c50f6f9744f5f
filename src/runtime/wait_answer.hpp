// How a task stands, as the answer to who waits for its result.
#pragma once

#include <pawl/result.hpp>
#include <pawl/task.hpp>

#include <string>
#include <string_view>

namespace pawl::runtime {

/// `output` when it is completed. Else an error: task_failed, task_cancelled, task_paused, or timed_out while it goes
/// on. `problem`: the task's own error message, may be empty.
Result<std::string> wait_answer(const std::string& id, TaskStatus status, std::string output,
                                const std::string& problem);

}  // namespace pawl::runtime
