#include "agent/program_agent.hpp"

#include "agent/agent_loop.hpp"

#include <cmath>
#include <memory>

namespace pawl::agent {

namespace {

std::string name_of(Effect effect) {
    return effect == Effect::read ? "read" : effect == Effect::idempotent ? "idempotent" : "once";
}

std::string name_of(OnUnknown::Policy policy) {
    using Policy = OnUnknown::Policy;
    switch (policy) {
        case Policy::pause:
            return "pause";
        case Policy::report:
            return "report";
        case Policy::retry:
            return "retry";
        case Policy::fail:
            return "fail";
        case Policy::verify:
            return "verify";
    }
    return "report";
}

// NaN and what no integer holds become -1, which check_definition refuses by name.
std::int64_t millionths(double dollars) {
    return dollars >= 0 && dollars <= 1e9 ? static_cast<std::int64_t>(std::llround(dollars * 1e6)) : -1;
}

ToolDefinition definition_of(const detail::ToolParts& parts) {
    ToolDefinition tool;
    tool.name = parts.name;
    tool.description = parts.description;
    tool.parameters.text = parts.schema;
    tool.kind = "function";
    tool.effect = name_of(parts.effect);
    if (parts.on_unknown) tool.on_unknown = name_of(*parts.on_unknown);
    tool.policy = parts.policy == ToolPolicy::deny ? "deny" : "allow";
    tool.timeout_ms = parts.timeout.count();
    return tool;
}

AgentDefinition definition_of(const detail::AgentParts& parts) {
    AgentDefinition agent;
    agent.name = parts.name;
    agent.model = parts.model;
    agent.instructions = parts.instructions;
    agent.endpoint = parts.endpoint;
    agent.api_key_env = parts.api_key_env;
    agent.parallel_tool_calls = parts.parallel_tool_calls;
    agent.model_timeout_ms = parts.model_timeout.count();
    if (parts.price)
        agent.price = ModelPrice{millionths(parts.price->input()), millionths(parts.price->cached()),
                                 millionths(parts.price->output())};
    for (const Tool& tool : parts.tools) agent.tools.push_back(definition_of(tool.parts()));
    const Limits& limits = parts.limits;
    agent.limits.turns = limits.turns();
    agent.limits.model_calls = limits.model_calls();
    agent.limits.tool_calls = limits.tool_calls();
    agent.limits.tokens = limits.tokens();
    if (limits.cost_usd()) agent.limits.cost_uusd = millionths(*limits.cost_usd());
    agent.limits.active_ms = limits.active_time().count();
    agent.limits.on_breach = limits.on_breach() == OnBreach::fail ? "fail" : "pause";
    if (parts.deadline) agent.limits.deadline_ms = parts.deadline->count();
    return agent;
}

}  // namespace

Result<detail::RegisteredType*> add_program_agent(runtime::Registry& registry, const detail::AgentParts& parts) {
    AgentDefinition agent = definition_of(parts);
    if (auto ok = check_definition(agent); !ok) return ok.error();
    if (auto ok = complete_definition(agent); !ok) return ok.error();
    const auto functions = std::make_shared<FunctionTools>();
    for (const Tool& tool : parts.tools) {
        const detail::ToolParts& t = tool.parts();
        if (t.on_unknown == OnUnknown::Policy::verify && !t.check)
            return Error{Errc::bad_input, "tool " + t.name + ": on_unknown(verify) needs a check"};
        (*functions)[t.name] = FunctionTool{t.fits, t.call, t.check, t.retry};
    }
    detail::RegisteredType& type = registry.add(agent.name);
    type.input_schema = schema_of<Prompt>();
    type.definition = encode(agent);
    type.deadline = parts.deadline;
    // Shared with the registration, which outlives every task that it runs.
    type.run = [functions](Context& ctx, std::string input) {
        return agent_loop(ctx, std::move(input), functions.get());
    };
    return &type;
}

}  // namespace pawl::agent
