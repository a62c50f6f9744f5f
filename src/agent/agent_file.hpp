// agent.toml (docs/guides/agents.md).
#pragma once

#include "agent/definition.hpp"

#include <string>
#include <string_view>

namespace pawl::agent {

/// Reads and checks the file. Errors: not_found; bad_input, which names the line: not TOML, an unknown or misspelt
/// key, a value of the wrong kind, a literal API key (keys come from the environment only).
Result<AgentDefinition> read_agent_file(const std::string& path);
/// The same for a text; `name` stands in the messages.
Result<AgentDefinition> parse_agent_file(std::string_view text, const std::string& name);

}  // namespace pawl::agent
