// Cancel, kill and the end of a task, with steps that heed their stop and steps that do not.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class EndingTest : public EngineTest {
protected:
    EndingTest() { stage.options.timeout = std::chrono::hours(100); }

    void heed_stop() {
        stage.on("work", [this](const Attempt& attempt) -> std::string {
            stage.work(attempt, 50h);
            return "done";
        });
    }
    void ignore_stop_for(Micros length) {
        stage.on("work", [this, length](const Attempt&) -> std::string {
            stage.ignore_stop(length);
            return "done";
        });
    }
    core::TaskId start_working() {
        const auto id = submit_one_step();
        until_executions(1);
        return id;
    }
    Micros time_until_final(core::TaskId id) {
        const Micros began = world.clock.boot();
        until([&] { return world.is_final(id); });
        return world.clock.boot() - began;
    }
};

TEST_F(EndingTest, CancelStopsTheRunningStepAndTheTaskIsCancelled) {
    heed_stop();
    const auto id = start_working();

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    EXPECT_EQ(row(id).state, TaskState::running) << "it is being ended";

    EXPECT_LT(time_until_final(id), 1s);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(row(id).reason, Reason::user);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "ending", "step_attempt_failed work#1", "cancelled"}));
}

TEST_F(EndingTest, TheFinalEntryAndTheTaskSayWhoAskedForTheEnd) {
    heed_stop();
    const auto id = start_working();
    core::Operate cancel;
    cancel.verb = Verb::cancel;
    cancel.id = id;
    cancel.who = "ann";
    cancel.request_id = "r1";
    cancel.reason = "too late";
    const core::Asked asked{"ann", "r1", "too late"};

    ASSERT_TRUE(world.call(cancel));
    world.run_to_end(id);

    EXPECT_EQ(core::decode_asked(entries(id, EntryKind::ending).at(0).error), asked);
    EXPECT_EQ(core::decode_asked(entries(id, EntryKind::cancelled).at(0).error), asked);
    EXPECT_EQ(failure(id).message, "by ann (request r1): too late");
}

TEST_F(EndingTest, ACancelledStepMayUseItsGrace) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        world.process().pool().block(50h, [&] { return attempt.stop_requested(); });
        stage.ignore_stop(8s);  // puts things in order
        return "done";
    });
    const auto id = start_working();

    ASSERT_TRUE(world.operate(id, Verb::cancel));

    EXPECT_GE(time_until_final(id), 8s);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(entries(id, EntryKind::step_completed).size(), 1u) << "what it came to is recorded";
}

TEST_F(EndingTest, AStepThatIgnoresItsStopIsLeftBehindAfterGraceAndHardStop) {
    ignore_stop_for(10h);
    const auto id = start_working();

    ASSERT_TRUE(world.operate(id, Verb::cancel));

    const Micros took = time_until_final(id);
    EXPECT_GE(took, 15s) << "10 s grace, 5 s after the hard stop";
    EXPECT_LT(took, 16s);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(world.process().engine().deaf_steps(), 1);
    EXPECT_FALSE(stage.executions[0].has_returned);

    world.settle();
    EXPECT_TRUE(stage.executions[0].has_returned) << "its frame lived until then";
    EXPECT_EQ(world.process().engine().deaf_steps(), 0);
    EXPECT_TRUE(entries(id, EntryKind::step_completed).empty()) << "a late result is refused";
}

