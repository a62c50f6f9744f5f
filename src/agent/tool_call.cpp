#include "agent/tool_call.hpp"

#include "agent/json_value.hpp"
#include "agent/model_call.hpp"
#include "agent/placeholder.hpp"
#include "agent/schema_check.hpp"
#include "agent/secret.hpp"
#include "core/canonical_json.hpp"
#include "core/shown.hpp"

#include <algorithm>

namespace pawl::agent {

namespace {

Message tool_message(const ToolCall& call, const std::string& content) {
    Message message;
    message.role = "tool";
    message.content = content;
    message.tool_call_id = call.id;
    return message;
}

const ToolDefinition* find_tool(const AgentDefinition& agent, const std::string& name) {
    const auto at = std::ranges::find(agent.tools, name, &ToolDefinition::name);
    return at == agent.tools.end() ? nullptr : &*at;
}

// The arguments as JSON text of an object, as the model wrote it, or why they cannot be used. Empty text is a call
// without arguments.
Result<std::string> arguments_of(const ToolCall& call) {
    const std::string text = call.arguments.empty() ? "{}" : call.arguments;
    boost::system::error_code error;
    const auto parsed = parse_value(text, error);
    if (error) return Error{Errc::bad_input, "the arguments are not JSON: " + error.message()};
    if (!parsed.is_object()) return Error{Errc::bad_input, "the arguments are not a JSON object"};
    // A key that stands twice is read as its last here, and perhaps as its first by the tool.
    if (auto plain = core::check_json(text, text.size()); !plain)
        return Error{Errc::bad_input, "the arguments cannot be used: " + plain.error().message};
    return text;
}

// A call that can be carried out, or why it cannot: in words for the model.
struct ReadyCall {
    const ToolDefinition* tool = nullptr;
    const FunctionTool* function = nullptr;
    std::string arguments;
};

Error no_such_tool(const AgentDefinition& agent, const std::string& name) {
    std::string text = "there is no tool " + core::shown(name);
    for (const ToolDefinition& tool : agent.tools)
        text += (&tool == &agent.tools.front() ? "; there are " : ", ") + tool.name;
    return {Errc::not_found, text};
}

Result<ReadyCall> make_ready(const AgentDefinition& agent, const ToolCall& call, const FunctionTools* functions) {
    ReadyCall ready;
    ready.tool = find_tool(agent, call.name);
    if (!ready.tool) return no_such_tool(agent, call.name);
    const ToolDefinition& tool = *ready.tool;
    if (tool.policy == "deny") return Error{Errc::refused, "the policy of this agent denies " + tool.name};
    if (tool.kind == "function") {
        const auto found = functions ? functions->find(tool.name) : FunctionTools::const_iterator{};
        if (!functions || found == functions->end())
            return Error{Errc::not_found, "this program has no function for " + tool.name};
        ready.function = &found->second;
    }
    auto arguments = arguments_of(call);
    if (!arguments) return arguments.error();
    ready.arguments = std::move(*arguments);
    try {
        if (ready.function) ready.function->fits(ready.arguments);
    } catch (const std::exception& e) {
        // JsonError, or what else the tool's own types throw at a model's data: the model is told, the task goes on.
        return Error{Errc::bad_input, std::string("the arguments do not fit the tool's schema: ") + e.what()};
    }
    if (auto fits = check_arguments(tool, ready.arguments); !fits) return fits.error();
    if (!ready.function)
        if (auto filled = fill_in(tool, tool.command, ready.arguments); !filled) return filled.error();
    return ready;
}

OnUnknown::Policy policy_of(const ToolDefinition& tool, bool has_check) {
    using Policy = OnUnknown::Policy;
    if (tool.on_unknown.empty()) return has_check ? Policy::verify : Policy::report;
    return tool.on_unknown == "pause"    ? Policy::pause
           : tool.on_unknown == "retry"  ? Policy::retry
           : tool.on_unknown == "fail"   ? Policy::fail
           : tool.on_unknown == "verify" ? Policy::verify
                                         : Policy::report;
}

// Nothing of what a tool says, in a result or an exception, shows the key: all of it is recorded.
template <class F>
auto without_key(const AgentDefinition& agent, F f) {
    const std::string key = api_key(agent);
    auto result = throws_no_secret(key, f);
    if constexpr (std::is_same_v<decltype(result), ToolResult>) {
        result.content = without_secret(result.content, key);
    } else if (result) {
        result->content = without_secret(result->content, key);
    }
    return result;
}

std::optional<ToolResult> check_tool(const AgentDefinition& agent, const ToolDefinition& tool,
                                     const std::string& arguments, const FunctionTool* function,
                                     const Attempt& attempt) {
    return without_key(agent, [&]() -> std::optional<ToolResult> {
        if (!function) return run_check(tool, arguments, attempt);
        auto found = function->check(arguments, attempt);
        if (!found) return std::nullopt;
        return ToolResult{std::move(*found), false};
    });
}

detail::StepOptions options_of(const std::shared_ptr<const AgentDefinition>& agent, const ReadyCall& call) {
    const ToolDefinition& tool = *call.tool;
    const FunctionTool* function = call.function;
    detail::StepOptions options;
    options.timeout = Duration(tool.timeout_ms);
    options.effect = effect_of(tool);
    if (function && function->retry) options.retry = *function->retry;
    else options.retry.attempts(options.effect == Effect::read ? 3 : 2);
    if (!function) {
        options.intent_by_step = options.effect != Effect::read;
        options.recover = std::make_shared<const std::function<void(const std::string&)>>(end_recorded_process);
    }
    options.result_if_told = to_json(ToolResult{"it happened, says a person; its output is not known", false});
    const bool has_check = function ? function->check != nullptr : !tool.check.empty();
    options.on_unknown = OnUnknown{policy_of(tool, has_check)};
    if (options.on_unknown.policy != OnUnknown::Policy::verify) return options;
    if (!has_check) {
        // Its program has lost the check since the task was submitted.
        options.on_unknown = OnUnknown::pause;
        return options;
    }
    options.on_unknown.check_gives_result = true;
    options.on_unknown.check = std::make_shared<const OnUnknown::Check>(
        [agent, tool, function, arguments = call.arguments](const Attempt& attempt) -> std::optional<std::string> {
            const auto found = check_tool(*agent, tool, arguments, function, attempt);
            if (!found) return std::nullopt;
            return to_json(*found);
        });
    return options;
}

// The agent outlives the step: the loop's frame holds it while it waits.
ToolResult run_tool(const AgentDefinition* agent, const ToolDefinition* tool, const FunctionTool* function,
                    const std::string& arguments, const Attempt& attempt) {
    return without_key(*agent, [&] {
        return function ? ToolResult{function->call(arguments, attempt), false}
                        : run_command_tool(*tool, arguments, attempt);
    });
}

Workflow<Message> call_tool(Context& ctx, std::shared_ptr<const AgentDefinition> agent, ToolCall call,
                            const FunctionTools* functions) {
    auto ready = make_ready(*agent, call, functions);
    if (!ready) co_return tool_message(call, "error: " + ready.error().message);
    const detail::StepOptions options = options_of(agent, *ready);
    auto step = ctx.step(ready->tool->name, run_tool, agent.get(), ready->tool, ready->function, ready->arguments)
                    .with(options);
    auto outcome = ctx.outcome(std::move(step));
    const Outcome<ToolResult> result = co_await std::move(outcome);
    if (!result) {
        const bool unknown = result.error_class == ErrorClass::unknown;
        const std::string what = unknown ? "unknown outcome, it may or may not have happened: " : "error: ";
        co_return tool_message(call, what + result.error);
    }
    co_return tool_message(call, result.value->error ? "error: " + result.value->content : result.value->content);
}

}  // namespace

// Those that change nothing, or may be repeated, go side by side; the others in the model's order, so that what one did
// is seen by the next.
Workflow<std::vector<Message>> call_tools(Context& ctx, std::shared_ptr<const AgentDefinition> agent,
                                          std::vector<ToolCall> calls, const FunctionTools* functions) {
    const bool side_by_side = agent->parallel_tool_calls && std::ranges::all_of(calls, [&](const ToolCall& call) {
                                  const ToolDefinition* tool = find_tool(*agent, call.name);
                                  return !tool || effect_of(*tool) != Effect::once;
                              });
    std::vector<Message> results;
    if (side_by_side && calls.size() > 1) {
        std::vector<Workflow<Message>> branches;
        for (const ToolCall& call : calls) branches.push_back(call_tool(ctx, agent, call, functions));
        auto all = ctx.all(std::move(branches));
        results = co_await std::move(all);
    } else {
        for (const ToolCall& call : calls) {
            Message result = co_await call_tool(ctx, agent, call, functions);
            results.push_back(std::move(result));
        }
    }
    co_return results;
}

}  // namespace pawl::agent
