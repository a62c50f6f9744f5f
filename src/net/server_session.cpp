#include "net/server_session.hpp"

#include "core/assert.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <array>
#include <cstdio>

namespace pawl::net {

namespace {

constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t merged_body_max = 64 * 1024;
constexpr std::size_t linger_bytes_max = 1024 * 1024;
constexpr std::chrono::seconds linger_limit{2};

bool is_clean(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

/// What a handler holds: the right to answer one request, once.
struct HttpServer::Session::Promise {
    std::weak_ptr<Session> session;
    std::uint64_t request_no;
    bool kept = false;

    Promise(std::weak_ptr<Session> s, std::uint64_t no) : session(std::move(s)), request_no(no) {}
    Promise(const Promise&) = delete;
    Promise& operator=(const Promise&) = delete;
    ~Promise() {
        if (!kept) keep(problem(500, "Internal Server Error", "the request was dropped without an answer"));
    }
    void keep(ServerResponse response) {
        if (std::exchange(kept, true)) return;
        if (const auto s = session.lock()) s->respond(request_no, std::move(response));
    }
};

class HttpServer::Session::Stream final : public BodyStream {
public:
    Stream(std::weak_ptr<Session> session, std::uint64_t no) : session_(std::move(session)), request_no_(no) {}
    ~Stream() override {
        if (const auto s = open()) s->close();  // never finished: the caller must see a cut, not an end
    }
    bool write(std::string_view piece) override {
        const auto s = open();
        return s && s->queue_piece(piece);
    }
    void finish() override {
        if (const auto s = open()) s->end_stream();
    }
    void cut() override {
        if (const auto s = open()) s->close();
    }

private:
    std::shared_ptr<Session> open() const {
        auto s = session_.lock();
        const bool ours = s && s->request_no_ == request_no_ && s->phase_ == Phase::streaming && !s->stream_finished_;
        return ours ? s : nullptr;
    }
    std::weak_ptr<Session> session_;
    std::uint64_t request_no_;
};

HttpServer::Session::Session(std::shared_ptr<Core> core, AnySocket socket, bool local)
    : core_(std::move(core)), socket_(std::move(socket)), local_(local) {}

void HttpServer::Session::limit(core::Micros from_now) {
    deadline_ = SteadyClock::now() + from_now;
    core_->ask(deadline_);
}

Awaitable<void> HttpServer::Session::serve(std::shared_ptr<Session> self) {
    while (self->phase_ != Phase::closed) {
        RequestReader reader(
            {self->core_->options.header_bytes_max, self->core_->options.body_bytes_max, !self->local_});
        const bool got = co_await self->read_request(reader);
        if (self->phase_ == Phase::closed) co_return;
        self->keep_alive_ = got && reader.keep_alive() && !self->core_->stopping;
        self->chunked_ = !reader.http_1_0();
        self->head_only_ = reader.request().method == "HEAD";
        if (got) {
            self->dispatch(std::move(reader.request()));
            if (!self->answer_) {
                self->parked_ = true;
                self->watch_caller();
                co_return;
            }
        } else {
            self->answer_ = self->timed_out_ ? problem(408, "Request Timeout", "the request did not arrive in time")
                                             : reader.refusal();
            self->answer_->close = true;
        }
        const bool go_on = co_await self->send_answer();
        if (!go_on) co_return;
    }
}

Awaitable<void> HttpServer::Session::answer_then_serve(std::shared_ptr<Session> self) {
    const bool go_on = co_await self->send_answer();
    if (go_on) co_await serve(self);
}

// False: refused, timed out or closed.
Awaitable<bool> HttpServer::Session::read_request(RequestReader& reader) {
    timed_out_ = false;
    phase_ = buffer_.empty() ? Phase::between_requests : Phase::reading;
    limit(phase_ == Phase::reading ? core_->options.header_timeout : core_->options.idle_timeout);
    bool in_body = false;
    for (;;) {
        if (!buffer_.empty()) {
            const auto need = reader.go_on(buffer_);
            if (need == RequestReader::Need::nothing) co_return true;
            if (need == RequestReader::Need::refused) co_return false;
            if (reader.header_done() && !std::exchange(in_body, true)) limit(core_->options.body_timeout);
        }
        if (reader.take_expects_continue()) {
            const bool asked = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
            if (!asked) co_return false;
        }
        const std::size_t had = buffer_.size();
        buffer_.resize(had + read_bytes);
        auto [ec, n] = co_await socket_.async_read_some(asio::buffer(buffer_.data() + had, read_bytes), as_result);
        buffer_.resize(had + n);
        if (phase_ == Phase::closed || timed_out_) co_return false;
        if (ec) {
            close();
            co_return false;
        }
        if (phase_ == Phase::between_requests) {
            phase_ = Phase::reading;
            limit(core_->options.header_timeout);
        }
    }
}

void HttpServer::Session::dispatch(ServerRequest request) {
    phase_ = Phase::answering;
    deadline_ = SteadyTime::max();
    request.local = local_;
    caller_ = std::make_shared<Caller>();
    request.caller = caller_;
    const auto promise = std::make_shared<Promise>(weak_from_this(), ++request_no_);
    const Respond respond = [promise](ServerResponse response) { promise->keep(std::move(response)); };
    const auto handler = core_->handler;  // it may close the server, and so itself
    if (!handler) return close();
    try {
        handler(std::move(request), respond);
    } catch (const std::exception& e) { respond(problem(500, "Internal Server Error", e.what())); }
}

void HttpServer::Session::respond(std::uint64_t request_no, ServerResponse response) {
    if (phase_ != Phase::answering || request_no != request_no_ || answer_) return;
    answer_ = std::move(response);
    // Not parked: `serve` is still below us on the stack and goes on by itself.
    if (!std::exchange(parked_, false)) return;
    asio::co_spawn(core_->loop.get_executor(), answer_then_serve(shared_from_this()), asio::detached);
}

std::string HttpServer::Session::head_of(const ServerResponse& response) const {
    PAWL_ASSERT(response.status >= 200 && response.status <= 599);
    std::string head = (chunked_ ? "HTTP/1.1 " : "HTTP/1.0 ") + std::to_string(response.status) + " ";
    head += reason_phrase(response.status);
    head += "\r\n";
    const auto add = [&](std::string_view name, std::string_view value) {
        // Ours to write, but a value may quote a stranger's words.
        if (!is_clean(name) || !is_clean(value)) return;
        head += name;
        head += ": ";
        head += value;
        head += "\r\n";
    };
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    for (const auto& [name, value] : response.headers) add(name, value);
    if (!response.stream) {
        if (response.status != 204 && response.status != 304)
            add("Content-Length", std::to_string(response.body.size()));
    } else if (chunked_) {
        add("Transfer-Encoding", "chunked");
    }
    add("Connection", keep_alive_ ? "keep-alive" : "close");
    head += "\r\n";
    return head;
}

Awaitable<bool> HttpServer::Session::write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        limit(core_->options.write_timeout);
        auto [ec, n] = co_await socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()), as_result);
        if (ec || phase_ == Phase::closed) {
            close();
            co_return false;
        }
        bytes.remove_prefix(n);
    }
    co_return true;
}

