#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/table.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::optional<std::string> state, type, queue, tag, key, cursor;
    std::optional<int> limit;
};

server::Request request_of(const Options& options) {
    server::Request request = Console::get("/v1/tasks");
    const auto add = [&](const char* name, const std::optional<std::string>& value) {
        if (value) request.query.emplace_back(name, *value);
    };
    add("state", options.state);
    add("type", options.type);
    add("queue", options.queue);
    add("tag", options.tag);
    add("key", options.key);
    add("cursor", options.cursor);
    if (options.limit) request.query.emplace_back("limit", std::to_string(*options.limit));
    return request;
}

int list(Console& console, const Options& options) {
    const auto response = console.ask(Access::read, request_of(options));
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_answer(*response, "tasks");
        return exit_code::ok;
    }
    constexpr std::size_t type_columns = 40;
    const Answer answer(*response);
    Table table({"ID", "STATE", "REASON", "TYPE", "QUEUE", "PRIORITY", "CREATED"});
    for (const Answer& task : answer.objects("tasks")) {
        const std::string reason = task.text("reason");
        table.add({task.text("id"), task.text("state"), reason == "none" ? "-" : reason,
                   cut_to_width(task.text("type"), type_columns), task.text("queue"), task.text("priority"),
                   task.text("created_at")});
    }
    console.out(table.str());
    if (answer.has("next_cursor")) console.note("more: --cursor " + answer.text("next_cursor"));
    return exit_code::ok;
}

}  // namespace

Verb list_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments
            .option("--state", "STATE,...", options->state,
                    "pending, running, waiting, paused, completed, failed, cancelled")
            .option("--type", "TYPE", options->type, "only this type")
            .option("--queue", "QUEUE", options->queue, "only this queue")
            .option("--tag", "TAG", options->tag, "only tasks with this tag")
            .option("--key", "KEY", options->key, "only the task of this idempotency key")
            .option("--limit", "N", options->limit, "1 to 1000, default 100")
            .option("--cursor", "CURSOR", options->cursor, "the next page, as the page before named it");
        return [options](Console& console) { return list(console, *options); };
    };
    return {"list", "show tasks, newest first", declare};
}

}  // namespace pawl::cli
