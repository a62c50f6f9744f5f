// What a Program holds, for the verbs that run its types.
#pragma once

#include "runtime/registry.hpp"

#include <memory>

namespace pawl::detail {

/// Shared: a function that ignores its stop may outlive its worker, and the program that it belongs to.
struct ProgramImpl : std::enable_shared_from_this<ProgramImpl> {
    runtime::Registry registry;
};

}  // namespace pawl::detail

namespace pawl::cli {

/// The types that every program serves: echo, sleep, command, agent.
void add_builtin_types(runtime::Registry& registry);

}  // namespace pawl::cli
