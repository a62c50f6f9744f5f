// SIGTERM: what is held is handed back, and nothing counts against it.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class DrainTest : public EngineTest {
protected:
    DrainTest() { stage.options.timeout = std::chrono::hours(10); }
    /// The process is asked to stop; true once it has.
    const bool& drain() {
        drained_ = false;
        world.process().loop().post([this] { world.process().engine().drain([this] { drained_ = true; }); });
        return drained_;
    }
    void close_and_start() {
        world.close_process();
        world.start();
    }

private:
    bool drained_ = false;
};

Workflow<int> two_steps(Context& ctx, int, Stage* stage) {
    for (const char* name : {"a", "b"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_return 0;
}

TEST_F(DrainTest, ARunningStepMayEndWithinTheGraceAndTheTaskIsHandedBack) {
    stage.on("a", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 5s);
        return "done";
    });
    world.serve("two", two_steps, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_executions(1);

    const bool& drained = drain();
    until([&] { return drained; });

    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_completed a#1", "handed_back"}));
    EXPECT_EQ(row(id).state, TaskState::pending);
    EXPECT_EQ(stage.count("b"), 0) << "no new step starts";
    close_and_start();
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(row(id).crash_count, 0);
}

TEST_F(DrainTest, ALongStepIsStoppedAfterTheGraceAndItsAttemptIsNoFailure) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (stage.executions.size() == 1) stage.work(attempt, 2h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);
    const Micros began = world.clock.boot();

    const bool& drained = drain();
    until([&] { return drained; });

    EXPECT_GE(world.clock.boot() - began, 10s);
    EXPECT_LT(world.clock.boot() - began, 11s);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "handed_back"}));
    close_and_start();
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.executions[1].number, 1);
}

TEST_F(DrainTest, AOnceStepThatSaysItDidNotHappenIsNotUnknownAfterTheDrain) {
    stage.options.effect = Effect::once;
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (stage.executions.size() == 1) stage.work(attempt, 2h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);

    const bool& drained = drain();
    until([&] { return drained; });
    close_and_start();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_TRUE(entries(id, EntryKind::step_unknown).empty());
    EXPECT_EQ(stage.executions[1].number, 1);
}

TEST_F(DrainTest, AOnceStepThatWasCutByTheDrainIsUnknown) {
    stage.options.effect = Effect::once;
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        world.process().pool().block(2h, [&] { return attempt.stop_requested(); });
        throw std::runtime_error("interrupted");
    });
    const auto id = submit_one_step();
    until_executions(1);

    const bool& drained = drain();
    until([&] { return drained; });
    close_and_start();
    world.run_to_end(id);

    EXPECT_EQ(row(id).reason, Reason::outcome_unknown);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(DrainTest, AStepThatIgnoresItsStopIsLeftBehindAndItsTaskIsHandedBackByTheClose) {
    stage.on("work", [this](const Attempt&) -> std::string {
        if (stage.executions.size() == 1) stage.ignore_stop(5h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);
    const Micros began = world.clock.boot();

    const bool& drained = drain();
    until([&] { return drained; });
    EXPECT_LT(world.clock.boot() - began, 15s) << "a supervisor kills at 15 s";
    close_and_start();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(entries(id, EntryKind::handed_back).size(), 1u);
    EXPECT_TRUE(entries(id, EntryKind::taken_over).empty()) << "a clean end counts against nobody";
    EXPECT_EQ(row(id).crash_count, 0);
}

TEST_F(DrainTest, NothingIsClaimedWhileTheProcessStops) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 5s);
        return "done";
    });
    const auto running = submit_one_step();
    until_executions(1);

    const bool& drained = drain();
    const auto late = submit_one_step();
    until([&] { return drained; });

    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(row(late).state, TaskState::pending);
    close_and_start();
    EXPECT_EQ(world.run_to_end(late).state, TaskState::completed);
    EXPECT_EQ(world.run_to_end(running).state, TaskState::completed);
}

TEST_F(DrainTest, AnIdleProcessIsDrainedAtOnce) {
    submit_one_step(SubmitOptions().delay(Duration{1h}));
    world.settle();
    const Micros began = world.clock.boot();

    const bool& drained = drain();
    until([&] { return drained; });

    EXPECT_LT(world.clock.boot() - began, 1s);
}

TEST_F(DrainTest, HandBacksWithoutEndAreNoPoison) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 2h);
        return "done";
    });
    const auto id = submit_one_step();
    for (int i = 1; i <= 8; i++) {
        until_executions(i);
        world.stop();
        world.start();
    }

    EXPECT_NE(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).crash_count, 0);
}

}  // namespace
}  // namespace pawl::testing
