#include "cli/operate.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::string task;
    std::optional<std::string> step, comment, request_id;
};

Verb answer_verb(const char* name, const char* help) {
    const auto declare = [name](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .positional("STEP", options->step, "path of the approval; not needed when only one is open")
            .option("--comment", "TEXT", options->comment, "for the task and its journal")
            .option("--request-id", "ID", options->request_id, "the same id again changes nothing more");
        return [options, name](Console& console) {
            server::JsonText body;
            body.open();
            if (options->step) body.field("step", *options->step);
            if (options->comment) body.field("comment", *options->comment);
            return operate(console, name, options->task, std::move(body), options->request_id);
        };
    };
    return {name, help, declare};
}

}  // namespace

Verb approve_verb() { return answer_verb("approve", "say yes to what a task asks"); }
Verb deny_verb() { return answer_verb("deny", "say no to what a task asks"); }

}  // namespace pawl::cli
