// HTTP/1.1 client on the one loop: keep-alive connections per host, TLS with verification.
#pragma once

#include "core/net.hpp"

#include <memory>

namespace boost::asio {
class io_context;
}

namespace pawl::net {

struct HttpClientOptions {
    std::size_t per_host_max = 256;  ///< connections to one (scheme, host, port); more exchanges wait
    std::size_t total_max = 1'024;   ///< connections in all
    core::Micros idle_close{std::chrono::seconds(20)};       ///< an unused connection is closed after
    core::Micros connect_timeout{std::chrono::seconds(10)};  ///< for each address of the name, TLS included
    std::string ca_file;                                     ///< PEM file trusted beside the system's certificates
};

/// core::Net over real sockets.
///
/// A connection that was kept alive and turns out dead before a byte of the request was taken is replaced by a
/// fresh one, unseen by the caller. Nothing else is repeated: that is the caller's decision.
/// An exchange that waits for a free connection is within its `timeout`, not its `idle`.
///
/// Threads: everything on the loop's thread, the destructor too. Destroying the client cancels all exchanges; it
/// must go before the io_context.
class HttpClient final : public core::Net {
public:
    explicit HttpClient(boost::asio::io_context& loop, HttpClientOptions options = {});
    ~HttpClient() override;

    std::unique_ptr<core::HttpExchange> send(core::HttpRequest request,
                                             std::function<void(std::variant<core::HttpResponse, core::NetError>)> done,
                                             std::function<void(std::string_view)> chunk = {}) override;

    /// Open connections, in use and idle.
    std::size_t connections() const;
    /// TCP connections made so far (tests see re-use by it).
    std::size_t connections_made() const;

private:
    class Pool;
    std::shared_ptr<Pool> pool_;
};

}  // namespace pawl::net
