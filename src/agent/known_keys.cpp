#include "agent/known_keys.hpp"

#include "agent/definition.hpp"

#include <re2/re2.h>
#include <cstdlib>

namespace pawl::agent {
namespace {

constexpr std::size_t secret_bytes_min = 8;

// By the prefixes that their makers gave them, so that scanners find them.
const re2::RE2& known_keys() {
    static const re2::RE2 keys(
        "(^|[^A-Za-z0-9])("
        "(sk|pk|rk)-[A-Za-z0-9_-]{16,}|(sk|pk|rk)_(live|test)_[A-Za-z0-9]{10,}|"  // OpenAI and many others; Stripe
        "(gsk_|xai-|hf_|r8_|npm_|pplx-|gh[pousr]_)[A-Za-z0-9]{16,}|"              // Groq, xAI, Hugging Face, GitHub
        "(glpat-|nvapi-|github_pat_)[A-Za-z0-9_-]{16,}|"
        "A(KIA|SIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,})");  // AWS, Google, Slack
    return keys;
}

bool holds_value_of(std::string_view text, const std::string& variable) {
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    const std::string_view secret = value ? value : "";
    return secret.size() >= secret_bytes_min && text.find(secret) != std::string_view::npos;
}

}  // namespace

bool holds_key(std::string_view text, const std::string& key_variable) {
    return holds_value_of(text, key_variable) || holds_value_of(text, "OPENAI_API_KEY") ||
           re2::RE2::PartialMatch({text.data(), text.size()}, known_keys());
}

Result<void> check_no_key(const AgentDefinition& agent) {
    Result<void> answer;
    const auto look = [&](const std::string& field, std::string_view text) {
        if (!answer || !holds_key(text, agent.api_key_env)) return;
        answer =
            Error{Errc::bad_input, field +
                                       ": holds an API key; an agent is recorded with each task, so keys come from "
                                       "the environment only (api_key_env)"};
    };
    look("name", agent.name);
    look("model", agent.model);
    look("instructions", agent.instructions);
    look("endpoint", agent.endpoint);
    look("api_key_env", agent.api_key_env);
    for (const ToolDefinition& tool : agent.tools) {
        look("tool.name", tool.name);
        const std::string where = "tool." + tool.name + ".";
        look(where + "description", tool.description);
        look(where + "parameters", tool.parameters.text);
        look(where + "cwd", tool.cwd);
        for (const std::string& word : tool.command) look(where + "command", word);
        for (const std::string& word : tool.check) look(where + "check", word);
        for (const auto& [name, value] : tool.env) {
            look(where + "env", name);
            look(where + "env." + name, value);
        }
    }
    return answer;
}

}  // namespace pawl::agent
