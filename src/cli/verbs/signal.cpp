#include "cli/input_text.hpp"
#include "cli/operate.hpp"
#include "cli/verbs.hpp"
#include "core/limits.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::string task, name;
    std::optional<std::string> value, request_id;
};

int signal(Console& console, const Options& options) {
    server::JsonText body;
    body.open().field("name", options.name);
    if (options.value) {
        const auto value = read_input(*options.value, core::limits::signal_bytes_max);
        if (!value) return console.fail(value.error(), {});
        if (!server::is_json(*value))
            return console.fail({Errc::bad_input, "the value is not valid JSON; a text goes in quotes: '\"yes\"'"});
        body.raw_field("value", *value);
    }
    return operate(console, "signal", options.task, std::move(body), options.request_id);
}

}  // namespace

Verb signal_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .required("NAME", options->name, "what the task waits for, or will wait for")
            .positional("JSON", options->value, "the value; @FILE, or - for stdin; default null")
            .option("--request-id", "ID", options->request_id, "the same id again sends nothing more");
        return [options](Console& console) { return signal(console, *options); };
    };
    return {"signal", "send a task a named message", declare};
}

}  // namespace pawl::cli
