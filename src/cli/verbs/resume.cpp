#include "cli/targets.hpp"

namespace pawl::cli {

Verb resume_verb() {
    return {"resume", "let a paused task go on", [](Arguments& arguments) -> Action {
                auto targets = std::make_shared<Targets>();
                declare_targets(arguments, *targets);
                return [targets](Console& console) { return operate_on(console, "resume", *targets); };
            }};
}

}  // namespace pawl::cli
