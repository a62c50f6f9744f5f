// Every limit of time, also over restarts.
#include "runtime/engine_fixture.hpp"

#include "runtime/execution.hpp"

namespace pawl::testing {
namespace {

class LimitTest : public EngineTest {
protected:
    using EngineTest::EngineTest;
    void work_for(Micros length) {
        stage.on("work", [this, length](const Attempt& attempt) -> std::string {
            stage.work(attempt, length);
            return "done";
        });
    }
};

TEST_F(LimitTest, AnAttemptIsOverAtItsTimeoutAndTheNextOneGetsItsOwn) {
    work_for(1h);
    stage.options.timeout = 5s;
    stage.options.retry = Retry().attempts(2).delay(1s).jitter(0);

    const auto id = submit_one_step();
    world.run_to_end(id);

    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_attempt_failed work#1", "parked", "woken", "claimed",
                                "step_failed work#1", "failed work#1"}));
    EXPECT_EQ(failure(id).code, Errc::timed_out);
    EXPECT_GE(stage.executions[1].at - stage.executions[0].at, 6s);
    EXPECT_LT(stage.executions[1].at - stage.executions[0].at, 7s);
}

class SlowPoolTest : public LimitTest {
protected:
    static SimOptions options() {
        SimOptions o;
        o.pool_delay_max = std::chrono::hours(1);  // threads are that hard to come by
        return o;
    }
    SlowPoolTest() : LimitTest(options()) {}
    std::vector<core::TaskId> submit_ten() {
        std::vector<core::TaskId> ids;
        for (int i = 0; i < 10; i++) ids.push_back(submit_one_step());
        return ids;
    }
};

TEST_F(SlowPoolTest, ItsTimeoutAndItsIdleTimeBeginWhenItsFunctionBegins) {
    stage.options.timeout = 5s;
    stage.options.idle = 4s;
    stage.options.retry = Retry().attempts(1);
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        const auto left = std::chrono::duration_cast<Micros>(attempt.deadline() - TimePoint(world.clock.wall()));
        EXPECT_EQ(left, 5s);
        stage.work(attempt, 3s);
        return "done";
    });

    for (const core::TaskId& id : submit_ten()) EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

TEST_F(SlowPoolTest, OnceBegunItIsOverAtItsTimeout) {
    stage.options.timeout = 5s;
    stage.options.retry = Retry().attempts(1);
    Micros longest{};
    stage.on("work", [this, &longest](const Attempt& attempt) -> std::string {
        const Micros begun = world.clock.boot();
        world.process().pool().block(2h, [&] { return attempt.stop_requested(); });
        longest = std::max(longest, world.clock.boot() - begun);
        throw retryable("stopped");
    });

    for (const core::TaskId& id : submit_ten()) EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_GE(longest, 5s);
    EXPECT_LT(longest, 5s + 10ms);
}

TEST_F(SlowPoolTest, AnAttemptThatNeverBeganIsNoneWhenTheTotalTimeIsUsedUp) {
    stage.options.total = 1s;
    stage.options.effect = Effect::once;

    for (const core::TaskId& id : submit_ten()) {
        world.run_to_end(id);
        if (row(id).state == TaskState::completed) continue;
        EXPECT_EQ(row(id).state, TaskState::failed);
        EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_started work#1", "step_lost work#1",
                                    "step_failed work#1", "failed work#1"}));
        EXPECT_NE(failure(id).message.find("its total time is used up"), std::string::npos) << failure(id).message;
    }
}

TEST_F(LimitTest, WithoutOneTheTimeoutIsAMinute) {
    work_for(1h);
    stage.options.retry = Retry::none();
    const auto id = submit_one_step();
    const Micros began = world.clock.boot();

    world.run_to_end(id);

    EXPECT_GE(world.clock.boot() - began, 60s);
    EXPECT_LT(world.clock.boot() - began, 61s);
}

TEST_F(LimitTest, NoRetryStartsBeforeTheFunctionOfTheLastAttemptHasReturned) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) stage.ignore_stop(10min);
        return "late";
    });
    stage.options.timeout = 5s;
    stage.options.retry = Retry().delay(1s).jitter(0);

    const auto id = submit_one_step();
    world.run_to_end(id);

    ASSERT_EQ(stage.count("work"), 2) << "the late result of the first attempt is refused";
    EXPECT_GE(stage.executions[1].at - stage.executions[0].at, 10min + 1s);
    EXPECT_EQ(row(id).state, TaskState::completed);
}

