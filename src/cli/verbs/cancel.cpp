#include "cli/operate.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {

Verb cancel_verb() {
    return {"cancel", "end a task in order: running steps are told to stop, compensations run",
            [](Arguments& arguments) -> Action {
                struct Options {
                    std::string task;
                    std::optional<std::string> request_id;
                };
                auto options = std::make_shared<Options>();
                arguments.required("TASK", options->task, "id of the task, or a unique part of it")
                    .option("--request-id", "ID", options->request_id, "the same id again changes nothing more");
                return [options](Console& console) {
                    server::JsonText body;
                    body.open();
                    return operate(console, "cancel", options->task, std::move(body), options->request_id);
                };
            }};
}

}  // namespace pawl::cli
