// The model's arguments against the tool's JSON Schema.
#pragma once

#include "agent/definition.hpp"

#include <pawl/result.hpp>

#include <string>

namespace pawl::agent {

/// `arguments` is JSON text of an object. Errors: bad_input, for the model to read: "/keep_days: ...".
Result<void> check_arguments(const ToolDefinition& tool, const std::string& arguments);

/// A value of any kind against a JSON Schema. Errors: bad_input: "/by: ...".
Result<void> check_value(const std::string& schema, const std::string& value);

/// Whether a schema can be used at all. Errors: bad_input.
Result<void> check_schema(const ToolDefinition& tool);

}  // namespace pawl::agent
