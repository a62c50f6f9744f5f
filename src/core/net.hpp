// The engine's way to the network: HTTP requests, nothing else. Implemented in src/net; simulation replaces it.
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pawl::core {

struct HttpRequest {
    std::string method = "POST";
    std::string url;  ///< http:// or https://
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    Micros timeout{std::chrono::seconds(300)};  ///< of the whole exchange
    Micros idle{std::chrono::seconds(60)};      ///< between two arrivals of bytes, the first included
    std::size_t body_max = 8u << 20;            ///< a longer answer is cut and reported as `too_large`
};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;

    /// First value of that header (name in lower case), or empty.
    std::string_view header(std::string_view name) const {
        for (const auto& [n, v] : headers)
            if (n == name) return v;
        return {};
    }
};

/// Why an exchange gave no answer.
struct NetError {
    enum class Kind : std::uint8_t {
        bad_url,
        connect,  ///< name look-up, refused, unreachable, TLS hand-shake: the request did not leave
        reset,    ///< cut after the first byte went out: the peer may have acted
        timeout,  ///< `timeout` or `idle` passed
        too_large,
        cancelled,
        malformed,  ///< not HTTP
    };
    Kind kind = Kind::connect;
    std::string message;
    bool sent = false;  ///< the first byte of the request went out
};

/// One exchange that can be given up. Destroying it cancels: the callback is then not called.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
};

class Net {
public:
    virtual ~Net() = default;
    /// Starts an exchange. `done` is called once, later, on the loop thread, unless the exchange is destroyed first.
    /// `chunk`, when given, sees the body as it arrives (then HttpResponse::body stays empty).
    virtual std::unique_ptr<HttpExchange> send(HttpRequest request,
                                               std::function<void(std::variant<HttpResponse, NetError>)> done,
                                               std::function<void(std::string_view)> chunk = {}) = 0;
};

}  // namespace pawl::core
