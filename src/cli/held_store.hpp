// This process works a file: the holder with everything that a file's holder has, the socket included.
#pragma once

#include "cli/store_url.hpp"
#include "net/http_server.hpp"
#include "runtime/holder.hpp"
#include "server/engine_port.hpp"
#include "server/router.hpp"

#include <pawl/result.hpp>

#include <memory>
#include <string>

namespace pawl::cli {

struct HeldStoreOptions {
    std::string program = "pawl";
    runtime::HolderOptions holder;
    /// How long to wait for another holder to leave.
    core::Micros lock_wait{std::chrono::seconds(5)};
    /// The store is that one of several; it may be away at the start, and its place not known yet.
    std::shared_ptr<ShardSet> shards{};
    std::size_t shard = 0;  ///< by the order of the URLs
};

class HeldStore {
public:
    /// A file: takes the lock (waits up to `lock_wait` for it), opens it, makes it when missing, listens on its socket.
    /// PostgreSQL: connects; other workers are as good as this one.
    /// Errors: those of open_sqlite and open_postgres.
    static Result<std::unique_ptr<HeldStore>> open(const StoreUrl& store, const runtime::Registry& registry,
                                                   HeldStoreOptions options);
    ~HeldStore();

    runtime::Holder& holder() { return *holder_; }
    /// Begins to claim.
    void work();
    /// Claims nothing more; clients that wait are told; `done` is called on the loop when all is handed back.
    void drain(std::function<void()> done);
    /// Closes the store and removes the socket; the loop does not run afterwards. Once. The file's lock goes with this
    /// object: functions that still run must not meet those of another holder. The answer: Holder::close_store.
    runtime::StoreEnd close_store();
    /// For who closes several: nothing of it runs any more, its parts still exist.
    void close();
    server::Router& router() { return *router_; }
    server::EnginePort& port() { return *port_; }

private:
    HeldStore() = default;

    std::unique_ptr<runtime::Holder> holder_;
    std::unique_ptr<server::EnginePort> port_;
    std::unique_ptr<server::Router> router_;
    std::unique_ptr<net::HttpServer> server_;
    std::string socket_;
};

}  // namespace pawl::cli
