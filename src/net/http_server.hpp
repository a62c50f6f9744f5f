// A small HTTP/1.1 server on the one loop: a Unix socket for our own command line, loopback TCP for tests and for
// local endpoints. What is ambiguous on the wire is refused and the connection closed.
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace pawl::net {

/// Who waits for an answer. Matters to answers that come late: nobody may be there any more.
struct Caller {
    bool gone = false;
    std::function<void()> on_gone;  ///< called once, on the loop thread, when the caller closes before the answer's end
};

struct ServerRequest {
    std::string method;
    std::string target;                                        ///< as it came: path and query, percent-encoded
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;
    bool local = false;  ///< came over the Unix socket: the peer is this user or root
    std::shared_ptr<Caller> caller;

    std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
    /// The raw query without '?', or empty.
    std::string_view query() const {
        const std::size_t at = target.find('?');
        return at == std::string::npos ? std::string_view{} : std::string_view(target).substr(at + 1);
    }
    /// First value of that header (name in lower case), or empty.
    std::string_view header(std::string_view name) const {
        for (const auto& [n, v] : headers)
            if (n == name) return v;
        return {};
    }
};

/// The body of an answer that is written piece by piece. Loop thread only.
class BodyStream {
public:
    virtual ~BodyStream() = default;
    /// Queues a piece. False when the caller is gone, or was cut off because it reads too slowly: more than
    /// `stream_buffer_max` bytes would wait.
    virtual bool write(std::string_view piece) = 0;
    /// Ends the body; the connection may serve the next request.
    virtual void finish() = 0;
    /// Closes the connection in the middle of the body; the caller sees a cut.
    virtual void cut() = 0;
};

struct ServerResponse {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;  ///< the connection ends with this answer
    /// When set, `body` is not sent: called with the stream once the head is on its way.
    std::function<void(std::shared_ptr<BodyStream>)> stream;
};

/// application/problem+json (RFC 9457) with that status, title and detail.
ServerResponse problem(int status, std::string_view title, std::string_view detail);

struct HttpServerOptions {
    std::size_t header_bytes_max = 8 * 1024;                ///< 431 beyond; 414 when the request line alone is longer
    std::size_t body_bytes_max = 4 * 1024 * 1024;           ///< 413 beyond
    std::size_t connections_max = 1'024;                    ///< 503 beyond
    std::size_t stream_buffer_max = 1024 * 1024;            ///< for each streamed answer
    core::Micros header_timeout{std::chrono::seconds(10)};  ///< from a request's first byte to the end of its headers
    core::Micros body_timeout{std::chrono::seconds(30)};    ///< for the whole body
    core::Micros idle_timeout{std::chrono::seconds(60)};    ///< between two requests
    core::Micros write_timeout{std::chrono::seconds(30)};   ///< without progress
};

/// Threads: everything on the loop's thread. It must be destroyed before the io_context; that closes all at once.
class HttpServer {
public:
    using Respond = std::function<void(ServerResponse)>;
    /// Called for each request. `respond` may be called at once or later, once; a second call does nothing, and when
    /// all copies are gone without a call the caller gets a 500.
    using Handler = std::function<void(ServerRequest, Respond)>;

    HttpServer(boost::asio::io_context& loop, Handler handler, HttpServerOptions options = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Listens on a Unix socket at `path`: mode 0600, and only peers of this user or root are served. A socket that
    /// a dead process left there is replaced, so the caller must hold whatever lock guards the path.
    /// Errors: `bad_input` (path too long, or something else than a socket is there), `refused` (system error).
    Result<void> listen_unix(const std::string& path);

    /// Listens on a loopback address; port 0 takes a free one. Returns the port. Requests must name a loopback host
    /// (Host, and Origin where present), or they get 403: no web page can reach it.
    /// Errors: `bad_input` (not a loopback address), `refused` (port taken, system error).
    Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port);

    /// Takes no more connections or requests; open requests are answered, then their connections close.
    void stop();
    /// Closes everything now.
    void close();

    std::size_t connections() const;

private:
    class Core;
    class Session;
    std::shared_ptr<Core> core_;
};

}  // namespace pawl::net
