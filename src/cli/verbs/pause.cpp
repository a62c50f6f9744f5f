#include "cli/targets.hpp"

namespace pawl::cli {

Verb pause_verb() {
    struct Options {
        Targets targets;
        std::optional<std::string> reason;
    };
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        declare_targets(arguments, options->targets);
        arguments.option("--reason", "TEXT", options->reason, "why, for `pawl why`");
        return [options](Console& console) {
            return operate_on(console, "pause", options->targets, {"reason", options->reason});
        };
    };
    return {"pause", "let running steps end, then start no new one until resume", declare};
}

}  // namespace pawl::cli
