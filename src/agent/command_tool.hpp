// Tools that are commands, run as one attempt of a step.
#pragma once

#include "agent/definition.hpp"
#include "agent/process_identity.hpp"

#include <pawl/step.hpp>

#include <optional>
#include <string>

namespace pawl::agent {

/// What the model gets for its call.
struct ToolResult {
    std::string content;
    bool error = false;
};
void tag_invoke(to_json_t, JsonOut& out, const ToolResult& result);
/// Also of a text, which is the content: what a person gives who says that it happened.
ToolResult tag_invoke(from_json_t<ToolResult>, const JsonIn& in);

/// Runs the tool's command with these arguments (a JSON object) and waits for its end. For the blocking pool.
///
/// The process is made first and held at a gate; its identity is recorded; then it begins. Arguments come in argv
/// (agent/placeholder.hpp), and whole on stdin. An exit code other than 0 is a result (`error`).
/// Throws StepError: retryable when nothing happened, unknown_outcome when a tool with an effect was cut.
ToolResult run_command_tool(const ToolDefinition& tool, const std::string& arguments, const Attempt& attempt);

/// What a command came to, for the type `command`.
struct CommandOutput {
    int exit_code = 0;
    std::string stdout_text, stderr_text;
};
void tag_invoke(to_json_t, JsonOut& out, const CommandOutput& output);
CommandOutput tag_invoke(from_json_t<CommandOutput>, const JsonIn& in);

/// The same for any argv and standard input; `tool` gives effect, environment and folder. An exit by a signal counts
/// as exit code 128 + signal.
CommandOutput run_argv(const ToolDefinition& tool, const std::vector<std::string>& argv, const std::string& stdin_text,
                       const Attempt& attempt);

/// Asks the tool's check: a result when it happened, nothing when it did not; throws unknown_outcome otherwise.
std::optional<ToolResult> run_check(const ToolDefinition& tool, const std::string& arguments, const Attempt& attempt);

/// Ends what is left of a process that a former worker recorded. For StepOptions::recover. Throws unknown_outcome when
/// something of it does not die.
void end_recorded_process(const std::string& identity);
/// The same for all that a dead worker left, when a store is opened: within `limit` for all together. What does not die
/// is logged and left: its step's intent stays open, so that whoever claims the task meets it again by `recover`.
/// Throws nothing.
void end_recorded_processes(const std::vector<std::string>& identities, core::Micros limit = kill_limit);

}  // namespace pawl::agent
