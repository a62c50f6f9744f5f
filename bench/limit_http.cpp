// H64: a bare HTTP/1.1 server on one thread and a bare client beside it, 64 connections that are kept, one request
// each on its way at any time. No parsing beyond the end of a request: nothing that answers HTTP can be faster here.
#include "limits.hpp"
#include "measure.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string_view>
#include <thread>

namespace bench {
namespace {

constexpr int connections = 64;
constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

void watch(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Requests are sent whole and one at a time, so each readable moment is one request.
void serve(int listener, const std::atomic<bool>& stop) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    std::array<epoll_event, connections> events{};
    std::array<char, 4096> buffer{};
    while (!stop) {
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 50);
        for (int i = 0; i < n; i++) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
                no_delay(accepted);
                watch(epoll, accepted);
                continue;
            }
            const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0 || ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) ::close(fd);
        }
    }
    ::close(epoll);
}

int open_listener(sockaddr_in& address) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool ok = ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::listen(listener, 128) == 0 &&
                    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (!ok) give_up("no port on loopback");
    return listener;
}

}  // namespace

double measure_http(const Options& options) {
    sockaddr_in address{};
    const int listener = open_listener(address);
    std::atomic<bool> stop = false;
    std::thread server([&] { serve(listener, stop); });

    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<int> sockets;
    for (int i = 0; i < connections; i++) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            give_up("no connection to loopback");
        no_delay(fd);
        watch(epoll, fd);
        sockets.push_back(fd);
        (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    }
    std::array<epoll_event, connections> events{};
    std::array<char, 4096> buffer{};
    std::int64_t answers = 0;
    const std::int64_t start = now_ns();
    const std::int64_t end = start + (options.quick ? 700'000'000 : 3'000'000'000);
    while (now_ns() < end) {
        const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 50);
        for (int i = 0; i < n; i++) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0) give_up("the bare server hung up");
            answers++;
            (void)::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
        }
    }
    const double length_s = seconds(now_ns() - start);
    stop = true;
    server.join();
    for (const int fd : sockets) ::close(fd);
    ::close(epoll);
    ::close(listener);
    return static_cast<double>(answers) / length_s;
}

}  // namespace bench
