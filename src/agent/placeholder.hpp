// {name} in the argv of a command tool.
#pragma once

#include "agent/definition.hpp"

#include <pawl/result.hpp>

#include <string>
#include <vector>

namespace pawl::agent {

/// Whether each {word} of `command` and `check` names a property of the tool's parameters. Braces around anything else
/// ({}, {print $1}) are text, and {{word}} is the text {word}. Errors: bad_input, with those there are.
Result<void> check_placeholders(const ToolDefinition& tool);

/// argv with each {name} of a property replaced by that argument: a string's text, anything else as the model wrote it.
/// An element stays one element whatever it holds.
/// `arguments` is JSON text of an object. Errors: bad_input when an argument is missing or null: a command must not be
/// run with a hole in it.
Result<std::vector<std::string>> fill_in(const ToolDefinition& tool, const std::vector<std::string>& argv,
                                         const std::string& arguments);

}  // namespace pawl::agent
