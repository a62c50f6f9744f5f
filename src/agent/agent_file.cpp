#include "agent/agent_file.hpp"

#include "agent/known_keys.hpp"
#include "core/closest.hpp"
#include "core/duration.hpp"
#include "core/shown.hpp"

#include <toml++/toml.h>

#include <cmath>
#include <fstream>
#include <sstream>

namespace pawl::agent {

namespace {

// Thrown inside this file only, caught in parse_agent_file.
struct Refused {
    Error error;
};

class Reader {
public:
    Reader(const toml::table& table, std::string file, std::string where, std::vector<std::string> known)
        : table_(table), file_(std::move(file)), where_(std::move(where)) {
        for (const auto& [key, node] : table) {
            if (std::ranges::find(known, key.str()) != known.end()) continue;
            const std::string name(key.str());
            if (name == "api_key" || name == "apikey" || name == "key" || name == "token" || name == "secret")
                refuse(
                    node,
                    "a literal key in an agent file is refused; name its variable: api_key_env = \"OPENAI_API_KEY\"");
            const auto near = core::closest(name, known);
            refuse(node, "unknown key " + core::shown(where_ + name) + (near ? "; did you mean " + *near + "?" : ""));
        }
    }

    [[noreturn]] void refuse(const toml::node& node, const std::string& what) const {
        throw Refused{{Errc::bad_input, file_ + ":" + std::to_string(node.source().begin.line) + ": " + what}};
    }

    void text(const char* key, std::string& into) const {
        if (const auto* node = find(key)) into = as_text(*node, key);
    }
    template <class T>
    void number(const char* key, T& into) const {
        const auto* node = find(key);
        if (!node) return;
        const auto value = node->value_exact<std::int64_t>();
        if (!value || *value < 0 || *value > 1'000'000'000'000)
            refuse(*node, where_ + key + ": expected a whole number that is not negative");
        if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::optional<int>>) {
            if (*value > 1'000'000'000) refuse(*node, where_ + key + ": is too large");
            into = static_cast<int>(*value);
        } else {
            into = *value;
        }
    }
    template <class T>
    void length(const char* key, T& into_ms) const {
        const auto* node = find(key);
        if (!node) return;
        if (!node->is_string()) refuse(*node, where_ + key + ": expected a length such as \"30s\" or \"5min\"");
        const auto length = core::parse_duration(as_text(*node, key));
        if (!length) refuse(*node, where_ + key + ": " + length.error().message);
        into_ms = length->count() / 1'000;
    }
    /// Dollars, kept as millionths.
    template <class T>
    void money(const char* key, T& into_uusd) const {
        const auto* node = find(key);
        if (!node) return;
        const auto dollars = node->value<double>();
        if (!node->is_number() || !dollars || !(*dollars >= 0 && *dollars <= 1'000'000))
            refuse(*node, where_ + key + ": expected dollars, 0 to 1000000");
        into_uusd = static_cast<std::int64_t>(std::llround(*dollars * 1e6));
    }
    void flag(const char* key, bool& into) const {
        const auto* node = find(key);
        if (!node) return;
        const auto value = node->value_exact<bool>();
        if (!value) refuse(*node, where_ + key + ": expected true or false");
        into = *value;
    }
    void texts(const char* key, std::vector<std::string>& into) const {
        const auto* node = find(key);
        if (!node) return;
        if (!node->is_array())
            refuse(*node, where_ + key + ": expected a list of strings: [\"program\", \"argument\"]");
        for (const auto& item : *node->as_array()) into.push_back(as_text(item, key));
    }
    void text_map(const char* key, std::map<std::string, std::string>& into) const {
        const auto* node = find(key);
        if (!node) return;
        if (!node->is_table()) refuse(*node, where_ + key + ": expected { NAME = \"value\" }");
        for (const auto& [name, item] : *node->as_table()) into[std::string(name.str())] = as_text(item, key);
    }
    const toml::node* find(const char* key) const { return table_.get(key); }
    const toml::table* table(const char* key) const {
        const auto* node = find(key);
        if (!node) return nullptr;
        if (!node->is_table()) refuse(*node, where_ + key + ": expected a table");
        return node->as_table();
    }
    const toml::array* tables(const char* key) const {
        const auto* node = find(key);
        if (!node) return nullptr;
        if (!node->is_array_of_tables()) refuse(*node, std::string(key) + ": write each as [[" + key + "]]");
        return node->as_array();
    }

private:
    std::string as_text(const toml::node& node, const char* key) const {
        const auto value = node.value_exact<std::string>();
        if (!value) refuse(node, where_ + key + ": expected a string");
        if (holds_key(*value, {}))
            refuse(node, where_ + key +
                             ": looks like an API key; an agent file is recorded with each task, so keys come "
                             "from the environment only (api_key_env)");
        return *value;
    }

