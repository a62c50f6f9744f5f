#include "cli/way_on.hpp"

#include "core/command.hpp"

#include <pawl/task.hpp>

namespace pawl::cli {
namespace {

std::string of_person(const std::string& id, const std::string& reason, const std::string& text) {
    const std::string why = "`pawl why " + id + "`";
    if (reason == "outcome_unknown")
        return "`pawl resolve " + id + " --happened`, or --not-happened, or --fail; " + why + " names the step";
    if (reason == "budget" && core::is_journal_full({.message = text}))
        return "`pawl cancel " + id +
               "`, and submit the work anew as smaller tasks, or with steps that return references: no task's journal "
               "holds more";
    if (reason == "budget")
        return "`pawl cancel " + id + "`, and submit it anew with a higher limit: no verb raises the limits of a task";
    if (reason == "poison" || reason == "diverged")
        return "mend its code first, then `pawl resume " + id + "`; " + why + " says more";
    return "`pawl resume " + id + "`; " + why + " says what it waits for";
}

}  // namespace

std::string way_on(const Answer& result, bool nobody_works) {
    const std::string id = result.text("id");
    const auto state = task_state_from_string(result.text("state"));
    if (state == TaskState::completed) return {};
    if (result.flag("needs_person"))
        return "try: " + of_person(id, result.text("reason"), result.object("error").text("message"));
    if (state && is_final(*state)) {
        if (result.object("error").text("code") == "bad_input")
            return "try: submit it again with an input that fits; a retry would fail in the same way";
        return "try: `pawl why " + id + "`, then `pawl retry " + id + "`";
    }
    if (nobody_works) return "no worker works this file; try: `pawl worker`, and `pawl why " + id + "` for more";
    return "the task goes on; try: `pawl result --wait " + id + "`";
}

}  // namespace pawl::cli
