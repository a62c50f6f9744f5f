// Blocking HTTP over a Unix socket: how the command line talks to the process that holds the file.
#pragma once

#include "core/net.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::net {

struct LocalRequest {
    std::string method = "GET";
    std::string target = "/";  ///< path and query
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    core::Micros timeout{std::chrono::seconds(30)};  ///< whole exchange; of a stream: between two arrivals
    std::size_t body_max = 64u << 20;
};

/// One connection for each call; no state between calls, so any thread may use it.
class UnixClient {
public:
    /// `stop_fd`: when it becomes readable (an eventfd, a signalfd) the call in progress ends with `stopping`;
    /// -1 = never. Not owned.
    explicit UnixClient(std::string path, int stop_fd = -1) : path_(std::move(path)), stop_fd_(stop_fd) {}

    /// Sends the request and waits for the whole answer, whatever its status.
    ///
    /// Errors: `unreachable` (nobody listens there: nothing happened), `timed_out` and `store_unavailable` (the
    /// connection was cut: it may have happened; repeat with the same key), `too_large`, `stopping`, `bad_input`
    /// (not HTTP).
    Result<core::HttpResponse> request(const LocalRequest& request) const;

    /// As `request`, but gives a 2xx body to `chunk` as it arrives, until the body ends or `chunk` returns false.
    /// The returned body is then empty. A body that is cut off is `store_unavailable`.
    Result<core::HttpResponse> stream(const LocalRequest& request,
                                      const std::function<bool(std::string_view)>& chunk) const;

private:
    Result<core::HttpResponse> exchange(const LocalRequest& request,
                                        const std::function<bool(std::string_view)>* chunk) const;
    std::string path_;
    int stop_fd_;
};

}  // namespace pawl::net
