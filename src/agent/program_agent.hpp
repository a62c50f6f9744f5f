// Agents that a program defines in C++.
#pragma once

#include "runtime/registry.hpp"

#include <pawl/agent.hpp>
#include <pawl/result.hpp>

namespace pawl::agent {

/// Registers the agent as a type of its name. Errors: bad_input, naming what does not fit.
Result<detail::RegisteredType*> add_program_agent(runtime::Registry& registry, const detail::AgentParts& parts);

}  // namespace pawl::agent
