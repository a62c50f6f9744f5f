#include "agent/agent_loop.hpp"

#include "agent/loop_guard.hpp"
#include "agent/model_call.hpp"
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

namespace pawl::agent {

namespace {

// What the agent may still spend. Checked before each call: a call that is begun is paid for whatever it costs.
class Budgets {
public:
    explicit Budgets(const AgentDefinition& agent) : agent_(agent) {}

    void check_turn(int turn, const Answer& used) const {
        const AgentLimits& limits = agent_.limits;
        check("turns", turn, limits.turns);
        check("model calls", used.model_calls + 1, limits.model_calls);
        check("tokens", used.tokens + 1, limits.tokens);
        if (limits.cost_uusd && used.cost_uusd >= *limits.cost_uusd)
            spent(std::to_string(static_cast<double>(*limits.cost_uusd) / 1e6) + " dollars");
    }
    void check_tool_calls(std::size_t wanted, const Answer& used) const {
        check("tool calls", used.tool_calls + static_cast<std::int64_t>(wanted), agent_.limits.tool_calls);
    }

private:
    void check(const char* what, std::int64_t wanted, std::optional<std::int64_t> limit) const {
        if (limit && wanted > *limit) spent(std::to_string(*limit) + " " + what);
    }
    [[noreturn]] void spent(const std::string& what) const {
        throw detail::BudgetSpent("the agent's limit of " + what + " is used up", on_breach(agent_.limits));
    }
    const AgentDefinition& agent_;
};

std::shared_ptr<const AgentDefinition> definition_of(const detail::Execution& execution) {
    auto decoded = decode_definition(execution.definition());
    if (!decoded) throw final_error(decoded.error().message + "; submit it with --agent FILE");
    return std::make_shared<const AgentDefinition>(std::move(*decoded));
}

void account(const AgentDefinition& agent, const ChatAnswer& chat, Answer& used) {
    used.model_calls++;
    used.tokens += chat.usage.total_tokens;
    if (agent.price) used.cost_uusd += cost_of(*agent.price, chat.usage);
}

// An answer that was cut or filtered is what was paid for; one of which nothing is left is none.
void finish(const ChatAnswer& chat, Answer& answer) {
    answer.text = chat.message.content.value_or("");
    if (chat.finish_reason != "length" && chat.finish_reason != "content_filter") return;
    if (answer.text.empty())
        throw final_error("the model gave no answer: the endpoint ended it (finish_reason " + chat.finish_reason + ")");
    answer.finish_reason = chat.finish_reason;
}

}  // namespace

Workflow<std::string> agent_loop(Context& ctx, std::string input, const FunctionTools* functions) {
    const auto agent = definition_of(ctx.execution());
    ctx.execution().limit_active_time(core::Micros(std::chrono::milliseconds(agent->limits.active_ms)),
                                      on_breach(agent->limits));
    runtime::Engine* engine = &ctx.execution().engine();
    if (!engine->net()) throw final_error("this worker has no network: an agent cannot run here");

    const Prompt prompt = from_json<Prompt>(input);
    // Grows between the steps only: a call that is under way reads it.
    const auto messages = std::make_shared<std::vector<Message>>();
    if (!agent->instructions.empty()) messages->push_back({"system", agent->instructions, {}, {}});
    messages->push_back({"user", prompt.text, {}, {}});

    Answer answer;
    const Budgets budgets(*agent);
    LoopGuard guard(on_breach(agent->limits));
    for (int turn = 1;; turn++) {
        budgets.check_turn(turn, answer);
        const std::shared_ptr<const std::vector<Message>> conversation = messages;
        auto step = ctx.step("model", call_model, engine, agent, conversation)
                        .timeout(Duration(agent->model_timeout_ms))
                        .retry(Retry::model_call());
        ChatAnswer chat = co_await std::move(step);
        account(*agent, chat, answer);

        const std::vector<ToolCall> calls = chat.message.tool_calls;
        if (calls.empty()) {
            finish(chat, answer);
            co_return to_json(answer);
        }
        messages->push_back(std::move(chat.message));
        budgets.check_tool_calls(calls.size(), answer);
        answer.tool_calls += static_cast<int>(calls.size());
        std::vector<Message> results = co_await call_tools(ctx, agent, calls, functions);
        for (std::size_t i = 0; i < results.size(); i++) {
            guard.see(calls[i], results[i]);
            messages->push_back(std::move(results[i]));
        }
    }
}

void add_agent_type(runtime::Registry& registry) {
    detail::RegisteredType& type = registry.add(std::string(agent_type_name));
    type.input_schema = schema_of<Prompt>();
    type.run = [](Context& ctx, std::string input) { return agent_loop(ctx, std::move(input), nullptr); };
}

}  // namespace pawl::agent
