#include "core/backoff.hpp"
#include "core/limits.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

using namespace pawl;
using namespace pawl::core;
using namespace std::chrono_literals;
using What = RetryDecision::What;
using Why = RetryDecision::Why;

namespace {

FailedAttempt attempt(int number, double jitter = 0.5) {
    FailedAttempt failed;
    failed.number = number;
    failed.jitter = jitter;
    return failed;
}

// Any policy that check_retry accepts.
Retry random_policy(std::mt19937_64& random) {
    const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1.0p-53; };
    const auto length = [&] {
        return Duration{static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 38)))};
    };
    return Retry()
        .attempts(static_cast<int>(random() % 1'001))
        .delay(length())
        .max_delay(length())
        .factor(1.0 + unit() * static_cast<double>(random() % 100))
        .jitter(random() % 4 == 0 ? 1.0 : unit())
        .on_exhausted(random() % 2 ? Exhausted::pause : Exhausted::fail);
}

}  // namespace

TEST(Backoff, TheDefaultGrowsOneTwoFourEightAndEndsAfterFiveAttempts) {
    const Micros expected[] = {1s, 2s, 4s, 8s};
    for (int n = 1; n <= 4; ++n) {
        const auto decision = decide_retry(Retry(), attempt(n));
        EXPECT_EQ(decision.what, What::retry);
        EXPECT_EQ(decision.delay, expected[n - 1]);
    }
    const auto last = decide_retry(Retry(), attempt(5));
    EXPECT_EQ(last.what, What::fail);
    EXPECT_EQ(last.why, Why::exhausted);
    EXPECT_EQ(last.text, "attempt 5 of 5 failed; no attempt is left");
    EXPECT_EQ(decide_retry(Retry(), attempt(2)).text, "attempt 2 of 5 failed, next in 2 s");
}

TEST(Backoff, JitterOfAFifthGivesEightyToAHundredAndTwentyPercent) {
    const double most = std::nextafter(1.0, 0.0);
    EXPECT_EQ(decide_retry(Retry(), attempt(1, 0.0)).delay, 800ms);
    EXPECT_NEAR(static_cast<double>(decide_retry(Retry(), attempt(1, most)).delay.count()), 1'200'000, 1);
    EXPECT_EQ(decide_retry(Retry().jitter(0), attempt(3, 0.9)).delay, 4s);
}

TEST(Backoff, FullJitterDrawsFromNothingToTheWholeDelay) {
    const double most = std::nextafter(1.0, 0.0);
    EXPECT_EQ(decide_retry(Retry::model_call(), attempt(2, 0.0)).delay, 0s);
    EXPECT_EQ(decide_retry(Retry::model_call(), attempt(2, 0.25)).delay, 500ms);
    EXPECT_NEAR(static_cast<double>(decide_retry(Retry::model_call(), attempt(2, most)).delay.count()), 2'000'000, 1);
    EXPECT_EQ(decide_retry(Retry::model_call(), attempt(7)).what, What::retry);
    EXPECT_EQ(decide_retry(Retry::model_call(), attempt(8)).why, Why::exhausted);
}

TEST(Backoff, TheTasksAttemptsCountOnlyWhereThePolicySetsNone) {
    FailedAttempt failed = attempt(2);
    failed.task_attempts = 2;
    EXPECT_EQ(decide_retry(Retry(), failed).why, Why::exhausted);
    EXPECT_EQ(decide_retry(Retry().attempts(3), failed).what, What::retry);
    EXPECT_EQ(attempts_allowed(Retry(), std::nullopt), 5);
    EXPECT_EQ(attempts_allowed(Retry(), 0), 0);
    EXPECT_EQ(attempts_allowed(Retry::none(), 9), 1);
}

