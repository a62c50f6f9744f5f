#include "net/client_connection.hpp"

#include "core/assert.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace pawl::net {

namespace http = boost::beast::http;
using core::NetError;

namespace {

constexpr std::size_t header_bytes_max = 64 * 1024;
constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t merged_body_max = 16 * 1024;  // below, one buffer and one TLS record

/// Where the parser puts the body: into the response, or to the caller as it arrives.
struct Arriving {
    Call* call = nullptr;
    bool streamed = false;
    std::string text;
};

struct ArrivingBody {
    using value_type = Arriving;
    class reader {
    public:
        using Header = http::header<false, http::fields>;
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields>& header, Arriving& arriving) : arriving_(arriving) {
            if constexpr (std::is_same_v<http::header<is_request, Fields>, Header>) header_ = &header;
        }
        // Called when the header is complete, the constructor long before.
        void init(const boost::optional<std::uint64_t>& length, ErrorCode& ec) {
            ec = {};
            arriving_.streamed = arriving_.call->chunk && header_->result_int() / 100 == 2;
            // The peer's word is not trusted with memory before its bytes are here.
            if (length && !arriving_.streamed) arriving_.text.reserve(std::min<std::uint64_t>(*length, 1u << 20));
        }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, ErrorCode& ec) {
            ec = {};
            std::size_t taken = 0;
            for (const asio::const_buffer part : boost::beast::buffers_range_ref(buffers)) {
                const std::string_view bytes{static_cast<const char*>(part.data()), part.size()};
                taken += bytes.size();
                if (!arriving_.streamed) {
                    arriving_.text.append(bytes);
                    continue;
                }
                Call& call = *arriving_.call;
                if (call.over) break;
                call.in_chunk = true;
                call.chunk(bytes);
                call.in_chunk = false;
            }
            return taken;
        }
        void finish(ErrorCode& ec) { ec = {}; }

    private:
        const Header* header_ = nullptr;
        Arriving& arriving_;
    };
};

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_header_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

NetError connect_error(const Url& url, const std::string& why) {
    return {NetError::Kind::connect, "cannot connect to " + url.authority() + ": " + why, false};
}

NetError read_error(const Url& url, const ErrorCode& ec, std::size_t body_max) {
    if (ec == http::error::body_limit || ec == http::error::buffer_overflow) {
        return {NetError::Kind::too_large,
                "the answer of " + url.authority() + " is longer than " + std::to_string(body_max) + " bytes", true};
    }
    if (ec == http::error::header_limit) {
        return {NetError::Kind::too_large, "the answer of " + url.authority() + " has more than 64 KiB of headers",
                true};
    }
    return {NetError::Kind::malformed, "the answer of " + url.authority() + " is not HTTP/1.1: " + ec.message(), true};
}

NetError cut_error(const Url& url, const ErrorCode& ec, bool sent) {
    const std::string why = ec == asio::error::eof ? "it closed the connection" : ec.message();
    return {NetError::Kind::reset,
            "the connection to " + url.authority() + " was cut before the answer was whole: " + why, sent};
}

std::optional<std::chrono::seconds> keep_alive_limit(std::string_view header) {
    const std::size_t at = header.find("timeout=");
    if (at == std::string_view::npos) return std::nullopt;
    unsigned seconds = 0;
    const char* begin = header.data() + at + 8;
    if (std::from_chars(begin, header.data() + header.size(), seconds).ec != std::errc{}) return std::nullopt;
    return std::chrono::seconds(seconds);
}

core::HttpResponse to_response(http::response<ArrivingBody>&& message) {
    core::HttpResponse out;
    out.status = static_cast<int>(message.result_int());
    out.headers.reserve(8);
    for (const auto& field : message) {
        std::string name(field.name_string());
        for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        out.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    out.body = std::move(message.body().text);
    return out;
}

}  // namespace

