#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {
namespace {

std::string line(std::string_view name, std::string_view value) {
    constexpr std::size_t name_columns = 14;
    std::string out(name);
    out.append(name_columns - std::min(name_columns - 1, name.size()), ' ');
    return out + terminal_text(value) + "\n";
}

int get(Console& console, const std::string& task) {
    const auto response = console.ask(Access::read, Console::get("/v1/tasks/" + task));
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
        return exit_code::ok;
    }
    const Answer answer(*response);
    std::string out = line("id", answer.text("id")) + line("type", answer.text("type"));
    const std::string reason = answer.text("reason");
    out += line("state", answer.text("state") + (reason == "none" ? "" : " (" + reason + ")"));
    for (const char* name : {"queue", "priority", "key", "flow_key", "created_at", "updated_at", "due_at", "expires_at",
                             "deadline", "version", "max_attempts", "crash_count", "ending"}) {
        if (answer.has(name)) out += line(name, answer.text(name));
    }
    std::string tags;
    for (const std::string& tag : answer.texts("tags")) tags += (tags.empty() ? "" : ", ") + tag;
    if (!tags.empty()) out += line("tags", tags);
    if (answer.has("progress")) {
        const Answer progress = answer.object("progress");
        out += line("progress",
                    progress.text("done") + (progress.text("text").empty() ? "" : "  ") + progress.text("text"));
    }
    if (const std::string values = raw_member(*response, "values"); values.size() > 2)
        out += line("values", terminal_json(values));
    for (const char* name : {"input", "output"}) {
        if (answer.has(name)) out += line(name, terminal_json(raw_member(*response, name)));
    }
    if (answer.has("error")) out += line("error", answer.object("error").text("message"));
    console.out(out);
    return exit_code::ok;
}

}  // namespace

Verb get_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto task = std::make_shared<std::string>();
        arguments.required("TASK", *task, "id of the task, or a unique part of it");
        return [task](Console& console) { return get(console, *task); };
    };
    return {"get", "show one task", declare};
}

}  // namespace pawl::cli
