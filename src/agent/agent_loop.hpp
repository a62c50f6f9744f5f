// The agent loop: a workflow like any other. Model call, tool calls, results, and again, until an answer.
#pragma once

#include "agent/tool_call.hpp"
#include "runtime/registry.hpp"

#include <pawl/workflow.hpp>

#include <string>
#include <string_view>

namespace pawl::agent {

/// Runs the agent that the task's recorded definition describes, on the prompt in `input`. `functions` outlives the
/// task; null for agents whose tools are commands.
Workflow<std::string> agent_loop(Context& ctx, std::string input, const FunctionTools* functions);

inline constexpr std::string_view agent_type_name = "agent";

/// The type `agent`: its tasks bring their definition.
void add_agent_type(runtime::Registry& registry);

}  // namespace pawl::agent
