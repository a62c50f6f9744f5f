#include "cli/targets.hpp"

namespace pawl::cli {

Verb retry_verb() {
    struct Options {
        Targets targets;
        std::optional<std::string> deadline;
    };
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        declare_targets(arguments, options->targets);
        arguments.option("--deadline", "D", options->deadline,
                         "a new length, for example 5min; else the first one again");
        return [options](Console& console) {
            return operate_on(console, "retry", options->targets, {"deadline", options->deadline});
        };
    };
    return {"retry", "open a failed or cancelled task again; completed steps stay", declare};
}

}  // namespace pawl::cli
