// The verbs that work a file in this process, with the types of a program.
#pragma once

#include "cli/arguments.hpp"
#include "runtime/registry.hpp"

#include <vector>

namespace pawl::cli {

Verb worker_verb(runtime::Registry& registry);
Verb run_verb(runtime::Registry& registry);
Verb demo_verb(runtime::Registry& registry);
/// Called by the agent of the demonstration.
Verb demo_tool_verb();

/// All of them, in the order of the help. `registry` must outlive them.
std::vector<Verb> engine_verbs(runtime::Registry& registry);

}  // namespace pawl::cli
