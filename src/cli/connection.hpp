// The way to a store: over the socket of the process that holds its file, or, when nobody does, in this process; to
// PostgreSQL always in this process.
#pragma once

#include "cli/store_url.hpp"
#include "core/validate.hpp"
#include "server/message.hpp"

#include <pawl/result.hpp>

#include <functional>
#include <memory>
#include <string>

namespace pawl::cli {

class ShardConnections;

/// What a verb needs of the file when no process holds it.
enum class Access {
    read,    ///< reads beside whoever holds it; the file must exist
    change,  ///< takes the lock; the file must exist
    create,  ///< takes the lock and makes the file when there is none
};

/// The `wait` of a question that the server may hold: seconds, rounded up to a millisecond.
std::string wait_seconds(core::Micros length);

class Connection {
public:
    /// What a program's registration adds to a submit when no process holds the file (server/port.hpp).
    using Defaults = std::function<void(core::SubmitRequest&)>;

    explicit Connection(StoreUrl store, Defaults defaults = {});
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Sends the request; any status is an answer. Between two holders (one leaves, another has the lock but no
    /// socket yet) it tries for 5 s.
    ///
    /// A request that may be repeated (GET, PUT, or one with a key or request id) is sent again when the holder left
    /// in the middle; for others that is `store_unavailable`: it may have happened.
    /// Errors: not_found (no such file); unreachable (the holder listens and does not answer); store_locked, which
    /// names the holder; what opening gives.
    Result<server::Response> call(Access access, const server::Request& request);

    /// Whether the newest answer came from this process: news have then to be looked for.
    bool direct() const { return direct_ != nullptr || shards_ != nullptr; }
    /// Whether it is known that nobody works the store.
    bool nobody_works() const { return direct() && store_.is_file(); }

    /// Lets go of the file; the next call finds a way again.
    void release();

    /// Blocks until something may have changed (a process took the file, or it was written to; on PostgreSQL after a
    /// while), at most `limit`. Of a file it lets go.
    void wait_for_change(core::Micros limit);

private:
    struct Direct;

    Result<server::Response> call_direct(Access access, const server::Request& request);
    Result<void> open_direct(Access access);
    Result<void> open_file(Access access);
    Result<void> open_server(Access access);

    StoreUrl store_;
    core::Micros pause_{};  // before the next look at a store that says nothing by itself
    Defaults defaults_;
    std::unique_ptr<Direct> direct_;
    std::unique_ptr<ShardConnections> shards_;  // of a store of several shards, in place of all the rest
};

}  // namespace pawl::cli