TEST_F(LimitTest, AnAttemptThatIgnoresItsTimeoutIsAskedHarder) {
    int level = 0;
    stage.on("work", [&](const Attempt& attempt) -> std::string {
        world.process().pool().block(1h, [&] { return detail::stop_level(attempt) == 2; });
        level = detail::stop_level(attempt);
        throw retryable("killed");
    });
    stage.options.timeout = 5s;
    stage.options.retry = Retry::none();
    const auto id = submit_one_step();
    const Micros began = world.clock.boot();

    world.run_to_end(id);

    EXPECT_EQ(level, 2);
    EXPECT_LT(world.clock.boot() - began, 16s) << "5 s timeout, 10 s grace";
}

TEST_F(LimitTest, TheTotalTimeHoldsOverAttempts) {
    work_for(1h);
    stage.options.timeout = 10s;
    stage.options.total = 25s;
    stage.options.retry = Retry().attempts(100).delay(1s).factor(1).jitter(0);
    const auto id = submit_one_step();

    world.run_to_end(id);

    EXPECT_EQ(stage.count("work"), 3) << "10 s, 10 s, and what is left";
    EXPECT_LT(world.clock.boot() - stage.executions[0].at, 26s);
    EXPECT_EQ(failure(id).code, Errc::timed_out);
    EXPECT_EQ(entries(id, EntryKind::step_begun).size(), 1u) << "the first start is recorded, once";
}

TEST_F(LimitTest, TheTotalTimeHoldsOverRestarts) {
    work_for(1h);
    stage.options.timeout = 1h;
    stage.options.total = 60s;
    stage.options.retry = Retry().attempts(100).delay(1s);
    const auto id = submit_one_step();

    for (int i = 1; i <= 3; i++) {
        until_executions(i);
        world.advance(15s);
        crash_and_start();
    }
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_EQ(failure(id).code, Errc::timed_out);
    EXPECT_GE(world.clock.boot() - stage.executions[0].at, 59s);
    EXPECT_LT(world.clock.boot() - stage.executions[0].at, 62s);
}

TEST_F(LimitTest, TheTotalTimeThatPassedWhileNoProcessRanFailsTheStepWithoutAnAttempt) {
    work_for(1h);
    stage.options.timeout = 1h;
    stage.options.total = 60s;
    const auto id = submit_one_step();
    until_executions(1);

    world.crash(world.disk->unflushed());
    world.clock.advance(2min);
    world.start();
    world.run_to_end(id);

    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(failure(id).code, Errc::timed_out);
}

TEST_F(LimitTest, ASilentAttemptIsOverAtItsIdleLimit) {
    work_for(50s);
    stage.options.idle = 3s;
    stage.options.retry = Retry::none();
    const auto id = submit_one_step();
    const Micros began = world.clock.boot();

    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_LT(world.clock.boot() - began, 4s);
    EXPECT_NE(failure(id).message.find("no sign of life"), std::string::npos);
}

TEST_F(LimitTest, AHeartbeatKeepsAnAttemptAlive) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        for (int i = 0; i < 20; i++) {
            stage.work(attempt, 2s);
            attempt.heartbeat();
        }
        return "done";
    });
    stage.options.idle = 3s;

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 1);
}

// ---- the task's deadline -----------------------------------------------------------------------------------------

TEST_F(LimitTest, TheDeadlineDuringAStepStopsItAndFailsTheTask) {
    work_for(1h);
    stage.options.timeout = 2h;
    const auto id = submit_one_step(SubmitOptions().deadline(Duration{30s}));
    const Micros began = world.clock.boot();

    const auto ended = world.run_to_end(id);

    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::deadline);
    EXPECT_GE(world.clock.boot() - began, 29s);
    EXPECT_LT(world.clock.boot() - began, 31s) << "the step heeds its stop: no grace is needed";
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(LimitTest, TheAttemptKnowsTheEarliestOfItsLimits) {
    stage.options.timeout = 2h;
    const auto id = submit_one_step(SubmitOptions().deadline(Duration{30s}));
    world.run_to_end(id);
    ASSERT_TRUE(row(id).deadline);
    EXPECT_EQ(stage.executions[0].deadline.time_since_epoch(), row(id).deadline->time_since_epoch());

    stage.options.timeout = 7s;
    const auto now = TimePoint{world.clock.wall().time_since_epoch()};
    world.run_to_end(submit_one_step(SubmitOptions().deadline(Duration{30s})));
    EXPECT_GE(stage.executions[1].deadline - now, 7s);
    EXPECT_LT(stage.executions[1].deadline - now, 8s);
}

