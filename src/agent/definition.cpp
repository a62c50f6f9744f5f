#include "agent/definition.hpp"

#include "agent/known_keys.hpp"
#include "agent/placeholder.hpp"
#include "agent/schema_check.hpp"
#include "core/shown.hpp"
#include "core/validate.hpp"

#include <algorithm>
#include <set>

namespace pawl::agent {

void tag_invoke(to_json_t, JsonOut& out, const JsonText& value) { out.raw(value.text); }
JsonText tag_invoke(from_json_t<JsonText>, const JsonIn& in) { return JsonText{in.text()}; }

namespace {

Error bad(const std::string& where, const std::string& what) { return {Errc::bad_input, where + ": " + what}; }

// Chat Completions allows 1 to 64 of these characters in the name of a function.
bool is_tool_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, allowed);
}

bool one_of(std::string_view value, std::initializer_list<std::string_view> allowed) {
    return std::ranges::find(allowed, value) != allowed.end();
}

Result<void> check_tool(const ToolDefinition& tool) {
    const std::string where = "tool " + core::shown(tool.name);
    if (!is_tool_name(tool.name)) return bad(where, "a tool's name has 1 to 64 letters, digits, '_' or '-'");
    if (tool.description.empty()) return bad(where, "description is missing: the model chooses by it");
    if (tool.kind == "command" && tool.command.empty())
        return bad(where, "command is missing: [\"program\", \"argument\"]");
    if (!one_of(tool.kind, {"command", "function"})) return bad(where, "kind must be command or function");
    if (!one_of(tool.effect, {"read", "idempotent", "once"}))
        return bad(where, "effect must be read, idempotent or once");
    if (tool.policy == "ask")
        return bad(where, "policy = \"ask\" (a person approves each call) is not supported yet; use allow or deny");
    if (!one_of(tool.policy, {"allow", "deny"})) return bad(where, "policy must be allow or deny");
    if (!one_of(tool.on_unknown, {"", "verify", "report", "pause", "retry", "fail"}))
        return bad(where, "on_unknown must be verify, report, pause, retry or fail");
    if (tool.on_unknown == "verify" && tool.kind == "command" && tool.check.empty())
        return bad(where, "on_unknown = \"verify\" needs a check = [...]");
    if (tool.timeout_ms < 1) return bad(where, "timeout must be longer than 0");
    return {};
}

bool is_price(const ModelPrice& price) {
    const auto in_range = [](std::int64_t uusd) { return uusd >= 0 && uusd <= 1'000'000'000; };
    return in_range(price.input_uusd) && in_range(price.cached_uusd) && in_range(price.output_uusd);
}

template <class T>
Result<void> check_positive(const char* field, const std::optional<T>& value) {
    if (value && *value < 1) return bad(std::string("limits.") + field, std::to_string(*value) + " is below 1");
    return {};
}

}  // namespace

Result<void> check_endpoint(std::string_view endpoint) {
    if (endpoint.empty()) return {};
    const std::size_t scheme = endpoint.find("://");
    const std::string_view authority =
        scheme == std::string_view::npos
            ? endpoint
            : endpoint.substr(scheme + 3, endpoint.find_first_of("/?#", scheme + 3) - scheme - 3);
    // Not shown: the text would put the secret into logs.
    if (authority.find('@') != std::string_view::npos)
        return bad("endpoint",
                   "holds a user or a password, and a definition is recorded with each task; leave them out "
                   "(the key comes from the variable that api_key_env names)");
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
        return bad("endpoint", core::shown(endpoint) + " is not an http:// or https:// URL");
    if (endpoint.find_first_of("?#") != std::string_view::npos)
        return bad("endpoint",
                   "has a '?' or '#': a base URL ends with its path, for example https://models.example.com/v1");
    return {};
}

Result<void> check_definition(const AgentDefinition& d) {
    if (auto ok = core::check_name({"name", d.name}); !ok) return ok;
    if (d.model.empty()) return bad("model", "is missing");
    if (auto ok = check_endpoint(d.endpoint); !ok) return ok;
    if (d.api_key_env.empty()) return bad("api_key_env", "is empty: name the variable that holds the key");
    std::set<std::string> names;
    for (const ToolDefinition& tool : d.tools) {
        if (auto ok = check_tool(tool); !ok) return ok;
        if (!names.insert(tool.name).second) return bad("tool " + core::shown(tool.name), "the name is used twice");
    }
    if (d.limits.turns < 1 || d.limits.turns > 1'000)
        return bad("limits.turns", std::to_string(d.limits.turns) + " is outside 1 to 1000");
    if (auto ok = check_positive("model_calls", d.limits.model_calls); !ok) return ok;
    if (auto ok = check_positive("tool_calls", d.limits.tool_calls); !ok) return ok;
    if (auto ok = check_positive("tokens", d.limits.tokens); !ok) return ok;
    if (auto ok = check_positive("cost_usd", d.limits.cost_uusd); !ok) return ok;
    if (!one_of(d.limits.on_breach, {"pause", "fail"})) return bad("limits.on_breach", "must be pause or fail");
    if (d.price && !is_price(*d.price)) return bad("price", "a million tokens cost between 0 and 1000 dollars");
    if (d.model_timeout_ms < 1) return bad("model_timeout", "must be longer than 0");
    if (auto ok = check_positive("deadline", d.limits.deadline_ms); !ok) return ok;
    return check_positive("active_time", std::optional(d.limits.active_ms));
}

Result<void> complete_definition(AgentDefinition& d) {
    if (auto ok = check_no_key(d); !ok) return ok;
    for (const ToolDefinition& tool : d.tools) {
        if (auto ok = check_schema(tool); !ok) return ok;
        if (auto ok = check_placeholders(tool); !ok) return ok;
    }
    if (!d.price) d.price = list_price(d.model);
    if (d.limits.cost_uusd && !d.price)
        return bad("limits.cost_usd", "no price is known for the model " + core::shown(d.model) +
                                          "; state it in dollars for a million tokens: price = { input = 0.25, "
                                          "cached = 0.025, output = 2.0 }");
    return {};
}

OnBreach on_breach(const AgentLimits& limits) { return limits.on_breach == "fail" ? OnBreach::fail : OnBreach::pause; }

std::string encode(const AgentDefinition& definition) { return to_json(definition); }

Result<AgentDefinition> decode_definition(std::string_view json) {
    try {
        auto definition = from_json<AgentDefinition>(json);
        if (auto ok = check_definition(definition); !ok) return ok.error();
        return definition;
    } catch (const JsonError& e) {
        return Error{Errc::bad_input, std::string("the agent's definition cannot be read: ") + e.what()};
    }
}

Effect effect_of(const ToolDefinition& tool) {
    return tool.effect == "read" ? Effect::read : tool.effect == "idempotent" ? Effect::idempotent : Effect::once;
}

}  // namespace pawl::agent
