// A store of several schemas, its shards: which of them a task lives on, and whether the schemas that were named are
// all of one store.
#pragma once

#include "core/tables.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pawl::core {

/// As many as the shard's byte of an id tells apart.
constexpr int shards_max = 256;

/// Where a schema stands in its store.
struct ShardPlace {
    int shard = 0;
    int shards = 1;
    std::string group;  ///< the same for all schemas of the store; empty: this schema is a store of its own

    bool is_part() const { return !group.empty(); }
    friend bool operator==(const ShardPlace&, const ShardPlace&) = default;
};

/// The shard of a submit with a key: the first 8 bytes, as a big-endian number, of the SHA-256 over namespace, type and
/// key, each with its length before it in 8 bytes, modulo `shards`. For ever the same: a key is found by it.
int shard_of(const KeyName& key, int shards);

/// One part of a limit of a whole queue: limit / shards, the rest to the first ones, and never below 1. 0 = no limit.
int shard_limit(int limit, const ShardPlace& place);

/// What a schema said of itself.
struct SchemaFound {
    std::string shown;     ///< its URL, for people
    std::string store_id;  ///< drawn when its tables were made; a copy of it has the same
    ShardPlace place;
    bool is_in_use = false;  ///< it has tasks, or somebody works it
};

/// Where each of the schemas stands, in their order; nothing for those that could not be asked.
///
/// Schemas that nobody has used become a store together: their numbers follow from their ids alone, so that whoever
/// names the same ones comes to the same places, in whatever order, and also after one who ended half-way.
/// Errors: bad_input when one is named twice, belongs to another store, is a store of its own in use, or when the
/// store has more or fewer; store_unavailable when they are not yet a store and not all could be asked.
Result<std::vector<std::optional<ShardPlace>>> place_shards(const std::vector<std::optional<SchemaFound>>& found);

}  // namespace pawl::core
