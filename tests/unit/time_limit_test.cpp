#include "core/time_limit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace pawl::core;
using namespace std::chrono_literals;

TEST(TimeLimit, WithoutLimitsThereIsNone) {
    EXPECT_EQ(nearest_limit({}).kind, LimitKind::none);
    EXPECT_FALSE(nearest_limit({}).left);
    EXPECT_FALSE(time_for_retries({}));
}

TEST(TimeLimit, TheNearestCounts) {
    LimitFacts facts;
    facts.now = instant(1'000'000'000);
    facts.wall = wall_instant(5'000'000'000);
    facts.step_timeout = 60s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::step_timeout);
    EXPECT_EQ(nearest_limit(facts).left, Micros{60s});

    facts.task_deadline = facts.wall + 50s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::task_deadline);
    facts.ancestors_deadline = facts.wall + 40s;
    EXPECT_EQ(nearest_limit(facts).left, Micros{40s});

    facts.active_time = 100s;
    facts.active_so_far = 70s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::active_time);
    EXPECT_EQ(nearest_limit(facts).left, Micros{30s});

    facts.step_total = 10min;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::active_time) << "a first attempt has the whole total";
    facts.step_first_started = facts.now - (10min - 20s);
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::step_total);
    EXPECT_EQ(nearest_limit(facts).left, Micros{20s});
}

TEST(TimeLimit, OfEqualLimitsTheOneWithTheWidestConsequenceCounts) {
    LimitFacts facts;
    facts.step_timeout = 30s;
    facts.step_total = 30s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::step_total);
    facts.active_time = 30s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::active_time);
    facts.task_deadline = facts.wall + 30s;
    EXPECT_EQ(nearest_limit(facts).kind, LimitKind::task_deadline);
}

TEST(TimeLimit, RetriesAreNotBoundByTheTimeoutOfOneAttempt) {
    LimitFacts facts;
    facts.step_timeout = 1s;
    EXPECT_FALSE(time_for_retries(facts));
    facts.step_total = 30s;
    EXPECT_EQ(time_for_retries(facts), Micros{30s});
}

TEST(TimeLimit, NoFactsOverflowOrGiveLessThanNothing) {
    std::mt19937_64 random(8);
    const auto any = [&] {
        const std::int64_t edge[] = {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                                     0};
        return random() % 4 == 0 ? edge[random() % 3] : static_cast<std::int64_t>(random());
    };
    for (int i = 0; i < 20'000; ++i) {
        LimitFacts facts;
        facts.now = instant(any());
        facts.wall = wall_instant(any());
        if (random() % 2) facts.step_timeout = Micros{any()};
        if (random() % 2) facts.step_total = Micros{any()};
        if (random() % 2) facts.step_first_started = instant(any());
        if (random() % 2) facts.task_deadline = wall_instant(any());
        if (random() % 2) facts.ancestors_deadline = wall_instant(any());
        if (random() % 2) facts.active_time = Micros{any()};
        facts.active_so_far = Micros{any()};
        const TimeLimit limit = nearest_limit(facts);
        ASSERT_EQ(limit.kind == LimitKind::none, !limit.left.has_value());
        if (limit.left) { ASSERT_GE(limit.left->count(), 0); }
        if (facts.step_timeout) { ASSERT_LE(*limit.left, std::max(*facts.step_timeout, Micros{0})); }
    }
}
