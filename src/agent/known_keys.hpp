// Keys that stand where they would be recorded.
#pragma once

#include <pawl/result.hpp>

#include <string>
#include <string_view>

namespace pawl::agent {

struct AgentDefinition;

/// Whether the text holds what looks like an API key, or the very value of the environment variable `key_variable`
/// (values of less than 8 bytes, as local endpoints take them, are no secret).
bool holds_key(std::string_view text, const std::string& key_variable);

/// bad_input when a text of the definition holds a key. The error names the field and does not show the key.
Result<void> check_no_key(const AgentDefinition& definition);

}  // namespace pawl::agent
