// What cancel, kill, pause, resume, resolve and retry have in common: one request that may be repeated without harm.
#pragma once

#include "cli/console.hpp"
#include "server/json_text.hpp"

#include <optional>
#include <string>

namespace pawl::cli {

/// Sends `POST /v1/tasks/{task}/{verb}` with the fields of `body` (an open object) and a request id, the given one
/// or a new one; tells the state that the task is in now. Returns the exit code.
int operate(Console& console, const std::string& verb, const std::string& task, server::JsonText body,
            const std::optional<std::string>& request_id);

/// "ann@host": who the journal names as the operator.
std::string operator_name();

/// Random, 32 hex digits.
std::string new_request_id();

}  // namespace pawl::cli
