#include "net/http_server.hpp"

#include "core/assert.hpp"
#include "net/server_session.hpp"
#include "net/url.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace pawl::net {

namespace {

using AnyAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;

// Long enough that a process out of file descriptors does not spin, short enough to go unnoticed.
constexpr std::chrono::milliseconds accept_pause{50};

Error system_refusal(const std::string& what) { return {Errc::refused, what + ": " + std::strerror(errno)}; }

bool is_socket(const std::string& path, ino_t* inode = nullptr) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return false;
    if (inode) *inode = info.st_ino;
    return S_ISSOCK(info.st_mode);
}

/// The peer is this user or root.
bool is_own_peer(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace

struct HttpServer::Core::Listener {
    AnyAcceptor acceptor;
    std::string unix_path;  // empty = TCP
    ino_t inode = 0;

    explicit Listener(asio::io_context& loop) : acceptor(loop) {}
    bool local() const { return !unix_path.empty(); }
    void close() {
        ErrorCode ignored;
        acceptor.close(ignored);
        ino_t now = 0;
        // Only our own: a successor may have put its socket there already.
        if (local() && is_socket(unix_path, &now) && now == inode) ::unlink(unix_path.c_str());
    }
};

HttpServer::Core::Core(asio::io_context& loop_, Handler handler_, HttpServerOptions options_)
    : loop(loop_), handler(std::move(handler_)), options(options_) {}

HttpServer::Core::~Core() = default;

Result<void> HttpServer::Core::listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
        return Error{Errc::bad_input, "socket path \"" + path + "\" is empty or longer than 107 bytes"};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::access(path.c_str(), F_OK) == 0 && !is_socket(path)) {
        return Error{Errc::bad_input, path + " exists and is not a socket; move it away"};
    }
    ::unlink(path.c_str());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return system_refusal("cannot make a socket");
    auto listener = std::make_shared<Listener>(loop);
    ErrorCode ec;
    listener->acceptor.assign(asio::generic::stream_protocol(AF_UNIX, 0), fd, ec);
    PAWL_ASSERT(!ec);
    // The mode is set between bind and listen: until then nobody can connect, so there is no open moment.
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(fd, SOMAXCONN) != 0) {
        return system_refusal("cannot listen on " + path);
    }
    listener->unix_path = path;
    is_socket(path, &listener->inode);
    listeners_.push_back(listener);
    asio::co_spawn(loop.get_executor(), accept_all(shared_from_this(), listener), asio::detached);
    return {};
}

Result<std::uint16_t> HttpServer::Core::listen_tcp(const std::string& address, std::uint16_t port) {
    ErrorCode ec;
    const auto ip = asio::ip::make_address(address, ec);
    if (ec || !ip.is_loopback()) {
        return Error{Errc::bad_input, "\"" + address + "\" is not a loopback address such as 127.0.0.1"};
    }
    const tcp::endpoint endpoint(ip, port);
    auto listener = std::make_shared<Listener>(loop);
    auto& acceptor = listener->acceptor;
    const std::string where = address + ":" + std::to_string(port);
    acceptor.open(asio::generic::stream_protocol(endpoint.protocol().family(), endpoint.protocol().protocol()), ec);
    if (ec) return Error{Errc::refused, "cannot make a socket: " + ec.message()};
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    acceptor.bind(asio::generic::stream_protocol::endpoint(endpoint), ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return Error{Errc::refused, "cannot listen on " + where + ": " + ec.message()};
    tcp::endpoint bound;
    bound.resize(bound.capacity());
    auto length = static_cast<socklen_t>(bound.capacity());
    if (::getsockname(acceptor.native_handle(), bound.data(), &length) != 0)
        return system_refusal("cannot read the port");
    listeners_.push_back(listener);
    asio::co_spawn(loop.get_executor(), accept_all(shared_from_this(), listener), asio::detached);
    return bound.port();
}

Awaitable<void> HttpServer::Core::accept_all(std::shared_ptr<Core> self, std::shared_ptr<Listener> listener) {
    while (listener->acceptor.is_open()) {
        auto [ec, socket] = co_await listener->acceptor.async_accept(as_result);
        if (!listener->acceptor.is_open()) co_return;
        if (!ec) {
            self->admit(std::move(socket), *listener);
            continue;
        }
        SteadyTimer pause(self->loop);
        pause.expires_after(accept_pause);
        co_await pause.async_wait(as_result);
    }
}

void HttpServer::Core::admit(AnySocket socket, const Listener& listener) {
    const int fd = socket.native_handle();
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (listener.local() && !is_own_peer(fd)) return;
    ErrorCode ec;
    if (!listener.local()) socket.set_option(tcp::no_delay(true), ec);
    if (sessions_.size() >= options.connections_max) {
        constexpr std::string_view busy =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
        // One try: whoever comes in a flood gets no more of our time.
        [[maybe_unused]] const auto sent = ::send(fd, busy.data(), busy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    auto session = std::make_shared<Session>(shared_from_this(), std::move(socket), listener.local());
    session->index = sessions_.size();
    sessions_.push_back(session);
    asio::co_spawn(loop.get_executor(), Session::serve(session), asio::detached);
}

void HttpServer::Core::remove(Session& session) {
    PAWL_ASSERT(session.index < sessions_.size() && sessions_[session.index].get() == &session);
    sessions_.back()->index = session.index;
    std::swap(sessions_[session.index], sessions_.back());
    sessions_.pop_back();
    if (sessions_.empty() && timer_) timer_->cancel();
}

void HttpServer::Core::ask(SteadyTime at) {
    if (!timer_) {
        timer_ = std::make_unique<DeadlineTimer>(loop, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->sweep();
        });
    }
    timer_->ask(at);
}

void HttpServer::Core::sweep() {
    const SteadyTime now = SteadyClock::now();
    std::vector<std::shared_ptr<Session>> expired;
    SteadyTime next = SteadyTime::max();
    for (const auto& session : sessions_) {
        if (session->deadline() <= now) {
            expired.push_back(session);
        } else {
            next = std::min(next, session->deadline());
        }
    }
    if (next != SteadyTime::max()) ask(next);
    for (const auto& session : expired) {
        if (session->deadline() <= now) session->expire();
    }
}

void HttpServer::Core::stop() {
    stopping = true;
    for (const auto& listener : std::exchange(listeners_, {})) listener->close();
    const auto sessions = sessions_;
    for (const auto& session : sessions) session->stop();
}

void HttpServer::Core::close() {
    stop();
    const auto sessions = sessions_;
    for (const auto& session : sessions) session->close();
    handler = nullptr;
}

HttpServer::HttpServer(boost::asio::io_context& loop, Handler handler, HttpServerOptions options)
    : core_(std::make_shared<Core>(loop, std::move(handler), options)) {}

HttpServer::~HttpServer() { core_->close(); }

Result<void> HttpServer::listen_unix(const std::string& path) { return core_->listen_unix(path); }
Result<std::uint16_t> HttpServer::listen_tcp(const std::string& address, std::uint16_t port) {
    return core_->listen_tcp(address, port);
}
void HttpServer::stop() { core_->stop(); }
void HttpServer::close() { core_->close(); }
std::size_t HttpServer::connections() const { return core_->connections(); }

}  // namespace pawl::net