    const toml::table& table_;
    std::string file_, where_;
};

ToolDefinition read_tool(const toml::table& table, const std::string& file) {
    const Reader in(table, file, "tool.",
                    {"name", "description", "command", "parameters", "effect", "timeout", "check", "on_unknown",
                     "policy", "env", "cwd"});
    ToolDefinition tool;
    in.text("name", tool.name);
    in.text("description", tool.description);
    in.texts("command", tool.command);
    in.texts("check", tool.check);
    in.text("effect", tool.effect);
    in.text("on_unknown", tool.on_unknown);
    in.text("policy", tool.policy);
    in.length("timeout", tool.timeout_ms);
    in.text_map("env", tool.env);
    in.text("cwd", tool.cwd);
    if (const auto* parameters = in.table("parameters")) {
        std::ostringstream json;
        json << toml::json_formatter{*parameters};
        tool.parameters.text = to_json(from_json<JsonText>(json.str()));
    }
    return tool;
}

AgentLimits read_limits(const toml::table& table, const std::string& file) {
    const Reader in(
        table, file, "limits.",
        {"turns", "model_calls", "tool_calls", "tokens", "cost_usd", "active_time", "deadline", "on_breach"});
    AgentLimits limits;
    in.number("turns", limits.turns);
    in.number("model_calls", limits.model_calls);
    in.number("tool_calls", limits.tool_calls);
    in.number("tokens", limits.tokens);
    in.money("cost_usd", limits.cost_uusd);
    in.text("on_breach", limits.on_breach);
    in.length("active_time", limits.active_ms);
    in.length("deadline", limits.deadline_ms);
    return limits;
}

ModelPrice read_price(const toml::table& table, const std::string& file) {
    const Reader in(table, file, "price.", {"input", "cached", "output"});
    ModelPrice price;
    in.money("input", price.input_uusd);
    price.cached_uusd = price.input_uusd;  // no discount, unless one is stated
    in.money("cached", price.cached_uusd);
    in.money("output", price.output_uusd);
    return price;
}

AgentDefinition read_definition(const toml::table& root, const std::string& file) {
    const Reader in(root, file, "",
                    {"name", "model", "instructions", "endpoint", "api_key_env", "parallel_tool_calls", "model_timeout",
                     "price", "limits", "tool"});
    AgentDefinition definition;
    in.text("name", definition.name);
    in.text("model", definition.model);
    in.text("instructions", definition.instructions);
    in.text("endpoint", definition.endpoint);
    if (auto ok = check_endpoint(definition.endpoint); !ok) in.refuse(*in.find("endpoint"), ok.error().message);
    in.text("api_key_env", definition.api_key_env);
    in.flag("parallel_tool_calls", definition.parallel_tool_calls);
    in.length("model_timeout", definition.model_timeout_ms);
    if (const auto* price = in.table("price")) definition.price = read_price(*price, file);
    if (const auto* limits = in.table("limits")) definition.limits = read_limits(*limits, file);
    if (const auto* tools = in.tables("tool"))
        for (const auto& item : *tools) definition.tools.push_back(read_tool(*item.as_table(), file));
    return definition;
}

}  // namespace

Result<AgentDefinition> parse_agent_file(std::string_view text, const std::string& name) {
    try {
        const toml::table root = toml::parse(text);
        AgentDefinition definition = read_definition(root, name);
        auto ok = check_definition(definition);
        if (ok) ok = complete_definition(definition);
        if (!ok) return Error{Errc::bad_input, name + ": " + ok.error().message};
        return definition;
    } catch (const toml::parse_error& e) {
        return Error{Errc::bad_input, name + ":" + std::to_string(e.source().begin.line) +
                                          ": not TOML: " + std::string(e.description())};
    } catch (const Refused& refused) { return refused.error; } catch (const JsonError& e) {
        return Error{Errc::bad_input, name + ": parameters cannot be JSON: " + e.what()};
    }
}

Result<AgentDefinition> read_agent_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    constexpr std::size_t bytes_max = 1 << 20;
    std::string text(bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in.is_open() || in.bad())  // a folder opens, and cannot be read
        return Error{in.is_open() ? Errc::bad_input : Errc::not_found,
                     "agent file " + core::shown(path, 200) + " cannot be read; --agent names a TOML file"};
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > bytes_max) return Error{Errc::too_large, path + ": an agent file has at most 1 MiB"};
    return parse_agent_file(text, path);
}

}  // namespace pawl::agent
