#include "cli/targets.hpp"

namespace pawl::cli {

Verb kill_verb() {
    return {"kill", "end a task at once, without compensations", [](Arguments& arguments) -> Action {
                auto targets = std::make_shared<Targets>();
                declare_targets(arguments, *targets);
                return [targets](Console& console) { return operate_on(console, "kill", *targets); };
            }};
}

}  // namespace pawl::cli
