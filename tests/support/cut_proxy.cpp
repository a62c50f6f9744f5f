#include "support/cut_proxy.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace pawl::test {
namespace {

constexpr std::string_view commit_asked("commit\0", 7), commit_answered("COMMIT\0", 7);

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

std::string received(int from) {
    std::string bytes(1 << 16, '\0');
    const ssize_t size = ::recv(from, bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
}

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t size = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

}  // namespace

CutProxy::CutProxy(int server_port) : server_port_(server_port) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    auto address = loopback(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listening_, 64), 0);
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
}

CutProxy::~CutProxy() {
    stopping_ = true;
    ::eventfd_write(wake_, 1);
    thread_.join();
    ::close(listening_);
    ::close(wake_);
}

void CutProxy::arm(Cut cut, std::size_t bytes, bool lingers) {
    std::lock_guard lock(mutex_);
    armed_ = {cut, bytes, lingers};
}

void CutProxy::disarm() {
    std::lock_guard lock(mutex_);
    armed_.reset();
}

void CutProxy::cut_off() {
    is_off_ = true;
    ::eventfd_write(wake_, 1);
}

void CutProxy::heal() { is_off_ = false; }

void CutProxy::freeze() {
    is_frozen_ = true;
    ::eventfd_write(wake_, 1);
}

void CutProxy::thaw() {
    is_frozen_ = false;
    ::eventfd_write(wake_, 1);
}

bool CutProxy::take(Cut cut) {
    std::lock_guard lock(mutex_);
    if (!armed_ || armed_->cut != cut) return false;
    lingers_ = armed_->lingers;
    kind_ = cut;
    armed_.reset();
    return true;
}

std::optional<std::size_t> CutProxy::due(Cut cut, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    if (!armed_ || armed_->cut != cut) return std::nullopt;
    if (armed_->bytes >= bytes) {
        armed_->bytes -= bytes;
        return std::nullopt;
    }
    const std::size_t left = armed_->bytes;
    lingers_ = armed_->lingers;
    kind_ = cut;
    armed_.reset();
    return left;
}

// ---- its thread --------------------------------------------------------------------------------------------------

void CutProxy::run() {
    while (!stopping_) {
        if (is_frozen_) {
            pollfd woken{wake_, POLLIN, 0};
            eventfd_t count = 0;
            if (::poll(&woken, 1, -1) > 0) ::eventfd_read(wake_, &count);
            continue;
        }
        std::vector<pollfd> entries{{listening_, POLLIN, 0}, {wake_, POLLIN, 0}};
        for (const Pair& pair : pairs_) {
            entries.push_back({pair.client, POLLIN, 0});
            entries.push_back({pair.server, POLLIN, 0});
        }
        if (::poll(entries.data(), entries.size(), -1) < 0) continue;
        eventfd_t count = 0;
        ::eventfd_read(wake_, &count);
        std::size_t at = 2;
        for (Pair& pair : pairs_) {
            if (is_off_) end(pair);
            if (!pair.is_over && entries[at].revents != 0) pass_from_client(pair);
            if (!pair.is_over && entries[at + 1].revents != 0) pass_from_server(pair);
            at += 2;
        }
        pairs_.remove_if([](const Pair& pair) { return pair.is_over; });
        if (entries[0].revents != 0) accept_one();
    }
    for (Pair& pair : pairs_) end(pair);
}

void CutProxy::accept_one() {
    Pair pair;
    pair.client = ::accept(listening_, nullptr, nullptr);
    if (pair.client < 0) return;
    pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(server_port_);
    const bool is_connected =
        !is_off_ && ::connect(pair.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (is_connected) pairs_.push_back(std::move(pair));
    else end(pair);
}

void CutProxy::end(Pair& pair) {
    if (pair.is_over) return;
    ::close(pair.client);
    ::close(pair.server);
    pair.is_over = true;
}

void CutProxy::cut(Pair& pair) {
    ++cuts_;
    ++cuts_of_[static_cast<std::size_t>(kind_)];
    if (!lingers_) {
        ::shutdown(pair.server, SHUT_WR);
        while (!received(pair.server).empty()) {}
    }
    end(pair);
}

void CutProxy::pass_from_client(Pair& pair) {
    const std::string bytes = received(pair.client);
    pair.sent += bytes;
    const bool has_commit = pair.sent.find(commit_asked) != std::string::npos;
    pair.sent.erase(0, pair.sent.size() - std::min(pair.sent.size(), commit_asked.size() - 1));
    if (bytes.empty()) return end(pair);
    if (has_commit && take(Cut::before_commit)) return cut(pair);
    const std::optional<std::size_t> left = due(Cut::at_bytes, bytes.size());
    if (!send_all(pair.server, std::string_view(bytes).substr(0, left.value_or(bytes.size()))) || left) {
        return left ? cut(pair) : end(pair);
    }
    if (has_commit) pair.commit_is_out = true;
    if (has_commit && take(Cut::during_commit)) cut(pair);
}

void CutProxy::pass_from_server(Pair& pair) {
    const std::string bytes = received(pair.server);
    if (bytes.empty()) return end(pair);
    const bool is_answer = bytes.find(commit_answered) != std::string::npos;
    if (pair.commit_is_out && is_answer) {
        pair.commit_is_out = false;
        if (take(Cut::after_commit)) return cut(pair);
    }
    const std::optional<std::size_t> left = due(Cut::in_answer, bytes.size());
    if (!send_all(pair.client, std::string_view(bytes).substr(0, left.value_or(bytes.size()))) || left) {
        return left ? cut(pair) : end(pair);
    }
}

}  // namespace pawl::test