Result<std::string> request_head(const core::HttpRequest& request, const Url& url) {
    if (!is_token(request.method)) return Error{Errc::bad_input, "HTTP method \"" + request.method + "\" is malformed"};
    std::string head;
    head.reserve(256);
    head += request.method + " " + url.target + " HTTP/1.1\r\nHost: " + url.authority() + "\r\n";
    for (const auto& [name, value] : request.headers) {
        // The value stays out of the message: it may be a key.
        if (!is_token(name) || !is_header_value(value)) {
            return Error{Errc::bad_input, "request header \"" + name + "\" has a line break or a malformed name"};
        }
        head += name + ": " + value + "\r\n";
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
        head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    head += "\r\n";
    return head;
}

Connection::Connection(asio::io_context& loop, TlsClient& tls, Url url, std::string host_key)
    : loop_(loop), tls_client_(tls), url_(std::move(url)), host_key_(std::move(host_key)), socket_(loop) {}

void Connection::close() {
    ErrorCode ignored;
    socket_.close(ignored);
    if (tls_ && open_) TlsClient::retire(*tls_);
    open_ = false;
    address_deadline_.reset();
}

void Connection::drop_slow_address(SteadyTime now) {
    if (address_deadline_ && now >= *address_deadline_) close();
}

bool Connection::is_alive() {
    char byte = 0;
    const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

Awaitable<std::optional<NetError>> Connection::open(std::shared_ptr<Call> call, core::Micros address_limit,
                                                    std::function<void(SteadyTime)> ask_timer) {
    std::vector<tcp::endpoint> endpoints;
    ErrorCode parsed;
    const auto address = asio::ip::make_address(url_.host, parsed);
    if (!parsed) {
        endpoints.emplace_back(address, url_.port);
    } else {
        asio::ip::basic_resolver<tcp, Executor> resolver(loop_);
        auto [ec, found] = co_await resolver.async_resolve(url_.host, std::to_string(url_.port), as_result);
        if (ec) co_return connect_error(url_, "the name cannot be looked up: " + ec.message());
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    std::optional<NetError> failed = connect_error(url_, "the name has no address");
    for (const tcp::endpoint& endpoint : endpoints) {
        if (call->over) break;
        close();
        address_deadline_ = SteadyClock::now() + address_limit;
        ask_timer(*address_deadline_);
        failed = co_await connect(endpoint, *call);
        if (!failed) break;
    }
    co_return failed;
}

Awaitable<std::optional<NetError>> Connection::connect(const tcp::endpoint& endpoint, const Call& call) {
    ErrorCode ec;
    socket_.open(endpoint.protocol(), ec);
    if (ec) {
        co_await asio::post(as_result);  // nobody hears of a failure while still inside send()
        co_return connect_error(url_, ec.message());
    }
    ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
    auto [refused] = co_await socket_.async_connect(endpoint, as_result);
    if (call.over) co_return connect_error(url_, "given up");
    if (refused == asio::error::operation_aborted) co_return connect_error(url_, "no answer in time");
    if (refused) co_return connect_error(url_, refused.message());
    socket_.set_option(tcp::no_delay(true), ec);
    socket_.set_option(asio::socket_base::keep_alive(true), ec);
    tls_.reset();
    buffer_.clear();
    if (url_.tls) {
        auto made = tls_client_.stream(socket_, url_.host, host_key_);
        if (!made) co_return connect_error(url_, made.error().message);
        tls_ = std::move(*made);
        auto [shaken] = co_await tls_->async_handshake(asio::ssl::stream_base::client, as_result);
        if (call.over) co_return connect_error(url_, "given up");
        if (shaken == asio::error::operation_aborted) co_return connect_error(url_, "no TLS hand-shake in time");
        if (shaken) co_return connect_error(url_, "TLS: " + TlsClient::failure_text(*tls_, shaken));
    }
    address_deadline_.reset();
    open_ = true;
    used = false;
    co_return std::nullopt;
}

Awaitable<Outcome> Connection::exchange(std::shared_ptr<Call> call) {
    if (tls_) co_return co_await exchange_on(*tls_, std::move(call));
    co_return co_await exchange_on(socket_, std::move(call));
}

template <class Stream>
Awaitable<Outcome> Connection::exchange_on(Stream& stream, std::shared_ptr<Call> call) {
    const ErrorCode unsent = co_await write_request(stream, *call);
    Outcome outcome;
    if (unsent && !call->sent) {
        outcome.untouched = true;
        outcome.error = cut_error(url_, unsent, false);
        co_return outcome;
    }
    // A peer may refuse half-way (413, 401) and close: its answer can still be there to read.
    outcome = co_await read_response(stream, *call);
    if (unsent) outcome.reusable = false;
    co_return outcome;
}

template <class Stream>
Awaitable<ErrorCode> Connection::write_request(Stream& stream, Call& call) {
    auto head = request_head(call.request, call.url);
    PAWL_ASSERT(head.has_value());
    const bool merged = call.request.body.size() <= merged_body_max;
    if (merged) *head += call.request.body;
    const std::string_view parts[] = {*head, merged ? std::string_view{} : std::string_view{call.request.body}};
    // What TLS has taken when it fails is not known: count it as sent.
    if (url_.tls) call.sent = true;
    for (std::string_view rest : parts) {
        while (!rest.empty()) {
            auto [ec, n] = co_await stream.async_write_some(asio::buffer(rest.data(), rest.size()), as_result);
            if (n > 0) call.sent = true;
            if (ec) co_return ec;
            if (call.over) co_return asio::error::operation_aborted;
            call.last_byte = SteadyClock::now();
            rest.remove_prefix(n);
        }
    }
    co_return ErrorCode{};
}

template <class Stream>
Awaitable<Outcome> Connection::read_response(Stream& stream, Call& call) {
    Outcome outcome;
    bool ended = false;
    std::optional<http::response_parser<ArrivingBody>> parser;
    const auto expect_response = [&] {
        parser.emplace();
        parser->header_limit(header_bytes_max);
        parser->body_limit(call.request.body_max);
        parser->eager(true);
        if (call.request.method == "HEAD") parser->skip(true);
        parser->get().body().call = &call;
    };
    expect_response();
    for (;;) {
        ErrorCode ec;
        while (buffer_.size() > 0 && !parser->is_done()) {
            const std::size_t taken = parser->put(buffer_.data(), ec);
            buffer_.consume(taken);
            if (ec || taken == 0) break;
        }
        if (ec && ec != http::error::need_more) {
            outcome.error = read_error(url_, ec, call.request.body_max);
            co_return outcome;
        }
        if (call.over) co_return outcome;
        if (parser->is_done()) {
            if (parser->get().result_int() / 100 != 1) break;
            expect_response();  // "100 Continue" and its like come before the answer
            continue;
        }
        auto [failed, n] = co_await stream.async_read_some(buffer_.prepare(read_bytes), as_result);
        if (call.over) co_return outcome;
        buffer_.commit(n);
        call.last_byte = SteadyClock::now();
        if (!failed) continue;
        // Over TLS a body that ends with the connection must end with a close_notify (eof), or it may be cut.
        if (failed == asio::error::eof && parser->is_header_done()) {
            parser->put_eof(ec);
            ended = true;
            if (!ec && parser->is_done()) break;
        }
        outcome.error = cut_error(url_, failed, call.sent);
        co_return outcome;
    }
    outcome.reusable = !ended && parser->get().keep_alive() && buffer_.size() == 0;
    outcome.keep_alive = keep_alive_limit(parser->get()[http::field::keep_alive]);
    outcome.response = to_response(parser->release());
    co_return outcome;
}

}  // namespace pawl::net
