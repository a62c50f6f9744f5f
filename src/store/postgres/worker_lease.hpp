// A worker among others: its row, its sign of life, and the watch over the signs of the others. A thread with a
// connection of its own, so that a long batch is not taken for death.
//
// What counts is what was observed without a gap: how long this connection has not seen a worker renew its lease, or
// how long it has not seen the session that it had seen before. After a restart or a failover of the server every
// observation begins anew, so an outage hands nobody's task away.
#pragma once

#include "core/command.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/postgres_tables.hpp"

#include <pawl/result.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace pawl::store {

// The lock that a worker's session holds: numbers of workers are those of one schema, locks those of a database.
#define PAWL_PG_SESSION_LOCK                                                                                  \
    "locktype = 'advisory' and granted and objsubid = 2 and classid = (hashtext(current_schema())::bigint & " \
    "4294967295)::oid and objid = w.id::oid and database = (select oid from pg_database where datname = "     \
    "current_database())"

// The server's life: another one after a restart or a failover.
#define PAWL_PG_LIFE "pg_postmaster_start_time()::text || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"

// Others write, too: where they cannot call, this is how often one looks.
constexpr core::Micros look_again_blind = std::chrono::milliseconds(100);

class WorkerLease {
public:
    struct Options {
        std::string program;
        core::Micros length;     ///< of the lease
        core::Micros suspicion;  ///< between the end of a worker's session and its death
        std::function<void()> wake;
        bool watches = true;  ///< false: no thread; tests say who is dead
    };

    /// Registers a worker on `connection`. Errors: those of the connection.
    static Result<std::unique_ptr<WorkerLease>> take(PgConnection& connection, const core::Claim& claim,
                                                     Options options);
    ~WorkerLease();

    std::int32_t worker() const { return worker_; }
    /// The process gets on: without this between two renewals there is no second one.
    void beat() { beats_.fetch_add(1, std::memory_order_relaxed); }
    /// What the next look must know. What was asked for is asked again until settle().
    void fill(Membership& membership);
    /// The look has happened.
    void settle(const Membership& membership);
    /// Whether others can call: then it need not look so often.
    bool hears() const { return hears_; }
    /// The end: nothing is held any more.
    Result<void> leave(PgConnection& connection);

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Other {
        std::int64_t seen = 0;
        Time renewed{};                      // when `seen` was seen to change
        std::optional<Time> session_gone{};  // since when a session that had been there is not
        bool had_session = false;
    };

    WorkerLease(const PostgresUrl& url, std::int32_t worker, Options options);
    void run();
    bool connect();
    PgResult<void> hold_session();
    void turn();
    /// What was observed through the connection is void.
    void lose();
    PgResult<void> renew();
    PgResult<void> watch();
    void judge(Time now);
    void call();

    const PostgresUrl url_;
    const std::int32_t worker_;
    const Options options_;
    PgConnection connection_;
    std::map<std::int32_t, Other> others_;  // of the lease's thread
    bool has_session_ = false, has_told_of_pooler_ = false;
    Time renewed_{}, watched_{}, asked_{};
    std::uint64_t beats_at_renewal_ = 0;
    core::Micros wait_{};

    std::atomic<std::uint64_t> beats_{1};
    std::atomic<bool> hears_{false}, stopping_{false};
    std::mutex mutex_;
    std::set<std::int32_t> dead_;
    bool asks_all_ = false, has_posts_ = false;
    std::thread thread_;
};

/// The channel of a schema's notifications.
std::string notify_channel(const PostgresUrl& url);

}  // namespace pawl::store
