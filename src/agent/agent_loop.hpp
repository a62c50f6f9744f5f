// The agent loop: a workflow like any other. Model call, tool calls, results, and again, until an answer.
#pragma once

#include "agent/chat.hpp"
#include "agent/command_tool.hpp"
#include "runtime/registry.hpp"

#include <pawl/workflow.hpp>

#include <functional>
#include <map>
#include <string>

namespace pawl::agent {

/// A tool that is C++ code of the program: gets the arguments as JSON, gives the result's text.
using ToolFunction = std::function<std::string(const std::string& arguments, const Attempt& attempt)>;
struct FunctionTool {
    ToolFunction call;
    OnUnknown on_unknown{OnUnknown::Policy::report};
};
using FunctionTools = std::map<std::string, FunctionTool>;

/// Runs the agent that the task's recorded definition describes, on the prompt in `input`. `functions` outlives the
/// task; null for agents whose tools are commands.
Workflow<std::string> agent_loop(Context& ctx, std::string input, const FunctionTools* functions);

/// The type `agent`: its tasks bring their definition.
void add_agent_type(runtime::Registry& registry);

}  // namespace pawl::agent
