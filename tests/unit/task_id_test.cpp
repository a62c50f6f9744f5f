#include "core/task_id.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

using namespace pawl::core;

TEST(TaskId, RandomIdsRoundTripInEitherCase) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 5'000; ++i) {
        TaskId id;
        for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
        const std::string text = to_string(id);
        ASSERT_EQ(text.size(), 28u);
        ASSERT_EQ(parse_task_id(text), id);

        std::string lower = text;
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
        ASSERT_EQ(parse_task_id(lower), id);
    }
}

TEST(TaskId, TheSmallestAndTheLargestAreSpelledAsExpected) {
    TaskId all_ones;
    all_ones.bytes.fill(0xFF);
    EXPECT_EQ(to_string(TaskId{}), "t_00000000000000000000000000");
    EXPECT_EQ(to_string(all_ones), "t_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(TaskId, CarriesTimeShardAndChanceInTheirPlaces) {
    const TaskId id = make_task_id(wall_instant(0x0102'0304'0506 * 1'000 + 999), 0xAB, 0x1112131415161718, 0x99);
    const std::array<std::uint8_t, 16> expected{1,    2,    3,    4,    5,    6,    0xAB, 0x11,
                                                0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x99};
    EXPECT_EQ(id.bytes, expected);
    EXPECT_EQ(id.shard(), 0xAB);
}

TEST(TaskId, LaterIdsSortLaterAsBytesAndAsText) {
    std::mt19937_64 random(2);
    std::int64_t at = 1'700'000'000'000'000;
    TaskId before = make_task_id(wall_instant(at), 0, random(), random());
    for (int i = 0; i < 2'000; ++i) {
        at += 1'000 + static_cast<std::int64_t>(random() % 10'000'000);
        const TaskId id = make_task_id(wall_instant(at), static_cast<std::uint8_t>(random()), random(), random());
        ASSERT_LT(before, id);
        ASSERT_LT(to_string(before), to_string(id));
        before = id;
    }
}

TEST(TaskId, AClockBeforeTheEpochOrFarAheadStillGivesAnId) {
    EXPECT_EQ(make_task_id(wall_instant(-5), 0, 0, 0), TaskId{});
    const TaskId far = make_task_id(wall_instant(std::numeric_limits<std::int64_t>::max()), 0, 0, 0);
    EXPECT_EQ(far.bytes[0], 0xFF);
    EXPECT_EQ(parse_task_id(to_string(far)), far);
}

TEST(TaskId, AnythingElseIsNoId) {
    const std::string good = to_string(make_task_id(wall_instant(1'700'000'000'000'000), 1, 2, 3));
    ASSERT_TRUE(parse_task_id(good));
    const std::vector<std::string> bad{
        "",
        "t_",
        good.substr(2),
        good + "0",
        good.substr(0, 27),
        " " + good,
        "x_" + good.substr(2),
        "t-" + good.substr(2),
        "t_8" + good.substr(3),  // would need a 129th bit
        good.substr(0, 27) + "U",
        good.substr(0, 27) + "I",
        good.substr(0, 27) + "O",
        good.substr(0, 27) + "l",
        good.substr(0, 27) + std::string(1, '\0'),
        "../../etc/passwd",
        "t_%2e%2e%2f%2e%2e%2f%2e%2e%2",
        std::string(10'000, '0'),
    };
    for (const auto& text : bad) EXPECT_FALSE(parse_task_id(text)) << text.substr(0, 40);
}
