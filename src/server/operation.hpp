// What a person asks of a task, read from a request.
#pragma once

#include "core/command.hpp"
#include "server/body.hpp"

#include <optional>
#include <string_view>

namespace pawl::server {

/// The fields that go with the verb, and the request id of the header; what is wrong with them is noted in the body.
core::Operate read_operate(const Request& request, Body& body, core::Operate::Verb verb);

/// "cancel", and so on.
std::optional<core::Operate::Verb> verb_of(std::string_view name);

}  // namespace pawl::server