Awaitable<bool> HttpServer::Session::send_answer() {
    PAWL_ASSERT(answer_);
    ServerResponse response = std::move(*answer_);
    answer_.reset();
    phase_ = Phase::writing;
    if (response.close || core_->stopping || (response.stream && !chunked_)) keep_alive_ = false;
    std::string head = head_of(response);
    const bool body = !head_only_ && !response.stream && response.status != 204 && response.status != 304;
    const bool merged = body && response.body.size() <= merged_body_max;
    if (merged) head += response.body;
    bool written = co_await write_all(head);
    if (written && body && !merged) written = co_await write_all(response.body);
    if (!written) co_return false;
    if (response.stream && !head_only_) {
        start_stream(response);
        co_return false;
    }
    caller_.reset();
    if (keep_alive_) co_return true;
    co_await linger();
    co_return false;
}

Awaitable<void> HttpServer::Session::linger() {
    phase_ = Phase::lingering;
    deadline_ = SteadyClock::now() + linger_limit;
    core_->ask(deadline_);
    ErrorCode ec;
    socket_.shutdown(asio::socket_base::shutdown_send, ec);
    // Closing with unread bytes makes the kernel send a reset, which can overtake the answer.
    std::array<char, 4096> dropped{};
    for (std::size_t total = 0; !ec && total < linger_bytes_max && phase_ != Phase::closed;) {
        auto [failed, n] = co_await socket_.async_read_some(asio::buffer(dropped), as_result);
        ec = failed;
        total += n;
    }
    close();
}

