// PostgreSQL as a store: one schema, any number of processes. docs/dev/schema.md has its tables.
#pragma once

#include "core/ledger.hpp"
#include "core/shards.hpp"
#include "core/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pawl::store {

struct PostgresOptions {
    /// Shown to others as the name of this worker.
    std::string program = "pawl";
    /// Make the tables where there are none; otherwise their absence is not_found.
    bool create = true;
    /// What the schema must say of its place (store/postgres/postgres_shards.hpp); usually a store of its own.
    core::ShardPlace place{};
    /// Called from a thread of the store when another process did something that concerns this one: an empty batch
    /// sees it.
    std::function<void()> wake{};
    /// As of SqliteOptions; for what ran on this machine.
    std::function<void(const std::vector<std::string>&)> end_orphans{};
    /// Without a sign of life for this long a worker is declared dead.
    core::Micros lease_length = core::limits::lease_length;
    /// Once its session has ended, it is so sooner.
    core::Micros suspicion{std::chrono::seconds(1)};
    // For tests: this clock in place of the server's, and no thread that watches others.
    const core::Clock* clock = nullptr;
    std::vector<std::int32_t> dead{};  ///< and these workers are taken for dead at the opening
};

/// Connects, makes the tables where there are none, brings them up to date.
///
/// The store is registered as a worker with its first Claim; until then it is a client, which holds nothing. A batch is
/// durable when apply() returns. While the server is away apply() fails and keeps_batch() is true.
///
/// Errors: bad_input (the URL, or a schema with another place), refused (password, database, a server that would lose
/// what it acknowledges, a standby, a schema of others), store_newer, store_unavailable.
Result<std::unique_ptr<core::Store>> open_postgres(const std::string& url, const PostgresOptions& options = {},
                                                   core::MakeLedger make = core::make_ledger<core::AllGuards>);

/// Reads on a connection of its own; connects again by itself.
/// Errors: as above, and not_found where there are no tables.
Result<std::unique_ptr<core::Reader>> open_postgres_reader(const std::string& url, const core::ShardPlace& place = {});

}  // namespace pawl::store
