// Pause and resume by an operator.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

using PauseTest = EngineTest;

Workflow<int> three_steps(Context& ctx, int, Stage* stage) {
    for (const char* name : {"a", "b", "c"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_return 0;
}

TEST_F(PauseTest, PauseLetsTheRunningStepEndAndStartsNoNewOne) {
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 10s);
        return "done";
    });
    world.serve("three", three_steps, &stage);
    world.start();
    const auto id = world.submit("three", "0");
    until_executions(2);

    ASSERT_TRUE(world.operate(id, Verb::pause));
    EXPECT_EQ(row(id).state, TaskState::running);
    world.run_to_end(id);
    EXPECT_EQ(core::decode_asked(entries(id, EntryKind::paused).at(0).error),
              core::decode_asked(entries(id, EntryKind::pause_requested).at(0).error));
    EXPECT_FALSE(core::decode_asked(row(id).error).by.empty()) << "who asked for it";

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::by_operator);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(entries(id, EntryKind::step_completed).size(), 2u) << "the result of the running step is recorded";
    world.advance(1h);
    EXPECT_EQ(stage.count("c"), 0);

    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(PauseTest, ATaskWhoseJournalIsFullEndsWhatRunsAndWaitsForAPerson) {
    world.options.make_ledger = [](core::Tables& tables, const core::StoreClock& clock, const core::Opening& opening) {
        core::Opening with_limit = opening;
        with_limit.journal_bytes_max = 1'000;
        return core::make_ledger<core::AllGuards>(tables, clock, with_limit);
    };
    for (const char* name : {"a", "b"}) stage.on(name, [](const Attempt&) { return std::string(600, 'x'); });
    world.serve("three", three_steps, &stage);
    world.start();
    const auto id = world.submit("three", "0");
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::budget);
    EXPECT_EQ(core::decode_failure(row(id).error).message, core::journal_full_text);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"})) << "what had been recorded stays";
    EXPECT_EQ(entries(id, EntryKind::step_completed).size(), 2u);
}

TEST_F(PauseTest, AResumeBeforeTheRunningStepEndedTakesThePauseBack) {
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 10s);
        return "done";
    });
    world.serve("three", three_steps, &stage);
    world.start();
    const auto id = world.submit("three", "0");
    until_executions(2);

    ASSERT_TRUE(world.operate(id, Verb::pause));
    ASSERT_TRUE(world.operate(id, Verb::resume));

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_TRUE(entries(id, EntryKind::paused).empty());
}

TEST_F(PauseTest, APausedPendingTaskIsNotClaimed) {
    const auto id = submit_one_step(SubmitOptions().delay(Duration{10s}));
    ASSERT_TRUE(world.operate(id, Verb::pause));

    world.advance(1h);
    EXPECT_EQ(stage.count("work"), 0);

    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

Workflow<int> sleep_then_step(Context& ctx, int seconds, Stage* stage) {
    co_await ctx.sleep(std::chrono::seconds(seconds));
    StageStep step = step_of(ctx, stage, "work");
    co_await std::move(step);
    co_return 0;
}

TEST_F(PauseTest, ASleepGoesOnWhileItsTaskIsPausedAndIsNotBegunAnew) {
    world.serve("sleeper", sleep_then_step, &stage);
    world.start();
    const auto id = world.submit("sleeper", "60");
    until_state(id, TaskState::waiting);
    const Micros began = world.clock.boot();

    ASSERT_TRUE(world.operate(id, Verb::pause));
    world.advance(40s);
    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(row(id).state, TaskState::waiting) << "it is back in its wait";
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_LT(world.clock.boot() - began, 61s);
}

TEST_F(PauseTest, ASleepThatEndedDuringThePauseIsOverAtTheResume) {
    world.serve("sleeper", sleep_then_step, &stage);
    world.start();
    const auto id = world.submit("sleeper", "60");
    until_state(id, TaskState::waiting);

    ASSERT_TRUE(world.operate(id, Verb::pause));
    world.advance(2h);
    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(stage.count("work"), 0);
    ASSERT_TRUE(world.operate(id, Verb::resume));
    const Micros resumed = world.clock.boot();
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_LT(world.clock.boot() - resumed, 1s);
}

TEST_F(PauseTest, APauseInABackoffKeepsTheAttemptsThatWereUsed) {
    stage.on("work", [](const Attempt& attempt) -> std::string {
        if (attempt.number() < 3) throw retryable("busy");
        return "done";
    });
    stage.options.retry = Retry().attempts(3).delay(10s);
    const auto id = submit_one_step();
    until_state(id, TaskState::pending);

    ASSERT_TRUE(world.operate(id, Verb::pause));
    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(row(id).reason, Reason::retry) << "its back-off is not cut short";

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 3);
}

TEST_F(PauseTest, PauseAndResumeAreHarmlessWhenItIsSoAlready) {
    const auto id = submit_one_step(SubmitOptions().delay(Duration{10s}));

    const auto not_paused = world.operate(id, Verb::resume);
    ASSERT_TRUE(not_paused);
    EXPECT_FALSE(not_paused->changed);
    ASSERT_TRUE(world.operate(id, Verb::pause));
    const auto again = world.operate(id, Verb::pause);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
}

TEST_F(PauseTest, APauseSurvivesACrashOfTheWorker) {
    stage.options.timeout = std::chrono::hours(10);
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 1h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);
    ASSERT_TRUE(world.operate(id, Verb::pause));

    crash_and_start();
    world.settle();

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(PauseTest, ACancelEndsAPausedTask) {
    const auto id = submit_one_step(SubmitOptions().delay(Duration{10s}));
    ASSERT_TRUE(world.operate(id, Verb::pause));

    ASSERT_TRUE(world.operate(id, Verb::cancel));

    EXPECT_EQ(row(id).state, TaskState::cancelled);
}

}  // namespace
}  // namespace pawl::testing
