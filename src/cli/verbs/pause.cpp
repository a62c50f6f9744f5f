#include "cli/operate.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {

Verb pause_verb() {
    struct Options {
        std::string task;
        std::optional<std::string> reason, request_id;
    };
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .option("--reason", "TEXT", options->reason, "why, for `pawl why`")
            .option("--request-id", "ID", options->request_id, "the same id again changes nothing more");
        return [options](Console& console) {
            server::JsonText body;
            body.open();
            if (options->reason) body.field("reason", *options->reason);
            return operate(console, "pause", options->task, std::move(body), options->request_id);
        };
    };
    return {"pause", "let running steps end, then start no new one until resume", declare};
}

}  // namespace pawl::cli
