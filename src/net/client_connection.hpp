// One exchange and one connection of the HTTP client. For the .cpp files of src/net only.
#pragma once

#include "core/net.hpp"
#include "net/asio_types.hpp"
#include "net/tls_client.hpp"
#include "net/url.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <optional>

namespace pawl::net {

class Connection;

/// What one `send` asked for, and how far it is.
struct Call {
    core::HttpRequest request;
    Url url;
    std::string host_key;
    std::function<void(std::variant<core::HttpResponse, core::NetError>)> done;
    std::function<void(std::string_view)> chunk;

    SteadyTime deadline{};
    SteadyTime last_byte{};                  ///< when a byte last went or came
    std::shared_ptr<Connection> connection;  ///< while it has one
    bool sent = false;
    bool over = false;  ///< answered, failed or cancelled: the coroutine must only tidy up
    bool in_chunk = false;
    std::size_t index = 0;  ///< place among the pool's live calls
};

/// How an exchange on a connection ended.
struct Outcome {
    std::optional<core::NetError> error;
    core::HttpResponse response;
    bool reusable = false;                             ///< the connection may serve another exchange
    bool untouched = false;                            ///< failed, and the peer's kernel took no byte of it
    std::optional<std::chrono::seconds> keep_alive{};  ///< how long the peer said it keeps the connection
};

/// A connection to one host. Its coroutines run one at a time; `close` makes the running one end soon.
class Connection {
public:
    Connection(asio::io_context& loop, TlsClient& tls, Url url, std::string host_key);

    /// Looks the name up and connects, one address after the other, each for at most `address_limit`.
    Awaitable<std::optional<core::NetError>> open(std::shared_ptr<Call> call, core::Micros address_limit,
                                                  std::function<void(SteadyTime)> ask_timer);
    /// Sends the call's request and reads the answer.
    Awaitable<Outcome> exchange(std::shared_ptr<Call> call);

    void close();
    /// Gives up the address that is being tried, if its time is over.
    void drop_slow_address(SteadyTime now);
    std::optional<SteadyTime> address_deadline() const { return address_deadline_; }

    bool is_open() const { return open_; }
    /// False when the peer has closed the idle connection or sent something nobody asked for.
    bool is_alive();
    const std::string& host_key() const { return host_key_; }

    SteadyTime idle_until{};
    bool used = false;  ///< it has carried an exchange

private:
    Awaitable<std::optional<core::NetError>> connect(const tcp::endpoint& endpoint, const Call& call);
    template <class Stream>
    Awaitable<Outcome> exchange_on(Stream& stream, std::shared_ptr<Call> call);
    template <class Stream>
    Awaitable<ErrorCode> write_request(Stream& stream, Call& call);
    template <class Stream>
    Awaitable<Outcome> read_response(Stream& stream, Call& call);

    asio::io_context& loop_;
    TlsClient& tls_client_;
    Url url_;
    std::string host_key_;
    TcpSocket socket_;
    std::unique_ptr<TlsStream> tls_;
    boost::beast::flat_buffer buffer_;
    std::optional<SteadyTime> address_deadline_;
    bool open_ = false;
};

/// The request line and headers as they go on the wire, or why they must not.
Result<std::string> request_head(const core::HttpRequest& request, const Url& url);

}  // namespace pawl::net
