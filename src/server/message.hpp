// A request to the router and its answer, shaped like HTTP but free of any transport: the same verbs are served over
// a Unix socket, later over TCP, and in process.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// First value of that header, or empty. Case does not matter.
std::string_view find_header(const Headers& headers, std::string_view name);

struct Request {
    std::string method = "GET";
    std::string path;  ///< "/v1/tasks", percent-decoded
    std::vector<std::pair<std::string, std::string>> query;
    Headers headers;
    std::string body;

    std::string_view header(std::string_view name) const { return find_header(headers, name); }
    /// First value of that query parameter; nullptr when there is none.
    const std::string* parameter(std::string_view name) const;
};

struct Response {
    int status = 200;
    Headers headers;
    std::string body;  ///< JSON, always; problems as application/problem+json

    std::string_view header(std::string_view name) const { return find_header(headers, name); }
    bool ok() const { return status < 400; }
};

/// Called once, with the answer, on the thread that called `handle`.
using Respond = std::function<void(Response)>;

/// Splits "/v1/tasks?state=failed&limit=5" into path and query of `request`. False for a broken percent code.
bool parse_target(std::string_view target, Request& request);

/// The reverse, for clients.
std::string format_target(const Request& request);

}  // namespace pawl::server
