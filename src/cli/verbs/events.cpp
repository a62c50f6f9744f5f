#include "cli/answer.hpp"
#include "cli/entry_text.hpp"
#include "cli/follow.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"
#include "server/body.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::optional<std::string> task, after;
    bool follow = false;
};

// Shows what an answer brought. With --json each entry is one line as the API gave it.
void show(const Console& console, const server::Response& response, const char* list) {
    if (!console.json()) {
        std::string lines;
        for (const Answer& entry : Answer(response).objects(list)) lines += entry_text(entry);
        console.out(lines);
        return;
    }
    const std::string raw = raw_member(response, list);
    const auto entries = server::split_array(raw);
    for (const std::string_view entry : entries ? *entries : std::vector<std::string_view>{}) console.out_json(entry);
}

bool is_over(const Answer& answer) {
    const auto state = task_state_from_string(answer.text("state"));
    return state && is_final(*state);
}

int events(Console& console, const Options& options) {
    const bool of_task = options.task.has_value();
    console.about(options.task.value_or(""));
    const char* list = of_task ? "entries" : "events";
    std::optional<core::Micros> limit;
    if (!options.follow) limit = core::Micros{0};
    Follow follow(console, limit);
    std::string after = options.after.value_or("0");
    for (;;) {
        server::Request request = Console::get(of_task ? "/v1/tasks/" + *options.task + "/journal" : "/v1/events");
        request.query.emplace_back("after", after);
        const auto response = follow.ask(request);
        if (!response) return console.fail(response.error());
        show(console, *response, list);
        if (console.output_lost()) return exit_code::ok;
        const Answer answer(*response);
        const bool news = answer.text("next_after") != after;
        after = answer.text("next_after");
        if (news) continue;  // there may be more on the next page
        if (of_task && is_over(answer)) return exit_code::ok;
        if (!follow.go_on()) return exit_code::ok;
    }
}

}  // namespace

Verb events_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.positional("TASK", options->task, "only this task, until it is final; else all tasks")
            .flag("-f,--follow", options->follow, "go on as things happen")
            .option("--after", "CURSOR", options->after, "only what came after this entry");
        return [options](Console& console) { return events(console, *options); };
    };
    return {"events", "show the journal of a task, or the feed of all", declare};
}

}  // namespace pawl::cli
