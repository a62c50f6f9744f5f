#include "cli/targets.hpp"

namespace pawl::cli {

Verb cancel_verb() {
    return {"cancel", "end a task in order: running steps are told to stop, compensations run",
            [](Arguments& arguments) -> Action {
                auto targets = std::make_shared<Targets>();
                declare_targets(arguments, *targets);
                return [targets](Console& console) { return operate_on(console, "cancel", *targets); };
            }};
}

}  // namespace pawl::cli
