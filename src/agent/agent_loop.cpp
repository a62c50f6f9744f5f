#include "agent/agent_loop.hpp"

#include "agent/http_call.hpp"
#include "agent/schema_check.hpp"
#include "core/shown.hpp"
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

#include <pawl/version.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>

namespace pawl::agent {

namespace {

constexpr int repeats_warned = 3;   // of one identical call with one identical result
constexpr int repeats_refused = 5;

std::string environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? value : "";
}

// The endpoint and the key are looked up at each call and never recorded.
Async<ChatAnswer> call_model(core::Net* net, runtime::Loop* loop, const core::Clock* clock,
                             std::shared_ptr<const AgentDefinition> agent, std::shared_ptr<const std::string> body,
                             const Attempt& attempt) {
    const std::string key = environment(agent->api_key_env);
    std::string base = agent->endpoint.empty() ? environment("OPENAI_BASE_URL") : agent->endpoint;
    if (base.empty()) base = "https://api.openai.com/v1";
    while (base.ends_with('/')) base.pop_back();

    core::HttpRequest request;
    request.url = base + "/chat/completions";
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"},
                       {"User-Agent", "pawl/" + std::string(version())}, {"Idempotency-Key", attempt.key()}};
    if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
    request.body = *body;
    request.timeout = core::Micros(std::chrono::milliseconds(agent->model_timeout_ms));
    HttpCall call(*net, *loop, std::move(request));
    const auto answer = co_await call;

    ChatFailure failure;
    if (const auto* response = std::get_if<core::HttpResponse>(&answer)) {
        if (response->status == 200) {
            auto chat = parse_chat_answer(response->body);
            if (chat) {
                chat->request_id = std::string(response->header("x-request-id"));
                co_return std::move(*chat);
            }
            failure.failure = {ErrorClass::retryable, Errc::step_failed, chat.error().message};
        } else {
            failure = classify(*response, clock->wall());
        }
    } else {
        failure = classify(std::get<core::NetError>(answer));
    }
    StepError error(failure.failure.cls, without_secret(failure.failure.message, key));
    if (failure.retry_after) error.after(std::chrono::ceil<Duration>(*failure.retry_after));
    throw error;
}

// What one turn's tool call comes to, whatever happens: exactly one message for the model.
Message tool_message(const ToolCall& call, const std::string& content) {
    Message message;
    message.role = "tool";
    message.content = content;
    message.tool_call_id = call.id;
    return message;
}

// The arguments as JSON text of an object, or why they cannot be used. Empty text is a call without arguments.
Result<std::string> arguments_of(const ToolCall& call) {
    const std::string text = call.arguments.empty() ? "{}" : call.arguments;
    boost::system::error_code error;
    const auto parsed = boost::json::parse(text, error);
    if (error) return Error{Errc::bad_input, "the arguments are not JSON: " + error.message()};
    if (!parsed.is_object()) return Error{Errc::bad_input, "the arguments are not a JSON object"};
    return boost::json::serialize(parsed);
}

detail::StepOptions options_of(const ToolDefinition& tool, const std::string& arguments, const FunctionTool* function) {
    detail::StepOptions options;
    options.timeout = Duration(tool.timeout_ms);
    options.effect = effect_of(tool);
    options.retry.attempts(options.effect == Effect::read ? 3 : 2);
    std::string policy = tool.on_unknown;
    if (policy.empty()) policy = tool.check.empty() ? "report" : "verify";
    options.on_unknown = policy == "pause"   ? OnUnknown::pause
                         : policy == "retry" ? OnUnknown::retry
                         : policy == "fail"  ? OnUnknown::fail
                                             : OnUnknown::report;
    if (function) {
        options.on_unknown = function->on_unknown;
        return options;
    }
    options.intent_by_step = tool.effect != "read";
    options.recover = std::make_shared<const std::function<void(const std::string&)>>(end_recorded_process);
    if (policy != "verify") return options;
    options.on_unknown = OnUnknown{OnUnknown::Policy::verify};
    options.on_unknown.check_gives_result = true;
    options.on_unknown.check = std::make_shared<const OnUnknown::Check>(
        [tool, arguments](const Attempt& attempt) -> std::optional<std::string> {
            const auto found = run_check(tool, arguments, attempt);
            if (!found) return std::nullopt;
            return to_json(*found);
        });
    return options;
}

ToolResult run_tool(const ToolDefinition& tool, const std::string& arguments, const FunctionTool* function,
                    const Attempt& attempt) {
    if (!function) return run_command_tool(tool, arguments, attempt);
    return {function->call(arguments, attempt), false};
}