// A task that is final leaves no word of its steps open.
TEST_F(EndingTest, ADeafStepWithAnIntentIsLostWhenItsTaskEnds) {
    stage.options.total = 10h;
    stage.on("work", [this](const Attempt&) -> std::string {
        stage.ignore_stop(5h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    until([&] { return world.is_final(id); });

    EXPECT_EQ(story(id),
              (Story{"submitted", "claimed", "step_begun work#1", "ending", "step_lost work#1", "cancelled"}));
}

TEST_F(EndingTest, AStepThatIgnoresItsStopIsShownAsSuch) {
    ignore_stop_for(10h);
    const auto id = start_working();
    detail::Execution* execution = world.process().engine().holder(row(id).ref);
    ASSERT_NE(execution, nullptr);
    ASSERT_EQ(execution->live_attempts().size(), 1u);
    EXPECT_FALSE(execution->live_attempts()[0].ignores_stop);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    until([&] { return world.process().engine().deaf_steps() == 1; });

    ASSERT_EQ(execution->live_attempts().size(), 1u);
    EXPECT_TRUE(execution->live_attempts()[0].ignores_stop);
    EXPECT_EQ(execution->live_attempts()[0].path, "work#1");
}

TEST_F(EndingTest, ADeafStepHoldsNoSlot) {
    ignore_stop_for(10h);
    const auto deaf = start_working();
    ASSERT_TRUE(world.operate(deaf, Verb::cancel));
    until([&] { return world.is_final(deaf); });

    stage.on("work", [](const Attempt&) { return std::string("done"); });
    const int free = world.process().batcher().free_slots();
    EXPECT_EQ(free, world.options.engine.concurrency);
    const auto next = submit_one_step();
    until([&] { return world.is_final(next); });
    EXPECT_EQ(row(next).state, TaskState::completed);
}

TEST_F(EndingTest, KillSkipsTheGrace) {
    int level = 0;
    stage.on("work", [&](const Attempt& attempt) -> std::string {
        world.process().pool().block(50h, [&] { return detail::stop_level(attempt) == 2; });
        level = detail::stop_level(attempt);
        throw retryable("killed");
    });
    const auto id = start_working();

    ASSERT_TRUE(world.operate(id, Verb::kill));

    EXPECT_LT(time_until_final(id), 1s);
    EXPECT_EQ(level, 2);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(row(id).reason, Reason::killed);
}

TEST_F(EndingTest, KillLeavesADeafStepBehindAfterFiveSeconds) {
    ignore_stop_for(10h);
    const auto id = start_working();

    ASSERT_TRUE(world.operate(id, Verb::kill));

    const Micros took = time_until_final(id);
    EXPECT_GE(took, 4s);
    EXPECT_LT(took, 6s);
}

TEST_F(EndingTest, KillAfterCancelCutsTheGraceShort) {
    ignore_stop_for(10h);
    const auto id = start_working();
    ASSERT_TRUE(world.operate(id, Verb::cancel));
    world.advance(2s);

    ASSERT_TRUE(world.operate(id, Verb::kill));

    EXPECT_LT(time_until_final(id), 6s);
    EXPECT_EQ(row(id).reason, Reason::killed);
}

TEST_F(EndingTest, CancelAfterKillChangesNothing) {
    ignore_stop_for(10h);
    const auto id = start_working();
    ASSERT_TRUE(world.operate(id, Verb::kill));

    const auto again = world.operate(id, Verb::cancel);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
    time_until_final(id);
    EXPECT_EQ(row(id).reason, Reason::killed);
}

TEST_F(EndingTest, ACancelledTaskInBackoffOrAsleepEndsAtOnceAndStartsNothing) {
    stage.on("work", [](const Attempt&) -> std::string { throw retryable("busy"); });
    stage.options.retry = Retry().delay(1h);
    const auto id = submit_one_step();
    until_state(id, TaskState::pending);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    world.advance(3h);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(EndingTest, CancelOfAFinalTaskIsRefusedAndOfACancelledOneIsHarmless) {
    const auto done = submit_one_step();
    world.run_to_end(done);
    const auto refused = world.operate(done, Verb::cancel);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::already_final);

    const auto cancelled = submit_one_step(SubmitOptions().delay(Duration{1h}));
    ASSERT_TRUE(world.operate(cancelled, Verb::cancel));
    const auto again = world.operate(cancelled, Verb::cancel);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
}

Workflow<int> two_steps(Context& ctx, int, Stage* stage) {
    StageStep work = step_of(ctx, stage, "work");
    co_await ctx.outcome(std::move(work));
    stage->notes.push_back("resumed");
    StageStep more = step_of(ctx, stage, "more");
    co_await std::move(more);
    co_return 0;
}

TEST_F(EndingTest, TheCodeIsNotResumedAfterACancel) {
    heed_stop();
    world.serve("two", two_steps, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_executions(1);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    world.run_to_end(id);

    EXPECT_TRUE(stage.notes.empty()) << "cancel is no exception that outcome() could swallow";
    EXPECT_EQ(stage.count("more"), 0);
}

TEST_F(EndingTest, AnEndAskedForBeforeACrashIsCarriedOutAfterIt) {
    heed_stop();
    const auto id = start_working();
    ASSERT_TRUE(world.operate(id, Verb::cancel));

    crash_and_start();
    world.settle();

    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(stage.count("work"), 1);
}

Workflow<int> both(Context& ctx, int, Stage* stage) {
    StageStep a = step_of(ctx, stage, "work");
    StageStep b = step_of(ctx, stage, "deaf");
    auto group = ctx.all(std::move(a), std::move(b));
    co_await std::move(group);
    co_return 0;
}

TEST_F(EndingTest, OneDeafBranchDoesNotKeepTheOthersResultOutOfTheJournal) {
    heed_stop();
    stage.on("deaf", [this](const Attempt&) -> std::string {
        stage.ignore_stop(10h);
        return "done";
    });
    world.serve("both", both, &stage);
    world.start();
    const auto id = world.submit("both", "0");
    until_executions(2);

    ASSERT_TRUE(world.operate(id, Verb::cancel));

    EXPECT_LT(time_until_final(id), 16s);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "ending", "step_attempt_failed all#1/0/work#1",
                                "step_lost all#1/1/deaf#1", "cancelled"}));
    world.settle();
}

TEST_F(EndingTest, ARetryOfACancelledTaskWaitsUntilTheFunctionOfItsDeafStepHasReturned) {
    ignore_stop_for(1h);
    const auto id = start_working();
    ASSERT_TRUE(world.operate(id, Verb::cancel));
    until([&] { return world.is_final(id); });

    stage.on("work", [](const Attempt&) { return std::string("second"); });
    ASSERT_TRUE(world.operate(id, Verb::retry));
    until([&] { return world.is_final(id); });

    EXPECT_EQ(row(id).state, TaskState::completed);
    ASSERT_EQ(stage.count("work"), 2);
    EXPECT_TRUE(stage.executions[0].has_returned);
    EXPECT_GE(stage.executions[1].at - stage.executions[0].at, 1h);
}

Workflow<int> step_then_sleep(Context& ctx, Stage* stage) {
    co_await ctx.step("quick", perform, stage, std::string("quick")).on_loop();
    co_await ctx.sleep(1h);
    co_return 0;
}
Workflow<int> effect_beside_a_sleep(Context& ctx, int, Stage* stage) {
    auto effect = ctx.step("work", perform, stage, std::string("work")).effect(Effect::once).on_loop();
    auto group = ctx.all(std::move(effect), step_then_sleep(ctx, stage));
    co_await std::move(group);
    co_return 0;
}

// The result goes out in one Record with the sleep of the other branch, and that may not begin any more.
TEST_F(EndingTest, AResultThatGoesOutBesideSomethingThatMayNotBeginIsStillRecorded) {
    core::TaskId id;
    stage.on("work", [&](const Attempt&) -> std::string {
        core::Operate cancel;
        cancel.verb = Verb::cancel;
        cancel.id = id;
        world.process().engine().send(std::move(cancel), [](core::Command&, Result<core::Answer>) {});
        return "done";
    });
    world.serve("beside", effect_beside_a_sleep, &stage);
    world.start();
    id = world.submit("beside", "0", SubmitOptions().delay(Duration{1s}));

    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(story(id),
              (Story{"submitted", "woken", "claimed", "step_started all#1/0/work#1", "step_completed all#1/1/quick#1",
                     "ending", "step_completed all#1/0/work#1", "cancelled"}));
}

}  // namespace
}  // namespace pawl::testing
