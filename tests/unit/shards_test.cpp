#include "core/shards.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace pawl::core {
namespace {

SchemaFound fresh(const std::string& id) { return {"postgres://" + id, id, {}, false}; }

std::vector<std::optional<SchemaFound>> three() { return {fresh("b"), fresh("c"), fresh("a")}; }

// As it is after whoever names them has made them a store.
std::vector<std::optional<SchemaFound>> made(std::vector<std::optional<SchemaFound>> found) {
    const auto places = place_shards(found).value();
    for (std::size_t i = 0; i < found.size(); ++i) found[i]->place = *places[i];
    return found;
}

std::string refusal(const std::vector<std::optional<SchemaFound>>& found, Errc code = Errc::bad_input) {
    const auto places = place_shards(found);
    EXPECT_TRUE(places.has_error());
    if (places) return {};
    EXPECT_EQ(places.error().code, code);
    return places.error().message;
}

TEST(Shards, TheShardOfAKeyStaysTheSameForEver) {
    // A key that was stored is found by it: these values may never change.
    const auto of = [](const KeyName& key) {
        return std::array{shard_of(key, 1), shard_of(key, 2), shard_of(key, 3), shard_of(key, 8), shard_of(key, 256)};
    };
    EXPECT_EQ(of({"default", "deploy", "web-7"}), (std::array{0, 0, 1, 2, 66}));
    EXPECT_EQ(of({"default", "echo", "k"}), (std::array{0, 1, 1, 1, 1}));
    EXPECT_EQ(of({"default", "agent", "schl\u00fcssel"}), (std::array{0, 0, 2, 2, 26}));
    EXPECT_EQ(of({"tenant", "echo", "k"}), (std::array{0, 0, 1, 4, 148}));
    EXPECT_EQ(of({"default", "echok", ""}), (std::array{0, 0, 2, 0, 248}));
}

TEST(Shards, KeysSpreadOverAllShards) {
    std::array<int, 8> counts{};
    for (int i = 0; i < 8'000; ++i)
        ++counts[static_cast<std::size_t>(shard_of({"default", "echo", std::to_string(i)}, 8))];
    for (const int count : counts) EXPECT_NEAR(count, 1'000, 150);
}

TEST(Shards, TheirPartsOfALimitAreTheLimitUnlessItIsBelowOneEach) {
    for (const int limit : {8, 9, 15, 1'000'003}) {
        int sum = 0;
        for (int shard = 0; shard < 8; ++shard) sum += shard_limit(limit, {shard, 8, "g"});
        EXPECT_EQ(sum, limit);
    }
    EXPECT_EQ(shard_limit(3, {7, 8, "g"}), 1) << "0 would be no limit";
    EXPECT_EQ(shard_limit(0, {7, 8, "g"}), 0);
    EXPECT_EQ(shard_limit(5, {}), 5);
}

TEST(Shards, UnusedSchemasGetTheSamePlacesInWhateverOrderTheyAreNamed) {
    auto found = three();
    const auto places = place_shards(found).value();
    EXPECT_EQ((std::set{places[0]->shard, places[1]->shard, places[2]->shard}), (std::set{0, 1, 2}));
    EXPECT_EQ(places[0]->shards, 3);
    std::ranges::reverse(found);
    const auto again = place_shards(found).value();
    EXPECT_EQ(again[0], places[2]);
    EXPECT_EQ(again[2], places[0]);
}

TEST(Shards, WhatWasMadeHalfWayGoesOnToTheSameEnd) {
    const auto whole = made(three());
    auto half = three();
    half[1] = whole[1];
    const auto places = place_shards(half).value();
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(places[i], whole[i]->place);
}

TEST(Shards, AStoreIsKnownAgainAlsoWhenSomeOfItIsAway) {
    auto found = made(three());
    found[1]->is_in_use = true;
    const ShardPlace first = found[0]->place;
    found[2].reset();
    const auto places = place_shards(found).value();
    EXPECT_EQ(places[0], first);
    EXPECT_FALSE(places[2].has_value());
}

TEST(Shards, WhatIsNotOneWholeStoreIsRefused) {
    auto found = made(three());
    EXPECT_NE(refusal({found[0], found[1]}).find("is one of 3 shards, and 2 were named"), std::string::npos);
    EXPECT_NE(refusal({found[0], found[1], found[1]}).find("name each shard once"), std::string::npos);
    EXPECT_NE(refusal({found[0], found[1], fresh("d")}).find("other schemas than those"), std::string::npos);
    const auto other = made({fresh("d"), fresh("e"), fresh("f")});
    EXPECT_NE(refusal({found[0], found[1], other[2]}).find("another store"), std::string::npos);
    auto used = fresh("d");
    used.is_in_use = true;
    EXPECT_NE(refusal({found[0], found[1], used}).find("store of its own, with tasks"), std::string::npos);
    EXPECT_NE(refusal({fresh("a"), used}).find("store of its own, with tasks"), std::string::npos);
}

TEST(Shards, AStoreIsNotMadeWhileOneOfItsSchemasCannotBeAsked) {
    auto found = three();
    found[0].reset();
    EXPECT_NE(refusal(found, Errc::store_unavailable).find("not yet the shards of a store"), std::string::npos);
}

}  // namespace
}  // namespace pawl::core
