// Attempts, their back-off, and who holds what meanwhile.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class RetryTest : public EngineTest {
protected:
    void fail_first(int n, std::optional<Duration> retry_after = {}) {
        stage.on("work", [n, retry_after](const Attempt& attempt) -> std::string {
            if (attempt.number() > n) return "done";
            StepError error = retryable("busy");
            if (retry_after) error.after(*retry_after);
            throw error;
        });
    }
    /// From each failed attempt's entry to its due time.
    std::vector<Micros> delays(core::TaskId id) {
        std::vector<Micros> found;
        for (const core::Entry& entry : entries(id, EntryKind::step_attempt_failed))
            if (entry.due) found.push_back(*entry.due - entry.at);
        return found;
    }
};

TEST_F(RetryTest, BackoffDoublesUpToItsMaximum) {
    fail_first(5);
    stage.options.retry = Retry().attempts(6).delay(1s).max_delay(5s).jitter(0);

    const auto id = submit_one_step();
    world.run_to_end(id);

    EXPECT_EQ(delays(id), (std::vector<Micros>{1s, 2s, 4s, 5s, 5s}));
    for (std::size_t i = 1; i < stage.executions.size(); i++)
        EXPECT_GE(stage.executions[i].at - stage.executions[i - 1].at, delays(id)[i - 1]) << "none starts early";
}

TEST_F(RetryTest, JitterStaysWithinItsShare) {
    fail_first(400);
    stage.options.retry = Retry().attempts(401).delay(1s).factor(1.0);

    const auto id = submit_one_step();
    world.run_to_end(id);

    const auto waits = delays(id);
    ASSERT_EQ(waits.size(), 400u);
    EXPECT_GE(*std::ranges::min_element(waits), 800ms);
    EXPECT_LE(*std::ranges::max_element(waits), 1200ms);
    EXPECT_LT(*std::ranges::min_element(waits), 850ms) << "and it uses its share";
    EXPECT_GT(*std::ranges::max_element(waits), 1150ms);
}

TEST_F(RetryTest, ARetryAfterOfTheReceiverLengthensTheBackoffUpToTenMinutes) {
    fail_first(1, 90s);
    stage.options.retry = Retry().delay(1s).jitter(0);
    const auto polite = submit_one_step();
    world.run_to_end(polite);

    fail_first(1, 1h);
    const auto insolent = submit_one_step();
    world.run_to_end(insolent);

    EXPECT_EQ(delays(polite), std::vector<Micros>{90s});
    EXPECT_EQ(delays(insolent), std::vector<Micros>{10min});
}

TEST_F(RetryTest, ATaskInBackoffHoldsNoWorker) {
    fail_first(1);
    stage.options.retry = Retry().delay(30s).jitter(0);

    const auto id = submit_one_step();
    until_state(id, TaskState::pending);
    world.settle();

    EXPECT_EQ(row(id).reason, Reason::retry);
    EXPECT_EQ(world.process().engine().held(), 0u);
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

Workflow<int> step_beside_sleep(Context& ctx, int, Stage* stage) {
    StageStep step = step_of(ctx, stage, "work");
    auto both = ctx.all(std::move(step), ctx.sleep(1h));
    co_await std::move(both);
    co_return 0;
}

TEST_F(RetryTest, ABackoffBesideAWaitingBranchShowsAsPendingRetry) {
    fail_first(1);
    stage.options.retry = Retry().delay(30s).jitter(0);
    world.serve("both", step_beside_sleep, &stage);
    world.start();

    const auto id = world.submit("both", "0");
    until_entry(id, EntryKind::parked);
    EXPECT_EQ(row(id).state, TaskState::pending);
    EXPECT_EQ(row(id).reason, Reason::retry);

    until_entry(id, EntryKind::parked, 2);
    EXPECT_EQ(row(id).state, TaskState::waiting) << "then only the timer is left";
    EXPECT_EQ(row(id).reason, Reason::timer);
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

TEST_F(RetryTest, ABackoffSurvivesARestartAndIsNotBegunAnew) {
    fail_first(1);
    stage.options.retry = Retry().delay(60s).jitter(0);
    const auto id = submit_one_step();
    until_state(id, TaskState::pending);
    const Micros failed_at = world.clock.boot();

    world.advance(40s);
    crash_and_start();
    world.run_to_end(id);

    ASSERT_EQ(stage.count("work"), 2);
    EXPECT_EQ(stage.executions[1].number, 2);
    EXPECT_GE(stage.executions[1].at - failed_at, 59s);
    EXPECT_LT(stage.executions[1].at - failed_at, 61s);
}

TEST_F(RetryTest, AnAttemptCutByACrashBurnsNone) {
    stage.options.retry = Retry().attempts(2).delay(1s);
    stage.options.timeout = 2h;
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (stage.executions.size() <= 3) stage.work(attempt, 1h);
        throw retryable("busy");
    });
    const auto id = submit_one_step();
    for (int i = 1; i <= 3; i++) {
        until_executions(i);
        crash_and_start();
    }
    world.run_to_end(id);

    std::vector<int> numbers;
    for (const Stage::Execution& e : stage.executions) numbers.push_back(e.number);
    EXPECT_EQ(numbers, (std::vector{1, 1, 1, 1, 2}));
}

