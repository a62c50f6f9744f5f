// An agent as recorded data: stored with each task by its hash, so that a deploy cannot break a running one.
#pragma once

#include "agent/price.hpp"

#include <pawl/json.hpp>
#include <pawl/result.hpp>
#include <pawl/retry.hpp>
#include <pawl/task.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::agent {

/// One JSON value, kept as text.
struct JsonText {
    std::string text = "null";
};
void tag_invoke(to_json_t, JsonOut& out, const JsonText& value);
JsonText tag_invoke(from_json_t<JsonText>, const JsonIn& in);

struct ToolDefinition {
    std::string name, description;
    JsonText parameters{R"({"type":"object","properties":{},"additionalProperties":false})"};  ///< JSON Schema
    std::string kind = "command";      ///< command, or function (C++, found by its name in the program)
    std::vector<std::string> command;  ///< argv; {name} takes that argument (agent/placeholder.hpp)
    std::vector<std::string> check;    ///< verifies an unknown outcome: exit 0 happened, 1 not, else cannot tell
    std::string effect = "once";       ///< read, idempotent, once
    std::string on_unknown;            ///< verify, report, pause, retry, fail; empty: verify with a check, else report
    std::string policy = "allow";      ///< allow, deny
    std::int64_t timeout_ms = 60'000;
    std::map<std::string, std::string> env;
    std::string cwd;
};
BOOST_DESCRIBE_STRUCT(ToolDefinition, (),
                      (name, description, parameters, kind, command, check, effect, on_unknown, policy, timeout_ms, env,
                       cwd))

struct AgentLimits {
    int turns = 20;
    std::optional<int> model_calls, tool_calls;
    std::optional<std::int64_t> tokens;
    std::optional<std::int64_t> cost_uusd;    ///< millionths of a dollar; needs a price
    std::int64_t active_ms = 3'600'000;       ///< time spent running
    std::optional<std::int64_t> deadline_ms;  ///< of the task, from its submit
    std::string on_breach = "pause";          ///< pause, fail
};
BOOST_DESCRIBE_STRUCT(AgentLimits, (),
                      (turns, model_calls, tool_calls, tokens, cost_uusd, active_ms, deadline_ms, on_breach))

OnBreach on_breach(const AgentLimits& limits);

struct AgentDefinition {
    std::string name, model, instructions;
    std::string endpoint;                        ///< base URL; empty: OPENAI_BASE_URL at each call
    std::string api_key_env = "OPENAI_API_KEY";  ///< name of the variable, never the key
    bool parallel_tool_calls = true;
    std::int64_t model_timeout_ms = 300'000;
    std::optional<ModelPrice> price;
    std::vector<ToolDefinition> tools;
    AgentLimits limits;
};
BOOST_DESCRIBE_STRUCT(AgentDefinition, (),
                      (name, model, instructions, endpoint, api_key_env, parallel_tool_calls, model_timeout_ms, price,
                       tools, limits))

/// A base URL without credentials, or empty. Errors: bad_input, which shows no credentials.
Result<void> check_endpoint(std::string_view endpoint);

/// Names, limits and references, wherever the definition came from. The error names the field.
Result<void> check_definition(const AgentDefinition& definition);

/// What is checked and filled in once, before a definition is recorded: no key in it, schemas that can be used, a price
/// where money is limited. After check_definition.
Result<void> complete_definition(AgentDefinition& definition);

std::string encode(const AgentDefinition& definition);
/// Errors: bad_input (not what encode writes).
Result<AgentDefinition> decode_definition(std::string_view json);

Effect effect_of(const ToolDefinition& tool);

}  // namespace pawl::agent
