#include "net/request_reader.hpp"

#include "net/url.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace pawl::net {

namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

namespace {

bool same_word(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The host of "name", "name:port" or "[v6]:port".
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
    return authority.substr(0, authority.find(':'));
}

bool is_loopback_origin(std::string_view origin) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (origin.starts_with(scheme)) return is_loopback_name(host_of(origin.substr(scheme.size())));
    }
    return false;
}

}  // namespace

std::string_view reason_phrase(int status) {
    const auto text = http::obsolete_reason(static_cast<http::status>(status));
    return {text.data(), text.size()};
}

ServerResponse problem(int status, std::string_view title, std::string_view detail) {
    ServerResponse out;
    out.status = status;
    out.content_type = "application/problem+json";
    const boost::json::value body{{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
    out.body = boost::json::serialize(body);
    return out;
}

struct RequestReader::Parser {
    http::request_parser<http::string_body> http;
};

RequestReader::RequestReader(ReaderLimits limits) : limits_(limits), parser_(std::make_unique<Parser>()) {
    // Our own bound is on the bytes before the parser sees them; its own would cut a little earlier.
    parser_->http.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max + 1024));
    parser_->http.body_limit(limits_.body_bytes_max);
    parser_->http.eager(false);
}

RequestReader::~RequestReader() = default;

ServerResponse RequestReader::refusal() const {
    ServerResponse out = problem(refused_status_, reason_phrase(refused_status_), refused_why_);
    out.close = true;
    return out;
}

RequestReader::Need RequestReader::refuse(int status, std::string why) {
    refused_status_ = status;
    refused_why_ = std::move(why);
    return Need::refused;
}

RequestReader::Need RequestReader::go_on(std::string& buffer) {
    if (!header_done_) {
        if (const Need need = read_header(buffer); need != Need::nothing) return need;
    }
    return read_body(buffer);
}

RequestReader::Need RequestReader::read_header(std::string& buffer) {
    // A client may send an empty line before the request; an old one does after a POST.
    while (scanned_ == 0 && buffer.starts_with("\r\n")) buffer.erase(0, 2);
    const std::size_t from = scanned_ < 3 ? 0 : scanned_ - 3;
    const std::size_t end = buffer.find("\r\n\r\n", from);
    const std::size_t header_bytes = end == std::string::npos ? buffer.size() : end + 4;
    if (header_bytes > limits_.header_bytes_max) {
        const bool in_request_line = buffer.find('\n') >= limits_.header_bytes_max;
        const std::string limit = std::to_string(limits_.header_bytes_max) + " bytes";
        return in_request_line ? refuse(414, "the request line is longer than " + limit)
                               : refuse(431, "the headers are longer than " + limit);
    }
    if (end == std::string::npos) {
        scanned_ = buffer.size();
        // A bare line feed would let the wait for the end go on although other readers see one.
        if (buffer.find("\n\n") != std::string::npos) return refuse(400, "a line ends without carriage return");
        return Need::more;
    }
    const std::string_view header = std::string_view(buffer).substr(0, header_bytes);
    if (header.find("\n ") != std::string_view::npos || header.find("\n\t") != std::string_view::npos) {
        return refuse(400, "a header is folded over two lines");
    }
    ErrorCode ec;
    parser_->http.put(boost::asio::buffer(header.data(), header.size()), ec);
    if (ec == http::error::body_limit) {
        return refuse(413, "the body is longer than " + std::to_string(limits_.body_bytes_max) + " bytes");
    }
    if (ec || !parser_->http.is_header_done()) {
        return refuse(400, "malformed request: " + (ec ? ec.message() : std::string("incomplete header")));
    }
    buffer.erase(0, header_bytes);
    header_done_ = true;
    parser_->http.eager(true);
    return check_header();
}

RequestReader::Need RequestReader::check_header() {
    const auto& message = parser_->http.get();
    http_1_0_ = message.version() == 10;
    keep_alive_ = message.keep_alive();
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    // Copied before the body: trailers must not add to what was checked.
    for (const auto& field : message) {
        std::string name(field.name_string());
        for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        request_.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    if (message.version() != 10 && message.version() != 11) return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken");
    const std::string& target = request_.target;
    if (!target.starts_with('/') ||
        std::any_of(target.begin(), target.end(), [](char c) { return c <= ' ' || c >= 0x7f; })) {
        return refuse(400, "the target must be a path that starts with '/', in ASCII");
    }
    if (const Need need = check_framing(); need != Need::nothing) return need;
    return check_names();
}

RequestReader::Need RequestReader::check_framing() {
    const auto& message = parser_->http.get();
    const auto lengths = message.count(http::field::content_length);
    const auto encodings = message.count(http::field::transfer_encoding);
    if (lengths + encodings > 1) return refuse(400, "the length of the body is given twice");
    if (lengths == 1 && !all_digits(message[http::field::content_length])) {
        return refuse(400, "Content-Length is not a number");
    }
    if (encodings == 1 && (http_1_0_ || !same_word(message[http::field::transfer_encoding], "chunked"))) {
        return refuse(400, "the only Transfer-Encoding is chunked, with HTTP/1.1");
    }
    const bool has_body = encodings == 1 || (lengths == 1 && message[http::field::content_length] != "0");
    if (has_body && (request_.method == "GET" || request_.method == "HEAD")) {
        return refuse(400, request_.method + " takes no body");
    }
    const std::string_view content = request_.header("content-encoding");
    if (!content.empty() && !same_word(content, "identity")) {
        return refuse(415, "compressed bodies are not taken; send it without Content-Encoding");
    }
    const std::string_view expect = request_.header("expect");
    if (!expect.empty() && !same_word(expect, "100-continue")) return refuse(417, "only 100-continue may be expected");
    expects_continue_ = !expect.empty() && has_body && !http_1_0_;
    return Need::nothing;
}

RequestReader::Need RequestReader::check_names() {
    const auto& message = parser_->http.get();
    const auto hosts = message.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && !http_1_0_)) return refuse(400, "there must be one Host header");
    if (!limits_.loopback_names_only) return Need::nothing;
    // A web page can make its own name resolve to 127.0.0.1, but it cannot change what its browser says here.
    if (!is_loopback_name(host_of(request_.header("host")))) {
        return refuse(403, "this server answers to localhost and loopback addresses only");
    }
    if (message.count(http::field::origin) > 0 && !is_loopback_origin(request_.header("origin"))) {
        return refuse(403, "requests of web pages from other hosts are not taken");
    }
    return Need::nothing;
}

RequestReader::Need RequestReader::read_body(std::string& buffer) {
    auto& parser = parser_->http;
    while (!parser.is_done()) {
        if (buffer.empty()) return Need::more;
        ErrorCode ec;
        const std::size_t taken = parser.put(boost::asio::buffer(buffer.data(), buffer.size()), ec);
        buffer.erase(0, taken);
        if (ec == http::error::need_more) {
            // Only a chunk's size line or trailers wait for more; neither may grow without bound.
            if (buffer.size() > limits_.header_bytes_max) return refuse(400, "a chunk header or trailer is too long");
            return Need::more;
        }
        if (ec == http::error::body_limit) {
            return refuse(413, "the body is longer than " + std::to_string(limits_.body_bytes_max) + " bytes");
        }
        if (ec || taken == 0) return refuse(400, "malformed body: " + ec.message());
    }
    request_.body = std::move(parser.get().body());
    return Need::nothing;
}

}  // namespace pawl::net
