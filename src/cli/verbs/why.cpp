#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {
namespace {

int why(Console& console, const std::string& task) {
    console.about(task);
    const auto response = console.ask(Access::read, Console::get("/v1/tasks/" + task + "/why"));
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
        return exit_code::ok;
    }
    const Answer answer(*response);
    std::string out = terminal_text(answer.text("id")) + " is " + terminal_text(answer.text("state")) + ": " +
                      terminal_text(answer.text("text")) + "\n";
    out += "reason: " + terminal_text(answer.text("reason")) + "\n";
    if (answer.has("until")) out += "until:  " + terminal_text(answer.text("until")) + "\n";
    std::string lead = "try:    ";
    for (const std::string& next : answer.texts("next")) {
        out += lead + console.pasteable(terminal_text(next)) + "\n";
        lead = "        ";
    }
    console.out(out);
    return exit_code::ok;
}

}  // namespace

Verb why_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto task = std::make_shared<std::string>();
        arguments.required("TASK", *task, "id of the task, or a unique part of it");
        return [task](Console& console) { return why(console, *task); };
    };
    return {"why", "one reason why a task is where it is, and what to do", declare};
}

}  // namespace pawl::cli