TEST_F(RetryTest, OneAttemptMeansOne) {
    fail_first(1);
    stage.options.retry = Retry::none();

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(RetryTest, AThousandAttemptsAreAllowedAndUsed) {
    fail_first(1'000);
    stage.options.retry = Retry().attempts(1'000).delay(1ms).max_delay(1ms);

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("work"), 1'000);
}

TEST_F(RetryTest, BadInputAttemptsOutsideZeroToAThousandFailTheStepBeforeItStarts) {
    for (const int attempts : {-1, 1'001}) {
        stage.options.retry = Retry().attempts(attempts);
        const auto id = submit_one_step();
        EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
        EXPECT_EQ(failure(id).code, Errc::bad_input);
        EXPECT_NE(failure(id).message.find("0 (no limit) to 1,000"), std::string::npos) << failure(id).message;
    }
    EXPECT_EQ(stage.count("work"), 0);
}

TEST_F(RetryTest, NoLimitOfAttemptsEndsWithTheDeadline) {
    fail_first(1'000'000);
    stage.options.retry = Retry().attempts(0).delay(10s).max_delay(10s).jitter(0);

    const auto id = submit_one_step(SubmitOptions().deadline(Duration{10min}));
    const Micros began = world.clock.boot();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_GT(stage.count("work"), 55);
    EXPECT_LE(world.clock.boot() - began, 10min + 1s);
}

TEST_F(RetryTest, BadInputNoLimitOfAttemptsWithoutADeadlineFailsTheStepBeforeItStarts) {
    stage.options.retry = Retry().attempts(0);

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(failure(id).code, Errc::bad_input);
    EXPECT_NE(failure(id).message.find("deadline"), std::string::npos) << failure(id).message;
    EXPECT_EQ(stage.count("work"), 0);
}

TEST_F(RetryTest, TheTasksAttemptsCountForStepsThatSetNone) {
    fail_first(100);

    const auto id = submit_one_step(SubmitOptions().max_attempts(3));
    world.run_to_end(id);

    EXPECT_EQ(stage.count("work"), 3);
}

TEST_F(RetryTest, TheStepsOwnAttemptsBeatTheTasksAndThoseTheTypes) {
    world.serve("one", one_step, &stage).retry = Retry().attempts(4);
    fail_first(100);
    world.run_to_end(submit_one_step());
    EXPECT_EQ(stage.count("work"), 4);

    world.run_to_end(submit_one_step(SubmitOptions().max_attempts(3)));
    EXPECT_EQ(stage.count("work"), 4 + 3);

    stage.options.retry = Retry().attempts(2);
    world.run_to_end(submit_one_step(SubmitOptions().max_attempts(3)));
    EXPECT_EQ(stage.count("work"), 4 + 3 + 2);
}

TEST_F(RetryTest, WhatAStepLeavesOpenFollowsItsType) {
    world.serve("one", one_step, &stage).retry = Retry().attempts(9).delay(10ms).max_delay(10ms).jitter(0);
    fail_first(2);
    const auto by_type = submit_one_step();
    world.run_to_end(by_type);
    EXPECT_EQ(delays(by_type), (std::vector<Micros>{10ms, 10ms}));

    stage.options.retry = Retry().max_delay(15ms);
    const auto by_both = submit_one_step();
    world.run_to_end(by_both);
    EXPECT_EQ(delays(by_both), (std::vector<Micros>{10ms, 15ms}));
}

TEST_F(RetryTest, AnExhaustedStepPausesTheTaskWhereThatWasChosenAndResumeGivesItsAttemptsAnew) {
    fail_first(100);
    stage.options.retry = Retry().attempts(3).delay(1s).on_exhausted(Exhausted::pause);
    const auto id = submit_one_step();

    world.run_to_end(id);
    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::exhausted);
    EXPECT_NE(failure(id).message.find("work#1: busy"), std::string::npos) << failure(id).message;

    ASSERT_TRUE(world.operate(id, Verb::resume));
    world.run_to_end(id);
    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(stage.count("work"), 6);

    fail_first(1);
    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    std::vector<int> numbers;
    for (const Stage::Execution& e : stage.executions) numbers.push_back(e.number);
    EXPECT_EQ(numbers, (std::vector{1, 2, 3, 1, 2, 3, 1, 2}));
}

}  // namespace
}  // namespace pawl::testing
