#include "cli/answer.hpp"
#include "cli/follow.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"
#include "cli/way_on.hpp"
#include "core/duration.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::string task;
    std::optional<std::string> timeout;
    bool wait = false, through = false;
};

// What stands on stderr of a task that has no result (yet), with the verb that helps.
void explain(const Console& console, const Answer& answer, bool nobody_works) {
    const std::string id = answer.text("id"), state = answer.text("state"), reason = answer.text("reason");
    std::string line = "pawl: task " + id + " is " + state;
    if (reason != "none") line += " (" + reason + ")";
    if (answer.has("error")) line += ": " + answer.object("error").text("message");
    console.note(terminal_text(line));

    console.note("  " + console.pasteable(terminal_text(way_on(answer, nobody_works))));
}

// `waits_through`: what a person has to do ends no wait.
int show(Console& console, const server::Response& response, bool waits_through) {
    const Answer answer(response);
    const auto state = task_state_from_string(answer.text("state"));
    if (console.json()) {
        console.out_json(response.body);
    } else if (state == TaskState::completed) {
        console.out(terminal_json(raw_member(response, "output")) + "\n");
    }
    if (!state) return exit_code::store;
    if (*state != TaskState::completed && !console.json())
        explain(console, answer, console.connection().nobody_works());
    return exit_of(*state, answer.flag("needs_person") && !waits_through);
}

int result(Console& console, const Options& options) {
    console.about(options.task);
    std::optional<core::Micros> limit;
    if (options.timeout) {
        const auto length = core::parse_duration(*options.timeout);
        if (!length) return console.fail({length.error().code, "--timeout: " + length.error().message});
        limit = *length;
    }
    if (!options.wait) limit = core::Micros{0};
    Follow follow(console, limit);
    server::Request request = Console::get("/v1/tasks/" + options.task + "/result");
    if (options.through) request.query.emplace_back("through", "true");
    for (;;) {
        const auto response = follow.ask(request);
        if (!response) return console.fail(response.error());
        const Answer answer(*response);
        const bool done = answer.flag("final") || (answer.flag("needs_person") && !options.through);
        if (done || !follow.go_on()) return show(console, *response, options.wait && options.through);
    }
}

}  // namespace

Verb result_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .flag("--wait", options->wait, "until it is final, or only a person can move it on")
            .option("--timeout", "D", options->timeout, "with --wait: at most this long (30s, 5min), then exit 6")
            .flag("--wait-through", options->through, "with --wait: also while it is paused or waits for a person");
        return [options](Console& console) { return result(console, *options); };
    };
    return {"result", "print the result of a task", declare};
}

}  // namespace pawl::cli
