// The body of a submit.
#pragma once

#include "core/command.hpp"
#include "server/body.hpp"
#include "server/call.hpp"

namespace pawl::server {

/// One submit that was read: its checked command, or why it is refused.
struct Submission {
    std::optional<core::Submit> command;
    Error error;
    std::vector<FieldError> errors;  ///< of single fields
    int status = 0;                  ///< 0 = the error code's own
};

/// `header_key`: the Idempotency-Key header, or empty.
Submission read_submission(std::string_view json, std::string_view header_key, Port& port);

/// The answer to one submit: 201, or 200 when the key had made the task before.
int status_of(const core::Submitted& submitted);
void append_submitted(JsonText& json, const core::Submitted& submitted);

}  // namespace pawl::server
