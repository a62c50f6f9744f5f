// A store of several schemas on one or many servers: making it, and knowing its parts again.
#pragma once

#include "core/shards.hpp"
#include "store/postgres/connection.hpp"

#include <pawl/result.hpp>

#include <optional>
#include <string>
#include <vector>

namespace pawl::store {

/// What was found at one URL of a store.
struct PostgresShard {
    std::string shown;                      ///< the URL for people
    std::optional<core::ShardPlace> place;  ///< nothing while it cannot be reached
    std::optional<Error> away;              ///< why
};

/// Asks all schemas at once what they are; `create` makes the tables where there are none, and of unused schemas one
/// store (core::place_shards says when; it is the same whoever does it, and goes on where another ended).
///
/// Errors: bad_input (a URL, fewer than 2 or more than 256, schemas that are not those of one store), not_found (there
/// are no tables, without `create`), store_newer, store_unavailable (none can be reached, or not all for making it).
Result<std::vector<PostgresShard>> find_postgres_shards(const std::vector<std::string>& urls, bool create);

/// What one schema says of its place. Errors: as of open_postgres_reader.
Result<core::ShardPlace> read_postgres_place(const std::string& url);

/// A connection may work on what it was opened for only: a shard among its others, or a store of its own.
/// Errors: bad_input.
Result<void> check_place(PgConnection& connection, const core::ShardPlace& expected);

}  // namespace pawl::store
