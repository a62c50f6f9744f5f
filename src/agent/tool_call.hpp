// The tool calls of one turn: each a journaled step, and each with exactly one message for the model.
#pragma once

#include "agent/chat.hpp"
#include "agent/command_tool.hpp"

#include <pawl/workflow.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pawl::agent {

/// A tool that is C++ code of the program; its definition has kind "function" and the same name.
struct FunctionTool {
    /// Throws JsonError when the arguments do not fit: "/keep_days: expected integer".
    std::function<void(const std::string& arguments)> fits;
    std::function<std::string(const std::string& arguments, const Attempt& attempt)> call;
    /// Of an outcome that is unknown: the result when it happened, nothing when not. May be empty.
    std::function<std::optional<std::string>(const std::string& arguments, const Attempt& attempt)> check;
    std::optional<Retry> retry;
};
using FunctionTools = std::map<std::string, FunctionTool>;

/// Carries out all calls, those of a turn that may run side by side at once, and gives their messages in order. What
/// cannot be carried out gets a message that says why. `functions` outlives the task; null when there are none.
Workflow<std::vector<Message>> call_tools(Context& ctx, std::shared_ptr<const AgentDefinition> agent,
                                          std::vector<ToolCall> calls, const FunctionTools* functions);

}  // namespace pawl::agent
