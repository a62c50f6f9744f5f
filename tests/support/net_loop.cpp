#include "support/net_loop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace pawl::testing {

bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        if (loop.stopped()) loop.restart();
        loop.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
}

Answer exchange(boost::asio::io_context& loop, core::Net& net, core::HttpRequest request,
                std::function<void(std::string_view)> chunk) {
    std::optional<Answer> answer;
    const auto handle = net.send(
        std::move(request), [&](Answer a) { answer = std::move(a); }, std::move(chunk));
    if (!run_until(loop, [&] { return answer.has_value(); })) throw std::runtime_error("no answer within 20 s");
    return std::move(*answer);
}

RawPeer::RawPeer(std::function<void(int fd)> serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no listening socket");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            {
                const std::lock_guard lock(mutex_);
                serving_ = fd;
            }
            ++accepted_;
            serve_(fd);
            const std::lock_guard lock(mutex_);
            serving_ = -1;
            ::close(fd);
        }
    });
}

RawPeer::~RawPeer() {
    ::shutdown(listener_, SHUT_RDWR);
    {
        const std::lock_guard lock(mutex_);
        if (serving_ >= 0) ::shutdown(serving_, SHUT_RDWR);
    }
    thread_.join();
    ::close(listener_);
}

std::string RawPeer::url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

std::string read_until(int fd, std::string_view mark) {
    std::string all;
    std::array<char, 4096> bytes{};
    while (all.find(mark) == std::string::npos) {
        pollfd ready{fd, POLLIN, 0};
        if (::poll(&ready, 1, 20'000) <= 0) return all + "<nothing more within 20 s>";
        const auto n = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (n <= 0) break;
        all.append(bytes.data(), static_cast<std::size_t>(n));
    }
    return all;
}

std::string read_all(int fd) { return read_until(fd, std::string_view("\xff\xfe never sent", 14)); }

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

int connect_tcp(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd);
        return -1;
    }
    return fd;
}

TempDir::TempDir() {
    std::string made = "/tmp/pawl_test_XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = made;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace pawl::testing
