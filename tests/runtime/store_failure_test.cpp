// A store that fails: what is acknowledged, what is repeated, and how work goes on.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

using Fault = store::MemoryDisk::Fault;

class StoreFailureTest : public EngineTest {
protected:
    Result<core::Answer> submit_with_key(const std::string& key) {
        return world.call(world.submission("one", R"("")", SubmitOptions().key(key)));
    }
    void start_one() {
        world.serve("one", one_step, &stage);
        world.start();
        world.settle();
    }
};

TEST_F(StoreFailureTest, ASubmitWhoseFlushFailedIsUnknownAndTheSameKeyMakesNoSecondTask) {
    for (const Fault fault : {Fault::before, Fault::after}) {
        if (!world.is_up()) start_one();
        const std::string key = fault == Fault::before ? "before" : "after";
        world.disk->fail_next_flush(fault);

        const auto unknown = submit_with_key(key);
        ASSERT_FALSE(unknown);
        EXPECT_EQ(unknown.error().code, Errc::store_unavailable);
        EXPECT_NE(unknown.error().message.find("repeat with the same key"), std::string::npos);

        const auto again = submit_with_key(key);
        ASSERT_TRUE(again);
        EXPECT_EQ(std::get<core::Submitted>(*again).replayed, fault == Fault::after);
        EXPECT_EQ(world.run_to_end(std::get<core::Submitted>(*again).id).state, TaskState::completed);
    }
}

TEST_F(StoreFailureTest, AStoreThatFailedIsOpenedAnewWithAHigherEpoch) {
    start_one();
    const std::int32_t epoch = world.process().store()->epoch();
    world.disk->fail_next_apply(Fault::before);

    EXPECT_FALSE(submit_with_key("k"));
    world.settle();

    ASSERT_NE(world.process().store(), nullptr);
    EXPECT_GT(world.process().store()->epoch(), epoch);
    EXPECT_EQ(world.process().openings(), 2);
}

TEST_F(StoreFailureTest, AResultThatWasNotFlushedIsNotActedOnAndItsStepRunsAgain) {
    stage.on("work", [this](const Attempt&) -> std::string {
        if (stage.executions.size() == 1) world.disk->fail_next_flush(Fault::before);
        return "run " + std::to_string(stage.executions.size());
    });
    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).output, R"("run 2")");
    EXPECT_EQ(stage.count("work"), 2);
    EXPECT_EQ(row(id).crash_count, 0) << "the worker lives: it is no suspect";
}

TEST_F(StoreFailureTest, AResultThatWasWrittenThoughTheFlushSaidNoIsNotProducedAgain) {
    stage.on("work", [this](const Attempt&) -> std::string {
        if (stage.executions.size() == 1) world.disk->fail_next_flush(Fault::after);
        return "run " + std::to_string(stage.executions.size());
    });
    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).output, R"("run 1")");
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(StoreFailureTest, ATaskStartsNothingAnewWhileAFunctionOfItsFormerHoldStillRuns) {
    stage.on("work", [this](const Attempt&) -> std::string {
        if (stage.executions.size() == 1) stage.ignore_stop(20s);
        return "run " + std::to_string(stage.executions.size());
    });
    world.serve("one", one_step, &stage);
    const auto id = submit_one_step();
    until_executions(1);

    world.disk->fail_next_apply(Fault::before);
    EXPECT_FALSE(submit_with_key("k"));

    EXPECT_EQ(world.run_to_end(id).output, R"("run 2")");
    EXPECT_TRUE(stage.executions[0].has_returned);
    EXPECT_GE(stage.executions[1].at - stage.executions[0].at, 20s);
    EXPECT_GT(stage.executions[1].fence, stage.executions[0].fence);
    EXPECT_EQ(stage.executions[1].key, stage.executions[0].key);
}

TEST_F(StoreFailureTest, AOnceStepThatRanDuringTheFailureIsUnknownAfterwards) {
    stage.options.effect = Effect::once;
    stage.on("work", [this](const Attempt&) -> std::string {
        world.disk->fail_next_flush(Fault::before);
        return "done";
    });
    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).reason, Reason::outcome_unknown);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(StoreFailureTest, WhileTheStoreIsLostClientsHearSoAndWorkGoesOnWhenItIsBack) {
    stage.on("work", [](const Attempt&) { return std::string("done"); });
    const auto id = submit_one_step(SubmitOptions().delay(Duration{1s}));
    world.fail_opens(5);
    world.disk->fail_next_apply(Fault::before);

    const auto lost = submit_with_key("a");
    ASSERT_FALSE(lost);
    until([&] { return world.process().store() == nullptr; });
    const auto meanwhile = submit_with_key("b");
    ASSERT_FALSE(meanwhile);
    EXPECT_EQ(meanwhile.error().code, Errc::store_unavailable);

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

TEST_F(StoreFailureTest, AStoreThatFailsAgainAndAgainIsOpenedLessAndLessOften) {
    start_one();
    const Micros start = world.clock.boot();
    world.on_take = [this](auto&) { world.disk->fail_next_apply(Fault::before); };
    EXPECT_FALSE(submit_with_key("a"));
    until([&] { return world.process().openings() == 7; });
    EXPECT_GE(world.clock.boot() - start, 3s) << "0, 0.1, 0.2, 0.4 ... seconds";

    world.on_take = nullptr;
    world.advance(60s);
    const Micros healed = world.clock.boot();
    world.disk->fail_next_apply(Fault::before);
    EXPECT_FALSE(submit_with_key("b"));
    until([&] { return world.process().store() != nullptr; });
    EXPECT_LT(world.clock.boot() - healed, 100ms) << "the first failure after a sound time: at once";
}

TEST_F(StoreFailureTest, EverySlotIsFreeAgainAfterFailures) {
    start_one();
    for (const Fault fault : {Fault::before, Fault::after, Fault::full}) {
        world.disk->fail_next_apply(fault);
        (void)submit_with_key("apply" + std::to_string(static_cast<int>(fault)));
        world.settle();
        world.disk->fail_next_flush(fault);
        (void)submit_with_key("flush" + std::to_string(static_cast<int>(fault)));
        world.settle();
    }

    EXPECT_EQ(world.process().batcher().free_slots(), world.options.engine.concurrency);
}

TEST_F(StoreFailureTest, OnAFullDiskClientsAreRefusedAndTheRecordsOfRunningTasksWait) {
    stage.on("work", [this](const Attempt&) -> std::string {
        world.disk->fail_next_apply(Fault::full);
        return "run " + std::to_string(stage.executions.size());
    });
    const auto id = submit_one_step();
    EXPECT_EQ(world.run_to_end(id).output, R"("run 1")") << "the result is kept until there is space";
    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(world.process().openings(), 1);

    world.disk->fail_next_apply(Fault::full);
    const auto refused = submit_with_key("k");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::disk_full);
    EXPECT_TRUE(submit_with_key("k")) << "the next command works";
}

