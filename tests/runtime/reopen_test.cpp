// `retry` of a task that failed or was cancelled: what it voids, and what stays.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class ReopenTest : public EngineTest {
protected:
    ReopenTest() { stage.options.retry = Retry().attempts(2).delay(1s); }
    bool mended = false;
    void fails_until_mended(const std::string& step) {
        stage.on(step, [this, step](const Attempt&) -> std::string {
            if (!mended) throw retryable("busy");
            return step;
        });
    }
    core::TaskRow mend_and_retry(core::TaskId id) {
        mended = true;
        EXPECT_TRUE(world.operate(id, Verb::retry));
        return world.run_to_end(id);
    }
    std::vector<std::string> keys_of(const std::string& step) {
        std::vector<std::string> keys;
        for (const Stage::Execution& e : stage.executions)
            if (e.step == step) keys.push_back(e.key);
        return keys;
    }
};

Workflow<std::string> a_b_c(Context& ctx, std::string, Stage* stage) {
    for (const char* name : {"a", "b", "c"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_return "done";
}

TEST_F(ReopenTest, CompletedStepsStayAndTheFailedOneGetsItsAttemptsAnew) {
    fails_until_mended("b");
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);

    EXPECT_EQ(mend_and_retry(id).state, TaskState::completed);

    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b", "b", "b", "c"}));
    EXPECT_EQ(stage.executions[3].number, 1);
    EXPECT_EQ(row(id).reopened, 1);
}

TEST_F(ReopenTest, AfterAKnownFailureTheStepHasANewKey) {
    fails_until_mended("b");
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    world.run_to_end(id);

    mend_and_retry(id);

    const auto keys = keys_of("b");
    ASSERT_EQ(keys.size(), 3u);
    EXPECT_EQ(keys[0], keys[1]);
    EXPECT_NE(keys[2], keys[1]) << "the receiver shall not answer with the old failure";
    EXPECT_EQ(keys_of("c").size(), 1u);
}

TEST_F(ReopenTest, AfterAnUnknownOutcomeTheKeyStays) {
    stage.options.effect = Effect::once;
    stage.options.on_unknown = OnUnknown::fail;
    stage.on("b", [this](const Attempt&) -> std::string {
        if (!mended) throw std::runtime_error("connection reset");
        return "b";
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    world.run_to_end(id);
    EXPECT_EQ(row(id).state, TaskState::failed);

    mend_and_retry(id);

    const auto keys = keys_of("b");
    ASSERT_EQ(keys.size(), 2u) << "a person said: again";
    EXPECT_EQ(keys[0], keys[1]) << "the receiver can tell the repetition";
    EXPECT_EQ(keys_of("a").size(), 1u);
}

TEST_F(ReopenTest, AfterAnAttemptThatWasCutOffTheKeyStays) {
    stage.options.retry = Retry().attempts(1);
    stage.options.timeout = 1s;
    stage.on("b", [this](const Attempt&) -> std::string {
        if (!mended) stage.ignore_stop(3s);
        return "b";
    });
    stage.on("c", [this](const Attempt&) -> std::string {
        if (stage.count("c") == 1) throw unknown_outcome("cut after send");
        return "c";
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    mend_and_retry(id);
    EXPECT_EQ(mend_and_retry(id).state, TaskState::completed);

    for (const char* step : {"b", "c"}) {
        const auto keys = keys_of(step);
        ASSERT_EQ(keys.size(), 2u) << step;
        EXPECT_EQ(keys[0], keys[1]) << step << ": the receiver can tell the repetition";
    }
}

TEST_F(ReopenTest, TheFailureMayBeRetriedAgainAndAgain) {
    fails_until_mended("b");
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    world.run_to_end(id);
    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(world.operate(id, Verb::retry));
        EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    }

    EXPECT_EQ(mend_and_retry(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("a"), 1);
    EXPECT_EQ(stage.count("b"), 2 * 4 + 1);
    const auto keys = keys_of("b");
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 5u);
}

TEST_F(ReopenTest, TheHistoryOfARetriedTaskReplaysAfterACrash) {
    fails_until_mended("b");
    stage.on("c", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 30s);
        return "c";
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    world.run_to_end(id);
    mended = true;
    ASSERT_TRUE(world.operate(id, Verb::retry));
    until([&] { return stage.count("c") == 1; });

    crash_and_start();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("b"), 3);
}

Workflow<int> all_of_three(Context& ctx, int, Stage* stage) {
    std::vector<StageStep> steps;
    for (const char* name : {"a", "b", "c"}) steps.push_back(step_of(ctx, stage, name));
    auto group = ctx.all(std::move(steps));
    co_await std::move(group);
    co_return 0;
}

TEST_F(ReopenTest, WhatABranchCompletedAfterTheFailureIsNotExecutedAgain) {
    fails_until_mended("b");
    stage.options.retry = Retry::none();
    stage.on("a", [this](const Attempt&) -> std::string {
        stage.ignore_stop(20s);
        return "a";
    });
    stage.on("c", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, mended ? Micros(1s) : Micros(20s));
        return "c";
    });
    world.serve("all", all_of_three, &stage);
    world.start();
    const auto id = world.submit("all", "0");
    until_executions(3);
    world.run_to_end(id);

    EXPECT_EQ(mend_and_retry(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("a"), 1) << "its result was recorded";
    EXPECT_EQ(stage.count("c"), 2) << "it was cancelled";
}

TEST_F(ReopenTest, ACancelledTaskGoesOnWhereItWas) {
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        if (!mended) stage.work(attempt, 30s);
        return "b";
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    until_executions(2);
    ASSERT_TRUE(world.operate(id, Verb::cancel));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::cancelled);

    EXPECT_EQ(mend_and_retry(id).state, TaskState::completed);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b", "b", "c"}));
}

TEST_F(ReopenTest, TheDeadlineStartsAnewWithItsLength) {
    stage.options.timeout = 1h;
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        if (!mended) stage.work(attempt, 30min);
        return "b";
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")", SubmitOptions().deadline(Duration{60s}));
    EXPECT_EQ(world.run_to_end(id).reason, Reason::deadline);
    world.advance(1h);

    mended = true;
    const auto retried_at = world.clock.wall();
    ASSERT_TRUE(world.operate(id, Verb::retry));
    EXPECT_GE(*row(id).deadline - retried_at, 60s);
    EXPECT_LT(*row(id).deadline - retried_at, 61s);
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

TEST_F(ReopenTest, AnUnknownOutcomeBeforeTheEndIsStillJudgedAfterTheRetry) {
    stage.options.effect = Effect::once;
    stage.options.timeout = 10h;
    stage.on("a", [this](const Attempt& attempt) -> std::string {
        world.process().pool().block(1h, [&] { return attempt.stop_requested(); });
        throw std::runtime_error("interrupted");
    });
    world.serve("abc", a_b_c, &stage);
    world.start();
    const auto id = world.submit("abc", R"("")");
    until_executions(1);
    ASSERT_TRUE(world.operate(id, Verb::cancel));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::cancelled);

    ASSERT_TRUE(world.operate(id, Verb::retry));
    world.run_to_end(id);

    EXPECT_EQ(row(id).reason, Reason::outcome_unknown) << "`once` is not repeated by a retry of its task";
    EXPECT_EQ(stage.count("a"), 1);
}

TEST_F(ReopenTest, ACompletedTaskCannotBeRetriedAndARunningOneNeither) {
    const auto done = submit_one_step();
    world.run_to_end(done);
    const auto completed = world.operate(done, Verb::retry);
    ASSERT_FALSE(completed);
    EXPECT_EQ(completed.error().code, Errc::already_final);

    const auto later = submit_one_step(SubmitOptions().delay(Duration{1h}));
    const auto pending = world.operate(later, Verb::retry);
    ASSERT_FALSE(pending);
    EXPECT_EQ(pending.error().code, Errc::refused);
}

}  // namespace
}  // namespace pawl::testing
