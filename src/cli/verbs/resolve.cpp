#include "cli/input_text.hpp"
#include "cli/operate.hpp"
#include "cli/verbs.hpp"
#include "core/limits.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::string task;
    std::optional<std::string> step, result, request_id;
    bool happened = false, not_happened = false, fail = false;
};

int resolve(Console& console, const Options& options) {
    if (options.happened + options.not_happened + options.fail != 1) {
        return console.fail({Errc::bad_input, "say what became of the step: one of --happened, --not-happened, --fail"},
                            "`pawl why " + options.task + "` names the step");
    }
    server::JsonText body;
    body.open();
    if (options.step) body.field("step", *options.step);
    body.field("outcome", options.happened ? "happened" : options.not_happened ? "not_happened" : "fail");
    if (options.result) {
        const auto result = read_input(*options.result, core::limits::result_bytes_max);
        if (!result) return console.fail(result.error(), {});
        if (!server::is_json(*result)) {
            return console.fail({Errc::bad_input, "--result is not valid JSON; a text goes in quotes: '\"done\"'"});
        }
        body.raw_field("result", *result);
    }
    return operate(console, "resolve", options.task, std::move(body), options.request_id);
}

}  // namespace

Verb resolve_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.required("TASK", options->task, "id of the task, or a unique part of it")
            .positional("STEP", options->step, "path of the step; not needed when only one is unknown")
            .flag("--happened", options->happened, "it happened: the step is completed")
            .flag("--not-happened", options->not_happened, "it did not happen: its attempts go on")
            .flag("--fail", options->fail, "the step counts as failed")
            .option("--result", "JSON", options->result, "result of a step that happened; @FILE, or - for stdin")
            .option("--request-id", "ID", options->request_id, "the same id again changes nothing more");
        return [options](Console& console) { return resolve(console, *options); };
    };
    return {"resolve", "say what became of a step whose outcome is unknown", declare};
}

}  // namespace pawl::cli
