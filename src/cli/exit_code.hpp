// How a verb ends, for scripts. The numbers are stable.
//
// | code | meaning |
// |---|---|
// | 0 | done; the task completed |
// | 1 | the task failed (by its deadline too) |
// | 2 | usage, or refused input: nothing happened |
// | 3 | no such task, step or file |
// | 4 | not allowed |
// | 5 | the process that holds the file cannot be reached |
// | 6 | the verb's own wait ended; the task goes on |
// | 7 | the task was cancelled |
// | 8 | the task is paused or waits for a person; stderr names the verb to use |
// | 9 | the store refused: locked, damaged, newer, not writable, full; or the answer is without what lies on a shard |
// |   | that is away |
// | 10 | stdout could not be written: the answer is lost, what the verb does is done |
// | 130, 143 | the verb was ended by SIGINT, SIGTERM |
#pragma once

#include <pawl/result.hpp>
#include <pawl/task.hpp>

namespace pawl::cli {

namespace exit_code {
constexpr int ok = 0, task_failed = 1, usage = 2, not_found = 3, unauthorized = 4, unreachable = 5, timed_out = 6,
              task_cancelled = 7, needs_person = 8, store = 9, output = 10;
}

/// Of a verb that ended with this error.
int exit_of(Errc code);

/// Of a verb that reports how a task stands.
int exit_of(TaskState state, bool needs_person);

}  // namespace pawl::cli