Workflow<Message> call_tool(Context& ctx, std::shared_ptr<const AgentDefinition> agent, ToolCall call,
                            const FunctionTools* functions) {
    const auto at = std::ranges::find(agent->tools, call.name, &ToolDefinition::name);
    if (at == agent->tools.end())
        co_return tool_message(call, "error: there is no tool " + core::shown(call.name));
    const ToolDefinition& tool = *at;
    if (tool.policy == "deny")
        co_return tool_message(call, "error: the policy of this agent denies " + tool.name);
    auto arguments = arguments_of(call);
    if (!arguments) co_return tool_message(call, "error: " + arguments.error().message);
    if (auto fits = check_arguments(tool, *arguments); !fits)
        co_return tool_message(call, "error: " + fits.error().message);
    const FunctionTool* function = nullptr;
    if (tool.kind == "function") {
        const auto found = functions ? functions->find(tool.name) : FunctionTools::const_iterator{};
        if (!functions || found == functions->end())
            co_return tool_message(call, "error: this program has no function for " + tool.name);
        function = &found->second;
    }
    const detail::StepOptions options = options_of(tool, *arguments, function);
    auto step = ctx.step(tool.name, run_tool, tool, *arguments, function).with(options);
    auto outcome = ctx.outcome(std::move(step));
    const Outcome<ToolResult> result = co_await std::move(outcome);
    if (!result) {
        const bool unknown = result.error_class == ErrorClass::unknown;
        co_return tool_message(call, (unknown ? "unknown outcome, it may or may not have happened: " : "error: ") + result.error);
    }
    co_return tool_message(call, result.value->error ? "error: " + result.value->content : result.value->content);
}

// All calls of one turn. Those that change nothing, or may be repeated, go side by side; the others in the model's
// order, so that what one did is seen by the next.
Workflow<std::vector<Message>> call_tools(Context& ctx, std::shared_ptr<const AgentDefinition> agent,
                                          std::vector<ToolCall> calls, const FunctionTools* functions) {
    const bool side_by_side = agent->parallel_tool_calls && std::ranges::all_of(calls, [&](const ToolCall& call) {
        const auto at = std::ranges::find(agent->tools, call.name, &ToolDefinition::name);
        return at == agent->tools.end() || effect_of(*at) != Effect::once;
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

// Guards against an agent that goes round in circles.
class LoopGuard {
public:
    /// Adds its warning to the result; throws when it is too much.
    void see(const ToolCall& call, Message& result) {
        const std::string what = call.name + '\0' + call.arguments + '\0' + result.content.value_or("");
        if (what != last_) count_ = 0;
        last_ = what;
        count_++;
        if (count_ >= repeats_refused)
            throw detail::BudgetSpent("the agent called " + call.name + " " + std::to_string(count_) +
                                      " times with the same arguments and the same result");
        if (count_ >= repeats_warned)
            result.content = result.content.value_or("") + "\n[you have made this same call " + std::to_string(count_) +
                             " times with the same result: do something else or answer]";
    }

private:
    std::string last_;
    int count_ = 0;
};

void check_budget(const char* what, std::int64_t used, std::optional<std::int64_t> limit) {
    if (limit && used > *limit)
        throw detail::BudgetSpent(std::string("the agent's limit of ") + std::to_string(*limit) + " " + what + " is used up");
}

}  // namespace

Workflow<std::string> agent_loop(Context& ctx, std::string input, const FunctionTools* functions) {
    auto decoded = decode_definition(ctx.execution().definition());
    if (!decoded) throw final_error(decoded.error().message + "; submit with --agent FILE");
    const auto agent = std::make_shared<const AgentDefinition>(std::move(*decoded));
    ctx.execution().limit_active_time(core::Micros(std::chrono::milliseconds(agent->limits.active_ms)));
    runtime::Engine& engine = ctx.execution().engine();
    if (!engine.net()) throw final_error("this worker has no network: an agent cannot run here");

    const Prompt prompt = from_json<Prompt>(input);
    std::vector<Message> messages;
    if (!agent->instructions.empty()) messages.push_back({"system", agent->instructions, {}, {}});
    messages.push_back({"user", prompt.text, {}, {}});

    Answer answer;
    LoopGuard guard;
    for (int turn = 1;; turn++) {
        check_budget("turns", turn, agent->limits.turns);
        check_budget("model calls", answer.model_calls + 1, agent->limits.model_calls);
        check_budget("tokens", answer.tokens + 1, agent->limits.tokens);
        const auto body = std::make_shared<const std::string>(chat_request(*agent, messages));
        core::Net* net = engine.net();
        runtime::Loop* loop = &engine.loop();
        const core::Clock* clock = &engine.clock();
        auto step = ctx.step("model", call_model, net, loop, clock, agent, body)
                        .timeout(Duration(agent->model_timeout_ms))
                        .retry(Retry::model_call());
        ChatAnswer chat = co_await std::move(step);
        answer.model_calls++;
        answer.tokens += chat.usage.total_tokens;

        const std::vector<ToolCall> calls = chat.message.tool_calls;
        if (calls.empty()) {
            answer.text = chat.message.content.value_or("");
            co_return to_json(answer);
        }
        messages.push_back(std::move(chat.message));
        check_budget("tool calls", answer.tool_calls + static_cast<int>(calls.size()), agent->limits.tool_calls);
        answer.tool_calls += static_cast<int>(calls.size());
        std::vector<Message> results = co_await call_tools(ctx, agent, calls, functions);
        for (std::size_t i = 0; i < results.size(); i++) {
            guard.see(calls[i], results[i]);
            messages.push_back(std::move(results[i]));
        }
    }
}

void add_agent_type(runtime::Registry& registry) {
    detail::RegisteredType& type = registry.add("agent");
    type.input_schema = schema_of<Prompt>();
    type.run = [](Context& ctx, std::string input) { return agent_loop(ctx, std::move(input), nullptr); };
}

}  // namespace pawl::agent
