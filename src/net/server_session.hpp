// One connection of the HTTP server. For the .cpp files of src/net only.
#pragma once

#include "net/asio_types.hpp"
#include "net/deadline_timer.hpp"
#include "net/http_server.hpp"
#include "net/request_reader.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

#include <optional>

namespace pawl::net {

using AnySocket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

/// What the sessions share; see http_server.cpp.
class HttpServer::Core : public std::enable_shared_from_this<Core> {
public:
    Core(asio::io_context& loop, Handler handler, HttpServerOptions options);
    ~Core();

    Result<void> listen_unix(const std::string& path);
    Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port);
    void stop();
    void close();

    void remove(Session& session);
    void ask(SteadyTime at);
    std::size_t connections() const { return sessions_.size(); }

    asio::io_context& loop;
    Handler handler;
    HttpServerOptions options;
    bool stopping = false;

private:
    struct Listener;
    static Awaitable<void> accept_all(std::shared_ptr<Core> self, std::shared_ptr<Listener> listener);
    void admit(AnySocket socket, const Listener& listener);
    void sweep();

    std::vector<std::shared_ptr<Listener>> listeners_;
    std::vector<std::shared_ptr<Session>> sessions_;
    std::unique_ptr<DeadlineTimer> timer_;
};

/// Reads a request, hands it over, writes the answer, again and again. While an answer is awaited no coroutine
/// exists: a parked long poll costs a socket and this object.
class HttpServer::Session : public std::enable_shared_from_this<Session> {
public:
    Session(std::shared_ptr<Core> core, AnySocket socket, bool local);

    /// Runs until an answer must be waited for or the connection ends.
    static Awaitable<void> serve(std::shared_ptr<Session> self);
    void respond(std::uint64_t request_no, ServerResponse response);

    SteadyTime deadline() const { return deadline_; }
    /// The deadline has passed: a half-read request gets a 408, anything else is closed.
    void expire();
    void stop();
    void close();

    std::size_t index = 0;  ///< place among the core's sessions

private:
    enum class Phase : std::uint8_t { between_requests, reading, answering, writing, streaming, lingering, closed };
    class Stream;
    struct Promise;

    Awaitable<bool> read_request(RequestReader& reader);
    Awaitable<bool> write_all(std::string_view bytes);
    /// Writes the answer that is due; false when `serve` has nothing more to do.
    Awaitable<bool> send_answer();
    /// Closes so that an answer to a request that was not read to its end still arrives.
    Awaitable<void> linger();
    static Awaitable<void> answer_then_serve(std::shared_ptr<Session> self);
    void dispatch(ServerRequest request);
    std::string head_of(const ServerResponse& response) const;
    void start_stream(const ServerResponse& response);
    bool queue_piece(std::string_view piece);
    void pump();
    void end_stream();
    void watch_caller();
    void caller_gone();
    void limit(core::Micros from_now);

    std::shared_ptr<Core> core_;
    AnySocket socket_;
    bool local_;
    std::string buffer_;
    Phase phase_ = Phase::between_requests;
    SteadyTime deadline_ = SteadyTime::max();
    bool timed_out_ = false;
    bool watching_ = false;
    bool parked_ = false;

    std::uint64_t request_no_ = 0;
    bool keep_alive_ = true;
    bool chunked_ = true;
    bool head_only_ = false;
    std::shared_ptr<Caller> caller_;
    std::optional<ServerResponse> answer_;

    std::string stream_pending_, stream_flying_;
    bool stream_finished_ = false;
};

}  // namespace pawl::net
