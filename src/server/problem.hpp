// Refusals as RFC 9457 problems, and the one table between error codes and HTTP status.
#pragma once

#include "server/message.hpp"

#include <pawl/result.hpp>

#include <string>
#include <vector>

namespace pawl::server {

int status_of(Errc code);

/// One field of a body or query that was refused. `field`: "/deadline", "?limit".
struct FieldError {
    std::string field;
    std::string detail;
};

/// {type, title, status, detail, instance, code, errors[]} as application/problem+json.
/// `status` 0 takes the code's own.
Response problem(const Request& request, const Error& error, std::vector<FieldError> errors = {}, int status = 0);

/// The error that a client reads out of a response with status >= 400; of any origin.
Error error_of(const Response& response);

}  // namespace pawl::server