TEST_F(StoreFailureTest, AProcessIsReadyWhileItsBatchesAreStored) {
    start_one();
    const auto is_ready = [this] { return world.process().batcher().can_claim(); };
    EXPECT_TRUE(is_ready());
    for (const Fault fault : {Fault::full, Fault::before}) {
        world.fail_opens(1);
        world.on_take = [this, fault](auto&) { world.disk->fail_next_apply(fault); };
        EXPECT_FALSE(submit_with_key("k"));
        EXPECT_FALSE(is_ready());
        world.on_take = nullptr;
        world.advance(1s);
        world.disk->fail_next_apply(Fault::none);
        EXPECT_TRUE(submit_with_key("k" + std::to_string(static_cast<int>(fault))));
        EXPECT_TRUE(is_ready());
    }
}

Workflow<std::string> fills_the_disk(Context& ctx, std::string, Stage* stage, SimWorld* world) {
    StageStep step = step_of(ctx, stage, "work");
    std::string result = co_await std::move(step);
    if (stage->executions.size() == 1) world->disk->fail_next_flush(Fault::full);
    co_return result;
}

TEST_F(StoreFailureTest, ATaskWhoseClaimAFullDiskTookBackIsClaimedOnceThereIsSpace) {
    world.options.engine.concurrency = 1;
    world.serve("fills", fills_the_disk, &stage, &world);
    world.start();
    const auto first = world.submit("fills", R"("")");
    const auto second = world.submit("fills", R"("")");

    EXPECT_EQ(world.run_to_end(first).state, TaskState::completed);
    EXPECT_EQ(world.run_to_end(second).state, TaskState::completed);
    EXPECT_EQ(world.process().openings(), 1);
}

Workflow<std::string> sleeps(Context& ctx, std::string) {
    co_await ctx.sleep(std::chrono::hours(5));
    co_return "slept";
}

TEST_F(StoreFailureTest, OnADiskThatIsFullJustThenATaskStillWakesWhenItIsDue) {
    world.serve("sleeps", sleeps);
    world.start();
    const auto id = world.submit("sleeps", R"("")");
    until_state(id, TaskState::waiting);
    world.settle();

    world.disk->fail_next_apply(Fault::full);  // of the batch that would wake it, and has nothing else

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(world.process().openings(), 1);
}

TEST_F(StoreFailureTest, WhoWaitsForAnEndLooksAgainWhenTheStoreWasOpenedAnew) {
    world.serve("sleeps", sleeps);
    world.start();
    const auto id = world.submit("sleeps", R"("")");
    until_state(id, TaskState::waiting);
    world.settle();
    int watchers = 0, waiters = 0, feeds = 0;
    TaskState seen = TaskState::waiting;
    world.process().engine().watch(id, [&](const core::Notice& notice) {
        EXPECT_EQ(notice.id, id);
        seen = row(id).state;
        watchers++;
    });
    world.process().engine().waiters().add(id, [&](std::optional<std::string> output) {
        EXPECT_FALSE(output);
        waiters++;
    });

    world.process().engine().on_feed([&] { feeds++; });

    world.disk->fail_next_flush(Fault::after);
    EXPECT_FALSE(world.operate(id, Verb::cancel)) << "it happened, and nobody was told";
    world.settle();

    EXPECT_EQ(watchers, 1);
    EXPECT_EQ(waiters, 1);
    EXPECT_GE(feeds, 1);
    EXPECT_EQ(seen, TaskState::cancelled);
}

TEST_F(StoreFailureTest, ACancelDuringTheFailureIsUnknownAndRepeatSafe) {
    stage.options.timeout = std::chrono::hours(10);
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 5h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);

    world.disk->fail_next_flush(Fault::after);
    const auto unknown = world.operate(id, Verb::cancel);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Errc::store_unavailable);
    EXPECT_TRUE(world.operate(id, Verb::cancel));

    world.settle();
    EXPECT_EQ(row(id).state, TaskState::cancelled);
}

}  // namespace
}  // namespace pawl::testing
