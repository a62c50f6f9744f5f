// Tasks that kill their process.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class PoisonTest : public EngineTest {
protected:
    PoisonTest() : EngineTest(options()) {}
    static SimOptions options() {
        SimOptions o;
        o.engine.concurrency = 8;
        return o;
    }
    /// The process dies each time `step` is executed, until the world is quiet.
    void die_in(const std::string& step) {
        stage.on(step, [this](const Attempt& attempt) -> std::string {
            dying_ = true;
            world.process().pool().block(24h);
            (void)attempt;
            return "never";
        });
    }
    /// Goes on, over every death.
    void live_on() {
        for (int deaths = 0; deaths < 100; deaths++) {
            (void)world.run_until([this] { return dying_ || world.process().is_quiet(); });
            if (!std::exchange(dying_, false)) return;
            crash_and_start();
        }
        FAIL() << "a hundred deaths";
    }

private:
    bool dying_ = false;
};

TEST_F(PoisonTest, ATaskThatKillsItsProcessFiveTimesIsPaused) {
    die_in("work");
    const auto id = submit_one_step();

    live_on();

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::poison);
    EXPECT_EQ(stage.count("work"), 5);
    EXPECT_NE(failure(id).message.find("died 5 times"), std::string::npos);
}

Workflow<int> neighbour(Context& ctx, int, Stage* stage) {
    StageStep step = step_of(ctx, stage, "neighbour");
    co_await std::move(step);
    co_return 0;
}

TEST_F(PoisonTest, ItsNeighboursComplete) {
    die_in("work");
    world.serve("neighbour", neighbour, &stage);
    world.serve("one", one_step, &stage);
    world.start();
    std::vector<core::TaskId> neighbours;
    for (int i = 0; i < 3; i++) neighbours.push_back(world.submit("neighbour", "0"));
    const auto bad = submit_one_step();
    for (int i = 0; i < 3; i++) neighbours.push_back(world.submit("neighbour", "0"));

    live_on();

    EXPECT_EQ(row(bad).reason, Reason::poison);
    for (const auto& id : neighbours) EXPECT_EQ(row(id).state, TaskState::completed);
}

TEST_F(PoisonTest, TwoSuspectsAreNotStartedTogether) {
    die_in("work");
    world.serve("one", one_step, &stage);
    world.start();
    const auto a = world.submit("one", R"("")");
    const auto b = world.submit("one", R"("")");

    live_on();

    EXPECT_EQ(row(a).reason, Reason::poison);
    EXPECT_EQ(row(b).reason, Reason::poison);
    EXPECT_LE(stage.count("work"), 12) << "from the second death on each dies alone";
}

TEST_F(PoisonTest, ResumeForgetsTheDeaths) {
    die_in("work");
    const auto id = submit_one_step();
    live_on();
    ASSERT_EQ(row(id).reason, Reason::poison);

    stage.on("work", [](const Attempt&) { return std::string("mended"); });
    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(row(id).crash_count, 0);

    EXPECT_EQ(world.run_to_end(id).output, R"("mended")");
}

Workflow<int> step_then_work(Context& ctx, int, Stage* stage) {
    for (const char* name : {"first", "second", "third"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_return 0;
}

TEST_F(PoisonTest, ADeathAfterARecordedStepDoesNotCount) {
    world.serve("steps", step_then_work, &stage);
    world.start();
    const auto id = world.submit("steps", "0");
    until_entry(id, EntryKind::step_completed);

    crash_and_start();

    EXPECT_EQ(row(id).crash_count, 0);
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

TEST_F(PoisonTest, AfterAnUncleanEndNoDeathIsLostWithItsUnflushedClaim) {
    die_in("work");
    world.serve("one", one_step, &stage);
    world.start();
    const auto id = world.submit("one", R"("")");
    until_executions(1);
    crash_and_start();  // an unclean end: from now on a claim is flushed before its code runs

    for (int deaths = 2; deaths <= 4; deaths++) {
        until_executions(deaths);
        world.crash(0);
        world.start();
        EXPECT_EQ(row(id).crash_count, deaths);
    }
}

}  // namespace
}  // namespace pawl::testing
