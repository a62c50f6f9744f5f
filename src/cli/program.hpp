// What a Program holds, for the verbs that run its types.
#pragma once

#include "runtime/registry.hpp"

namespace pawl::detail {

struct ProgramImpl {
    runtime::Registry registry;
};

}  // namespace pawl::detail

namespace pawl::cli {

/// The types that every program serves: echo, sleep, command, agent.
void add_builtin_types(runtime::Registry& registry);

}  // namespace pawl::cli