TEST_F(LimitTest, NoBackoffIsWaitedForThatWouldEndAfterTheDeadline) {
    stage.on("work", [](const Attempt&) -> std::string { throw retryable("busy"); });
    stage.options.retry = Retry().delay(1min).jitter(0);
    const auto id = submit_one_step(SubmitOptions().deadline(Duration{30s}));
    const Micros began = world.clock.boot();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_LT(world.clock.boot() - began, 1s);
    EXPECT_NE(failure(id).message.find("the next would start in 1 min"), std::string::npos) << failure(id).message;
}

TEST_F(LimitTest, TheDeadlineDuringABackoffFailsTheTask) {
    stage.on("work", [](const Attempt&) -> std::string { throw retryable("busy"); });
    stage.options.retry = Retry().delay(20s).jitter(0);
    const auto id = submit_one_step(SubmitOptions().deadline(Duration{30s}));
    until_state(id, TaskState::pending);

    world.clock.set_wall_by(25s);  // the deadline follows the wall clock, the back-off does not
    const auto ended = world.run_to_end(id);

    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::deadline);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(LimitTest, TheDeadlineWhilePendingFailsTheTaskWithoutAStart) {
    const auto id = submit_one_step(SubmitOptions().delay(Duration{1h}).deadline(Duration{30s}));

    const auto ended = world.run_to_end(id);

    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::deadline);
    EXPECT_EQ(stage.count("work"), 0);
}

Workflow<int> sleeper(Context& ctx, int seconds) {
    co_await ctx.sleep(std::chrono::seconds(seconds));
    co_return seconds;
}

TEST_F(LimitTest, TheDeadlineDuringASleepFailsTheTask) {
    world.serve("sleeper", sleeper);
    world.start();
    const auto id = world.submit("sleeper", "3600", SubmitOptions().deadline(Duration{30s}));
    const Micros began = world.clock.boot();

    EXPECT_EQ(world.run_to_end(id).reason, Reason::deadline);
    EXPECT_LT(world.clock.boot() - began, 31s);
}

TEST_F(LimitTest, TheDeadlineHoldsWhileNoProcessRuns) {
    work_for(1h);
    stage.options.timeout = 2h;
    const auto id = submit_one_step(SubmitOptions().deadline(Duration{30s}));
    until_executions(1);

    world.crash(world.disk->unflushed());
    world.clock.advance(1min);
    world.start();

    EXPECT_EQ(world.run_to_end(id).reason, Reason::deadline);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(LimitTest, ATaskThatWasNotStartedWithinItsQueueTimeoutExpires) {
    const auto id = submit_one_step(SubmitOptions().delay(Duration{1h}).queue_timeout(Duration{5min}));

    const auto ended = world.run_to_end(id);

    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::expired);
    EXPECT_EQ(stage.count("work"), 0);
}

// ---- active time -------------------------------------------------------------------------------------------------

Workflow<int> limited(Context& ctx, int, Stage* stage) {
    ctx.execution().limit_active_time(60s, OnBreach::fail);
    for (int i = 0; i < 3; i++) {
        StageStep step = step_of(ctx, stage, "work");
        co_await std::move(step);
        co_await ctx.sleep(std::chrono::hours(1));
    }
    co_return 0;
}

TEST_F(LimitTest, ActiveTimeCountsOverClaimsAndNotWhileTheTaskWaits) {
    work_for(25s);
    world.serve("limited", limited, &stage);
    world.start();

    const auto id = world.submit("limited", "0");
    const auto ended = world.run_to_end(id);

    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::budget);
    EXPECT_EQ(stage.count("work"), 3) << "25 s, 25 s, and the third does not fit into 60 s";
    EXPECT_GE(ended.active, 60s);
    EXPECT_LT(ended.active, 62s);
}

}  // namespace
}  // namespace pawl::testing
