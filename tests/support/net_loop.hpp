// A loop run by the test itself, and peers made of raw sockets that misbehave on purpose.
#pragma once

#include "core/net.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace pawl::testing {

/// Runs `loop` until `done()` says true; a test that would hang fails after `limit`.
bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done,
               std::chrono::seconds limit = std::chrono::seconds(20));

using Answer = std::variant<core::HttpResponse, core::NetError>;

/// Sends and runs the loop until the answer is there.
Answer exchange(boost::asio::io_context& loop, core::Net& net, core::HttpRequest request,
                std::function<void(std::string_view)> chunk = {});

/// Listens on 127.0.0.1; a thread of its own gives each accepted socket to `serve`, one after the other, which may
/// read, write and return (then it is closed).
class RawPeer {
public:
    explicit RawPeer(std::function<void(int fd)> serve);
    ~RawPeer();
    std::uint16_t port() const { return port_; }
    std::string url(const std::string& path = "/") const;
    int accepted() const { return accepted_; }

private:
    std::function<void(int)> serve_;
    int listener_ = -1;
    std::mutex mutex_;
    int serving_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_{0};
    std::thread thread_;
};

/// Reads from a socket until `mark` was seen or the peer closed; returns all that came.
std::string read_until(int fd, std::string_view mark);
/// Reads until the peer closes.
std::string read_all(int fd);
void write_all(int fd, std::string_view bytes);
/// A blocking socket connected to 127.0.0.1.
int connect_tcp(std::uint16_t port);

/// A folder of its own, removed with its content at the end.
class TempDir {
public:
    TempDir();
    ~TempDir();
    std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace pawl::testing
