// A scripted model endpoint over real HTTP, for a demonstration without a key.
#pragma once

#include "cli/demo/evidence.hpp"
#include "net/http_server.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace pawl::cli::demo {

/// Chat Completions on a free loopback port. It decides by the conversation alone, so it answers the same after a
/// crash: check_disk, clean_logs, check_disk, then a sentence that quotes the last measurement.
class StandIn {
public:
    StandIn();
    ~StandIn();

    /// Errors: those of the listening socket.
    Result<void> start();
    std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
    std::vector<ModelRequest> requests() const;

private:
    net::ServerResponse answer(const net::ServerRequest& request);

    boost::asio::io_context io_{1};
    std::unique_ptr<net::HttpServer> server_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<ModelRequest> requests_;
    std::thread thread_;
};

}  // namespace pawl::cli::demo