void HttpServer::Session::start_stream(const ServerResponse& response) {
    phase_ = Phase::streaming;
    deadline_ = SteadyTime::max();
    stream_finished_ = false;
    stream_pending_.clear();
    watch_caller();
    response.stream(std::make_shared<Stream>(weak_from_this(), request_no_));
}

bool HttpServer::Session::queue_piece(std::string_view piece) {
    if (piece.empty()) return true;
    if (stream_pending_.size() + stream_flying_.size() + piece.size() > core_->options.stream_buffer_max) {
        close();
        return false;
    }
    if (chunked_) {
        std::array<char, 20> size{};
        std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
        stream_pending_ += size.data();
    }
    stream_pending_ += piece;
    if (chunked_) stream_pending_ += "\r\n";
    pump();
    return true;
}

void HttpServer::Session::end_stream() {
    stream_finished_ = true;
    if (chunked_) stream_pending_ += "0\r\n\r\n";
    pump();
}

// Writes what is pending; while one write flies the next pieces gather.
void HttpServer::Session::pump() {
    if (!stream_flying_.empty()) return;
    if (stream_pending_.empty()) {
        deadline_ = SteadyTime::max();
        if (!stream_finished_) return;
        caller_.reset();
        if (!keep_alive_) return close();
        phase_ = Phase::between_requests;
        asio::co_spawn(core_->loop.get_executor(), serve(shared_from_this()), asio::detached);
        return;
    }
    stream_flying_.swap(stream_pending_);
    limit(core_->options.write_timeout);
    asio::async_write(socket_, asio::buffer(stream_flying_),
                      [self = shared_from_this()](const ErrorCode& ec, std::size_t) {
                          self->stream_flying_.clear();
                          if (self->phase_ == Phase::closed) return;
                          if (ec) return self->close();
                          self->pump();
                      });
}

// While an answer is awaited or streamed nothing is read, so a closed peer would go unseen.
void HttpServer::Session::watch_caller() {
    if (watching_ || phase_ == Phase::closed) return;
    watching_ = true;
    socket_.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](const ErrorCode& ec) {
        self->watching_ = false;
        if (ec || (self->phase_ != Phase::answering && self->phase_ != Phase::streaming)) return;
        char byte = 0;
        const auto got = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got > 0) return;  // the next request is here already; its sender is alive
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return self->watch_caller();
        self->caller_gone();
    });
}

void HttpServer::Session::caller_gone() {
    const auto caller = std::exchange(caller_, nullptr);
    close();
    if (!caller || caller->gone) return;
    caller->gone = true;
    if (const auto on_gone = std::exchange(caller->on_gone, nullptr)) on_gone();
}

void HttpServer::Session::expire() {
    if (phase_ == Phase::reading) {
        timed_out_ = true;
        deadline_ = SteadyTime::max();
        ErrorCode ignored;
        socket_.cancel(ignored);
        return;
    }
    if (caller_) return caller_gone();
    close();
}

void HttpServer::Session::stop() {
    keep_alive_ = false;
    if (phase_ == Phase::between_requests) close();
}

void HttpServer::Session::close() {
    if (phase_ == Phase::closed) return;
    phase_ = Phase::closed;
    deadline_ = SteadyTime::max();
    ErrorCode ignored;
    socket_.close(ignored);
    const auto self = shared_from_this();
    core_->remove(*this);
    if (caller_) caller_gone();
}

}  // namespace pawl::net
