#include "runtime/wait_answer.hpp"

namespace pawl::runtime {

Result<std::string> wait_answer(const std::string& id, TaskStatus status, std::string output,
                                const std::string& problem) {
    const std::string reason = " (" + std::string(to_string(status.reason)) + ")";
    const std::string why = problem.empty() ? "" : ": " + problem;
    switch (status.state) {
        case TaskState::completed:
            return output;
        case TaskState::failed:
            return Error{Errc::task_failed, "task " + id + " failed" + reason + why};
        case TaskState::cancelled:
            return Error{Errc::task_cancelled, "task " + id + " was cancelled" + reason};
        case TaskState::paused:
            return Error{Errc::task_paused,
                         "task " + id + " is paused" + reason + why + "; it waits for a person: pawl why " + id};
        default:
            return Error{Errc::timed_out, "task " + id + " is " + std::string(to_string(status.state)) +
                                              " still; it goes on: wait again"};
    }
}

}  // namespace pawl::runtime
