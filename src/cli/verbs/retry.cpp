#include "cli/operate.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {

Verb retry_verb() {
    struct Options {
        std::string task;
        std::optional<std::string> deadline, request_id;
    };
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .option("--deadline", "D", options->deadline, "a new length, for example 5min; else the first one again")
            .option("--request-id", "ID", options->request_id, "the same id again changes nothing more");
        return [options](Console& console) {
            server::JsonText body;
            body.open();
            if (options->deadline) body.field("deadline", *options->deadline);
            return operate(console, "retry", options->task, std::move(body), options->request_id);
        };
    };
    return {"retry", "open a failed or cancelled task again; completed steps stay", declare};
}

}  // namespace pawl::cli
