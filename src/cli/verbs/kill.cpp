#include "cli/operate.hpp"
#include "cli/verbs.hpp"

#include <memory>

namespace pawl::cli {

Verb kill_verb() {
    return {"kill", "end a task at once, without compensations", [](Arguments& arguments) -> Action {
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
                    return operate(console, "kill", options->task, std::move(body), options->request_id);
                };
            }};
}

}  // namespace pawl::cli
