#include "core/shards.hpp"

#include "core/assert.hpp"
#include "core/sha256.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace pawl::core {
namespace {

using Found = std::vector<std::optional<SchemaFound>>;

Error bad(std::string text) { return {Errc::bad_input, std::move(text) + "; nothing was changed"}; }

std::vector<std::string> sorted_ids(const Found& found) {
    std::vector<std::string> ids;
    for (const auto& schema : found) ids.push_back(schema->store_id);
    std::ranges::sort(ids);
    return ids;
}

std::string group_of(const std::vector<std::string>& ids) {
    std::string hashed;
    for (const std::string& id : ids) append_part(hashed, id);
    return to_hex(sha256(hashed)).substr(0, 32);
}

// The same schema under two names, or a copy of one beside it.
Result<void> check_distinct(const Found& found) {
    std::map<std::string, std::string> seen;
    for (const auto& schema : found) {
        if (!schema) continue;
        const auto [first, is_new] = seen.emplace(schema->store_id, schema->shown);
        if (!is_new)
            return bad(schema->shown + " and " + first->second +
                       " are one and the same schema, or one is a copy of the other; name each shard once");
    }
    return {};
}

// Those that are in a store already must all be in the same one.
Result<const SchemaFound*> find_part(const Found& found) {
    const SchemaFound* part = nullptr;
    std::map<int, std::string> numbers;
    for (const auto& schema : found) {
        if (!schema || !schema->place.is_part()) continue;
        if (!part) part = &*schema;
        const int shards = schema->place.shards;
        if (schema->place.group != part->place.group)
            return bad(schema->shown + " is a shard of another store than " + part->shown);
        if (shards != std::ssize(found))
            return bad(schema->shown + " is one of " + std::to_string(shards) + " shards, and " +
                       std::to_string(found.size()) + " were named; name all of its store, and no other");
        const auto [first, is_new] = numbers.emplace(schema->place.shard, schema->shown);
        if (!is_new)
            return bad(schema->shown + " and " + first->second + " are both shard " +
                       std::to_string(schema->place.shard) + "; name each shard once");
    }
    return part;
}

Result<void> check_fresh(const Found& found, const SchemaFound* part) {
    for (const auto& schema : found) {
        if (!schema || schema->place.is_part() || !schema->is_in_use) continue;
        const std::string beside = part ? "; it is no shard of the store of " + part->shown
                                        : "; only schemas that were never used can become the shards of one";
        return bad(schema->shown + " is a store of its own, with tasks or workers" + beside);
    }
    return {};
}

}  // namespace

int shard_of(const KeyName& key, int shards) {
    PAWL_ASSERT(shards >= 1 && shards <= shards_max);
    std::string hashed;
    for (const std::string* part : {&key.space, &key.type, &key.key}) append_part(hashed, *part);
    const Hash hash = sha256(hashed);
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 8; ++i) number = number << 8 | hash[i];
    return static_cast<int>(number % static_cast<std::uint64_t>(shards));
}

int shard_limit(int limit, const ShardPlace& place) {
    if (limit == 0 || place.shards == 1) return limit;
    const int rest = place.shard < limit % place.shards ? 1 : 0;
    return std::max(1, limit / place.shards + rest);
}

Result<std::vector<std::optional<ShardPlace>>> place_shards(const Found& found) {
    PAWL_ASSERT(found.size() >= 2 && found.size() <= shards_max);
    if (auto distinct = check_distinct(found); !distinct) return distinct.error();
    const auto part = find_part(found);
    if (!part) return part.error();
    if (auto fresh = check_fresh(found, *part); !fresh) return fresh.error();

    std::vector<std::optional<ShardPlace>> places;
    bool is_complete = true, is_whole = true;
    for (const auto& schema : found) {
        is_complete = is_complete && schema.has_value();
        is_whole = is_whole && (!schema || schema->place.is_part());
        places.push_back(schema ? std::optional(schema->place) : std::nullopt);
    }
    if (is_whole) return places;
    if (!is_complete)
        return Error{Errc::store_unavailable,
                     "these schemas are not yet the shards of a store, and not all of them can be reached to make it; "
                     "nothing was stored: try again when they are"};

    const std::vector<std::string> ids = sorted_ids(found);
    const std::string group = group_of(ids);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto number = std::ranges::lower_bound(ids, found[i]->store_id) - ids.begin();
        const ShardPlace place{static_cast<int>(number), static_cast<int>(found.size()), group};
        if (found[i]->place.is_part() && found[i]->place != place)
            return bad(found[i]->shown + " is a shard of a store with other schemas than those that were named");
        places[i] = place;
    }
    return places;
}

}  // namespace pawl::core
