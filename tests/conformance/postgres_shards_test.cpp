// Several schemas become one store, and are known again.
#include "store/postgres/postgres_shards.hpp"

#include "core/shards.hpp"
#include "core/validate.hpp"
#include "store/postgres/postgres_store.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

namespace pawl::store {
namespace {

class PostgresShards : public testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        for (auto& schema : schemas) schema.emplace();
    }
    std::vector<std::string> urls() const { return {schemas[0]->url(), schemas[1]->url(), schemas[2]->url()}; }
    std::vector<core::ShardPlace> places(const std::vector<std::string>& named, bool create) const {
        std::vector<core::ShardPlace> all;
        const auto found = find_postgres_shards(named, create);
        EXPECT_TRUE(found) << found.error().message;
        if (found)
            for (const PostgresShard& shard : *found) all.push_back(shard.place.value());
        return all;
    }
    static std::string refusal(const std::vector<std::string>& named, Errc code, bool create = true) {
        const auto found = find_postgres_shards(named, create);
        EXPECT_TRUE(found.has_error());
        if (found) return {};
        EXPECT_EQ(found.error().code, code) << found.error().message;
        return found.error().message;
    }
    std::string meta(std::size_t i) const {
        return schemas[i]->value("select shard || '/' || shards || ' ' || coalesce(store_group, '-') from meta");
    }

    std::array<std::optional<test::TestSchema>, 3> schemas;
};

core::Submit submit(int n, int shard) {
    core::SubmitRequest request;
    request.type = "echo";
    request.shard = static_cast<std::uint8_t>(shard);
    return core::make_submit(std::move(request), core::wall_instant(1), {7, static_cast<std::uint64_t>(n)}).value();
}

TEST_F(PostgresShards, UnusedSchemasBecomeAStoreAndAreKnownInAnyOrder) {
    refusal(urls(), Errc::not_found, false);
    const auto made = places(urls(), true);
    auto reversed = urls();
    std::ranges::reverse(reversed);
    auto again = places(reversed, false);
    std::ranges::reverse(again);
    EXPECT_EQ(again, made);
    std::vector<int> numbers;
    for (const auto& place : made) numbers.push_back(place.shard);
    std::ranges::sort(numbers);
    EXPECT_EQ(numbers, (std::vector<int>{0, 1, 2}));
}

TEST_F(PostgresShards, ManyWhoMakeItAtOnceMakeTheSame) {
    std::vector<std::vector<core::ShardPlace>> made(6);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < made.size(); ++i)
            threads.emplace_back([this, i, &made] {
                auto order = urls();
                std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(i % 3));
                made[i] = places(order, true);
                std::ranges::rotate(made[i], made[i].end() - static_cast<std::ptrdiff_t>(i % 3));
            });
    }
    for (const auto& places : made) EXPECT_EQ(places, made.front());
}

TEST_F(PostgresShards, AStoreThatWasMadeHalfWayIsCompletedInTheSameWay) {
    const auto made = places(urls(), true);
    const std::string before = meta(1);
    schemas[1]->exec("update meta set shard = 0, shards = 1, store_group = null");
    refusal(urls(), Errc::not_found, false);
    EXPECT_EQ(places(urls(), true), made);
    EXPECT_EQ(meta(1), before);
}

TEST_F(PostgresShards, AShardIsOpenedAsWhatItIsOnly) {
    const auto made = places(urls(), true);
    const auto alone = open_postgres(schemas[0]->url());
    ASSERT_TRUE(alone.has_error());
    EXPECT_EQ(alone.error().code, Errc::bad_input);
    EXPECT_NE(alone.error().message.find("of 3"), std::string::npos) << alone.error().message;
    EXPECT_EQ(open_postgres_reader(schemas[0]->url()).error().code, Errc::bad_input);
    PostgresOptions options;
    options.place = made[0];
    EXPECT_TRUE(open_postgres(schemas[0]->url(), options));
    EXPECT_TRUE(open_postgres_reader(schemas[0]->url(), made[0]));
    EXPECT_EQ(open_postgres(schemas[1]->url(), options).error().code, Errc::bad_input);
}

TEST_F(PostgresShards, WhatIsNotOneStoreIsRefusedAndLeftAsItIs) {
    const auto two = std::vector<std::string>{schemas[0]->url(), schemas[1]->url()};
    EXPECT_NE(refusal({schemas[0]->url(), schemas[0]->url()}, Errc::bad_input).find("one and the same"),
              std::string::npos);
    places(two, true);
    const std::string before = meta(0);
    EXPECT_NE(refusal(urls(), Errc::bad_input).find("one of 2 shards, and 3 were named"), std::string::npos);
    EXPECT_NE(refusal({schemas[0]->url(), schemas[2]->url()}, Errc::bad_input).find("other schemas"),
              std::string::npos);
    EXPECT_EQ(meta(0), before);
    EXPECT_EQ(meta(2), "0/1 -");

    auto alone = open_postgres(schemas[2]->url()).value();
    ASSERT_TRUE(alone->apply(std::array{core::Command{submit(1, 0)}}));
    test::TestSchema fresh;
    EXPECT_NE(refusal({schemas[2]->url(), fresh.url()}, Errc::bad_input).find("store of its own, with tasks"),
              std::string::npos);
}

TEST_F(PostgresShards, OneThatIsAwayIsMissingButNotForMakingTheStore) {
    const std::string nowhere = "postgres://pawl@127.0.0.1:1/x";
    EXPECT_NE(refusal({schemas[0]->url(), schemas[1]->url(), nowhere}, Errc::store_unavailable)
                  .find("not yet the shards of a store"),
              std::string::npos);
    const auto made = places(urls(), true);
    const auto found = find_postgres_shards({schemas[0]->url(), schemas[1]->url(), nowhere}, true).value();
    EXPECT_EQ(found[0].place, made[0]);
    EXPECT_FALSE(found[2].place.has_value());
    ASSERT_TRUE(found[2].away.has_value());
    EXPECT_NE(found[2].away->message.find("127.0.0.1"), std::string::npos);
    refusal({nowhere, "postgres://pawl@127.0.0.1:2/x"}, Errc::store_unavailable);
}

// Another placement in SQL than in C++ would give one key two tasks.
TEST_F(PostgresShards, ASubmitInATransactionTakesTheKeysOfItsShardOnly) {
    const auto made = places(urls(), true);
    for (int n = 0; n < 30; ++n) {
        const std::string key = "k\u00fc" + std::to_string(n * 977);
        const int home = core::shard_of({"default", "mail", key}, 3);
        for (std::size_t i = 0; i < schemas.size(); ++i) {
            schemas[i]->exec(
                "create or replace function told(out text) language plpgsql as $f$ begin $1 := pawl_submit('mail', "
                "'1', "
                "key => '" +
                key + "'); exception when invalid_parameter_value then $1 := sqlerrm; end $f$");
            const std::string told = schemas[i]->value("select told()");
            if (made[i].shard == home) EXPECT_EQ(told.substr(0, 2), "t_") << told;
            else EXPECT_NE(told.find("belongs to shard " + std::to_string(home)), std::string::npos) << told;
        }
    }
    EXPECT_EQ(schemas[0]->value("select left(pawl_submit('mail', '1'), 2)"), "t_") << "without a key any shard does";
}

}  // namespace
}  // namespace pawl::store
