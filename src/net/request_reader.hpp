// Reads one HTTP/1.1 request from bytes, strictly. No sockets here, so that every rule is testable on text.
// For the .cpp files of src/net and its tests only.
#pragma once

#include "net/http_server.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::net {

struct ReaderLimits {
    std::size_t header_bytes_max = 8 * 1024;
    std::size_t body_bytes_max = 4 * 1024 * 1024;
    bool loopback_names_only = false;
};

/// Feed it what arrives; it takes one request, and leaves what follows in the buffer.
///
/// Refused, with an answer after which the connection must close: Content-Length beside Transfer-Encoding, either of
/// them twice, an encoding other than `chunked`, a length that is not digits, bare line feeds, folded headers, space
/// before a colon, a GET or HEAD with a body, no or two Host headers, absolute targets, and what Beast's parser
/// itself refuses. Two programs that read such a message differently are how requests are smuggled.
class RequestReader {
public:
    enum class Need { more, nothing, refused };

    explicit RequestReader(ReaderLimits limits);
    ~RequestReader();

    /// Goes on with `buffer`, from whose front what was used is removed.
    /// `nothing`: request() is whole. `refused`: refusal() says why.
    Need go_on(std::string& buffer);

    bool header_done() const { return header_done_; }
    /// True once, when the client waits for "100 Continue" before it sends the body.
    bool take_expects_continue() { return std::exchange(expects_continue_, false); }
    bool keep_alive() const { return keep_alive_; }
    bool http_1_0() const { return http_1_0_; }
    ServerRequest& request() { return request_; }
    ServerResponse refusal() const;

private:
    struct Parser;
    Need read_header(std::string& buffer);
    Need read_body(std::string& buffer);
    Need check_header();
    Need check_framing();
    Need check_names();
    Need refuse(int status, std::string why);

    ReaderLimits limits_;
    std::unique_ptr<Parser> parser_;
    std::size_t scanned_ = 0;
    bool header_done_ = false;
    bool expects_continue_ = false;
    bool keep_alive_ = true;
    bool http_1_0_ = false;
    ServerRequest request_;
    int refused_status_ = 0;
    std::string refused_why_;
};

/// The reason phrase of a status line.
std::string_view reason_phrase(int status);

}  // namespace pawl::net
