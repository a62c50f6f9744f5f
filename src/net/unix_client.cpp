#include "net/unix_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace pawl::net {

namespace http = boost::beast::http;

namespace {

using Clock = std::chrono::steady_clock;

class Fd {
public:
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

/// A connected socket with one time limit for each wait.
class Line {
public:
    Line(Fd fd, std::string path, const LocalRequest& request, int stop_fd, bool restart)
        : fd_(std::move(fd)),
          path_(std::move(path)),
          limit_(request.timeout),
          stop_fd_(stop_fd),
          restart_(restart),
          deadline_(Clock::now() + limit_) {}

    Result<void> send_all(std::string_view bytes) {
        while (!bytes.empty()) {
            if (auto ready = wait(POLLOUT); !ready) return ready;
            const auto n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            // The peer may have refused half-way and closed: its answer can still be there to read.
            if (n < 0) return {};
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return {};
    }

    /// Appends what has arrived; false at the end of the connection.
    Result<bool> receive(std::string& buffer) {
        std::array<char, 16 * 1024> bytes;
        for (;;) {
            if (auto ready = wait(POLLIN); !ready) return ready.error();
            const auto n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (n <= 0) return false;
            buffer.append(bytes.data(), static_cast<std::size_t>(n));
            if (restart_) deadline_ = Clock::now() + limit_;
            return true;
        }
    }

    Error cut() const {
        return {Errc::store_unavailable, "the process behind " + path_ +
                                             " closed the connection before its answer was whole; what was asked "
                                             "may have happened: repeat it with the same key"};
    }

private:
    Result<void> wait(short events) {
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
            if (left <= 0) {
                return Error{Errc::timed_out, "no answer from the process behind " + path_ +
                                                  " in time; what was asked "
                                                  "may still happen"};
            }
            std::array<pollfd, 2> fds{pollfd{fd_.get(), events, 0}, pollfd{stop_fd_, POLLIN, 0}};
            const int some = ::poll(fds.data(), stop_fd_ >= 0 ? 2 : 1, static_cast<int>(std::min<long>(left, 60'000)));
            if (some > 0 && (fds[1].revents & POLLIN) != 0)
                return Error{Errc::stopping, "stopped while waiting for an answer"};
            if (some > 0) return {};
        }
    }

    Fd fd_;
    std::string path_;
    core::Micros limit_;
    int stop_fd_;
    bool restart_;  // each arrival starts the limit anew
    Clock::time_point deadline_;
};

Result<Fd> connect_to(const std::string& path, core::Micros timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return Error{Errc::bad_input, "socket path \"" + path + "\" is empty or longer than 107 bytes"};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // A full backlog makes connect wait; the limit holds for that too.
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    timeval limit{.tv_sec = seconds.count(), .tv_usec = (timeout - seconds).count()};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (fd.get() < 0 || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Error{Errc::unreachable, "nobody answers at " + path + ": " + std::strerror(errno)};
    }
    return fd;
}

std::string request_text(const LocalRequest& request) {
    std::string text = request.method + " " + request.target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
    if (!request.body.empty() || request.method != "GET") {
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return text + "\r\n" + request.body;
}

bool is_sendable(const LocalRequest& request) {
    const auto clean = [](std::string_view text, std::string_view bad) { return text.find_first_of(bad) == text.npos; };
    constexpr std::string_view breaks("\r\n\0", 3);
    bool ok =
        clean(request.method, std::string_view(" \r\n\0", 4)) && clean(request.target, std::string_view(" \r\n\0", 4));
    for (const auto& [name, value] : request.headers) ok = ok && clean(name, breaks) && clean(value, breaks);
    return ok;
}

core::HttpResponse to_response(http::response<http::string_body>&& message) {
    core::HttpResponse out;
    out.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
        std::string name(field.name_string());
        for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        out.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    out.body = std::move(message.body());
    return out;
}

}  // namespace

Result<core::HttpResponse> UnixClient::request(const LocalRequest& r) const { return exchange(r, nullptr); }

Result<core::HttpResponse> UnixClient::stream(const LocalRequest& r,
                                              const std::function<bool(std::string_view)>& chunk) const {
    return exchange(r, &chunk);
}

Result<core::HttpResponse> UnixClient::exchange(const LocalRequest& request,
                                                const std::function<bool(std::string_view)>* chunk) const {
    if (!is_sendable(request)) return Error{Errc::bad_input, "the request for " + path_ + " contains a line break"};
    auto fd = connect_to(path_, request.timeout);
    if (!fd) return fd.error();
    Line line(std::move(*fd), path_, request, stop_fd_, chunk != nullptr);
    if (auto sent = line.send_all(request_text(request)); !sent) return sent.error();

    http::response_parser<http::string_body> parser;
    parser.header_limit(64 * 1024);
    parser.body_limit(chunk ? boost::none : boost::optional<std::uint64_t>(request.body_max));
    parser.eager(true);
    if (request.method == "HEAD") parser.skip(true);
    std::string buffer;
    while (!parser.is_done()) {
        auto got = line.receive(buffer);
        if (!got) return got.error();
        boost::system::error_code ec;
        if (!*got) {
            if (parser.is_header_done()) parser.put_eof(ec);
            if (ec || !parser.is_done()) return line.cut();
        }
        while (!buffer.empty() && !parser.is_done() && !ec) {
            buffer.erase(0, parser.put(boost::asio::buffer(buffer.data(), buffer.size()), ec));
        }
        if (ec == http::error::body_limit) return Error{Errc::too_large, "the answer is longer than its limit"};
        if (ec && ec != http::error::need_more) {
            return Error{Errc::bad_input, "what listens at " + path_ + " does not speak HTTP: " + ec.message()};
        }
        std::string& body = parser.get().body();
        if (chunk && parser.is_header_done() && parser.get().result_int() / 100 == 2 && !body.empty()) {
            if (!(*chunk)(body)) break;
            body.clear();
        } else if (body.size() > request.body_max) {
            return Error{Errc::too_large, "the answer is longer than its limit"};
        }
    }
    return to_response(parser.release());
}

}  // namespace pawl::net