TEST(Backoff, NoLimitOfAttemptsGoesOnForEverAtTheCap) {
    for (const int n : {7, 60, 1'100, 1'000'000, std::numeric_limits<int>::max()}) {
        const auto decision = decide_retry(Retry().attempts(0), attempt(n));
        EXPECT_EQ(decision.what, What::retry);
        EXPECT_EQ(decision.delay, 60s);
    }
}

TEST(Backoff, FewerAttemptsThanAlreadyUsedIsExhausted) {
    EXPECT_EQ(decide_retry(Retry().attempts(2), attempt(4)).why, Why::exhausted);
}

TEST(Backoff, AFinalErrorEndsAtOnceAlsoWhereExhaustionWouldPause) {
    FailedAttempt failed = attempt(1);
    failed.cls = ErrorClass::final;
    const auto decision = decide_retry(Retry().on_exhausted(Exhausted::pause), failed);
    EXPECT_EQ(decision.what, What::fail);
    EXPECT_EQ(decision.why, Why::final);
}

TEST(Backoff, ExhaustionPausesWhenThePolicySaysSo) {
    const auto decision = decide_retry(Retry().attempts(1).on_exhausted(Exhausted::pause), attempt(1));
    EXPECT_EQ(decision.what, What::pause);
    EXPECT_EQ(decision.why, Why::exhausted);
}

TEST(Backoff, AOnceStepThatMayHaveHappenedIsNeverRepeated) {
    FailedAttempt failed = attempt(1);
    failed.cls = ErrorClass::unknown;
    EXPECT_EQ(decide_retry(Retry(), failed).what, What::retry) << "idempotent: at least once";
    failed.effect = Effect::read;
    EXPECT_EQ(decide_retry(Retry(), failed).what, What::retry);
    failed.effect = Effect::once;
    for (const int n : {1, 5, 99}) {
        failed.number = n;
        EXPECT_EQ(decide_retry(Retry(), failed).what, What::unknown);
        EXPECT_EQ(decide_retry(Retry(), failed).why, Why::may_have_happened);
    }
    failed = attempt(1);
    failed.effect = Effect::once;
    EXPECT_EQ(decide_retry(Retry(), failed).what, What::retry) << "its error says that nothing happened";
    failed.cls = ErrorClass::final;
    EXPECT_EQ(decide_retry(Retry(), failed).what, What::fail);
}

TEST(Backoff, RetryAfterIsHonouredUpToTenMinutesAndNeverShortensTheDelay) {
    FailedAttempt failed = attempt(1);
    failed.retry_after = 90s;
    EXPECT_EQ(decide_retry(Retry(), failed).delay, 90s) << "beyond max_delay: the server knows better";
    failed.retry_after = 24h;
    EXPECT_EQ(decide_retry(Retry(), failed).delay, 10min);
    failed.retry_after = 1ms;
    EXPECT_EQ(decide_retry(Retry(), failed).delay, 1s);
    failed.retry_after = -5s;
    EXPECT_EQ(decide_retry(Retry(), failed).delay, 1s);
}

TEST(Backoff, AnAttemptThatCouldNotStartInTimeIsNotWaitedFor) {
    FailedAttempt failed = attempt(2);
    failed.remaining = 2s;
    const auto decision = decide_retry(Retry(), failed);
    EXPECT_EQ(decision.what, What::fail);
    EXPECT_EQ(decision.why, Why::no_time_left);
    EXPECT_EQ(decision.text, "attempt 2 of 5 failed; the next would start in 2 s, but only 2 s are left");
    failed.remaining = 2s + 1us;
    EXPECT_EQ(decide_retry(Retry(), failed).what, What::retry);
    failed.retry_after = 5s;
    EXPECT_EQ(decide_retry(Retry(), failed).why, Why::no_time_left);
    failed.remaining = -1h;
    EXPECT_EQ(decide_retry(Retry(), failed).why, Why::no_time_left);
}

TEST(Backoff, RandomPoliciesStayWithinTheirCapAndTheTimeLeft) {
    std::mt19937_64 random(9);
    int retried = 0;
    for (int i = 0; i < 50'000; ++i) {
        const Retry policy = random_policy(random);
        ASSERT_TRUE(check_retry(policy)) << check_retry(policy).error().message;
        FailedAttempt failed = attempt(static_cast<int>(1 + random() % (std::uint64_t{1} << (random() % 21))),
                                       static_cast<double>(random() >> 11) * 0x1.0p-53);
        if (random() % 2) failed.remaining = Micros{static_cast<std::int64_t>(random() >> (1 + random() % 63))};
        const auto decision = decide_retry(policy, failed);
        if (decision.what != What::retry) continue;
        ++retried;
        ASSERT_GE(decision.delay.count(), 0);
        ASSERT_LE(decision.delay, policy.max_delay());
        if (failed.remaining) { ASSERT_LT(decision.delay, *failed.remaining); }
        if (policy.attempts() != 0) { ASSERT_LT(failed.number, policy.attempts()); }
    }
    EXPECT_GT(retried, 1'000);
}

TEST(Backoff, ALaterAttemptNeverWaitsLessThanAnEarlierOneWithTheSameDraw) {
    std::mt19937_64 random(10);
    for (int i = 0; i < 2'000; ++i) {
        const Retry policy = random_policy(random).attempts(0);
        const double draw = static_cast<double>(random() >> 11) * 0x1.0p-53;
        Micros before{0};
        for (int n = 1; n < 60; ++n) {
            const auto decision = decide_retry(policy, attempt(n, draw));
            ASSERT_GE(decision.delay, before);
            before = decision.delay;
        }
    }
}

TEST(Backoff, PoliciesOutsideTheirLimitsAreRefusedByField) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::pair<Retry, const char*> cases[] = {
        {Retry().attempts(-1), "retry.attempts is -1"},
        {Retry().attempts(1'001), "retry.attempts is 1001"},
        {Retry().delay(-1ms), "retry.delay"},
        {Retry().delay(Duration::max()), "retry.delay"},
        {Retry().max_delay(Duration::min()), "retry.max_delay"},
        {Retry().factor(0.5), "retry.factor"},
        {Retry().factor(nan), "retry.factor"},
        {Retry().factor(std::numeric_limits<double>::infinity()), "retry.factor"},
        {Retry().jitter(-0.1), "retry.jitter"},
        {Retry().jitter(1.1), "retry.jitter"},
        {Retry().jitter(nan), "retry.jitter"},
    };
    for (const auto& [policy, expected] : cases) {
        const auto checked = check_retry(policy);
        ASSERT_FALSE(checked) << expected;
        EXPECT_EQ(checked.error().code, Errc::bad_input);
        EXPECT_NE(checked.error().message.find(expected), std::string::npos) << checked.error().message;
    }
    EXPECT_TRUE(check_retry(Retry()));
    EXPECT_TRUE(check_retry(Retry::none()));
    EXPECT_TRUE(check_retry(Retry::model_call()));
    EXPECT_TRUE(check_retry(Retry().attempts(0).delay(0s).max_delay(0s).factor(1).jitter(0)));
}
