// race: who wins, what becomes of the others, and that a replay sees the same.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class RaceTest : public EngineTest {
protected:
    void takes(const std::string& step, Micros length) {
        stage.on(step, [this, length, step](const Attempt& attempt) -> std::string {
            stage.work(attempt, length);
            return "from " + step;
        });
    }
};

Workflow<std::string> first_of_two(Context& ctx, int, Stage* stage) {
    auto race = ctx.race(step_of(ctx, stage, "a"), step_of(ctx, stage, "b"));
    const auto winner = co_await std::move(race);
    const std::string text = winner.index() == 0 ? std::get<0>(winner) : std::get<1>(winner);
    co_return std::to_string(winner.index()) + " " + text + ", then " + co_await step_of(ctx, stage, "after");
}

Workflow<bool> step_or_timer(Context& ctx, int, Stage* stage) {
    auto race = ctx.race(step_of(ctx, stage, "slow"), ctx.sleep(5s));
    const auto winner = co_await std::move(race);
    co_return winner.index() == 0;
}

Workflow<std::string> part(Context& ctx, Stage* stage, std::string name) {
    const std::string one = co_await step_of(ctx, stage, (name + " 1").c_str());
    co_return one + "," + co_await step_of(ctx, stage, (name + " 2").c_str());
}

Workflow<std::string> workflows_race(Context& ctx, int, Stage* stage) {
    auto race = ctx.race(part(ctx, stage, "a"), part(ctx, stage, "b"));
    const auto winner = co_await std::move(race);
    co_return winner.index() == 0 ? std::get<0>(winner) : std::get<1>(winner);
}

TEST_F(RaceTest, TheFirstToEndWinsAndTheOtherIsCancelled) {
    takes("a", 30s);
    takes("b", 10s);
    world.serve("race", first_of_two, &stage);
    world.start();

    const auto id = world.submit("race", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"("1 from b, then after")");
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_completed race#1/1/b#1", "step_cancelled race#1/0/a#1",
                                "step_completed after#1", "completed"}));
}

TEST_F(RaceTest, ATimerWins) {
    takes("slow", 60s);
    world.serve("race", step_or_timer, &stage);
    world.start();

    const auto id = world.submit("race", "0");

    EXPECT_EQ(world.run_to_end(id).output, "false");
    EXPECT_EQ(entries(id, EntryKind::timer_fired).size(), 1u);
    EXPECT_EQ(entries(id, EntryKind::step_cancelled).back().path, "race#1/0/slow#1");
}

TEST_F(RaceTest, ATimerThatLosesIsCancelledAndNeverFires) {
    takes("slow", 1s);
    world.serve("race", step_or_timer, &stage);
    world.start();

    const auto id = world.submit("race", "0");

    EXPECT_EQ(world.run_to_end(id).output, "true");
    EXPECT_TRUE(entries(id, EntryKind::timer_fired).empty());
    EXPECT_EQ(entries(id, EntryKind::step_cancelled).back().path, "race#1/1/sleep#1");
}

TEST_F(RaceTest, AFailureThatComesFirstIsThrown) {
    takes("a", 30s);
    stage.on("b", [](const Attempt&) -> std::string { throw final_error("no mirror"); });
    world.serve("race", first_of_two, &stage);
    world.start();

    const auto id = world.submit("race", "0");
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_NE(failure(id).message.find("no mirror"), std::string::npos);
}

TEST_F(RaceTest, TheCodeOfALosingBranchGoesNoFurther) {
    takes("a 1", 10s);
    takes("a 2", 1s);
    takes("b 1", 1s);
    takes("b 2", 1s);
    world.serve("race", workflows_race, &stage);
    world.start();

    const auto id = world.submit("race", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"("from b 1,from b 2")");
    EXPECT_EQ(stage.count("a 2"), 0);
}

TEST_F(RaceTest, AReplaySeesTheSameWinner) {
    takes("a", 30s);
    takes("b", 10s);
    stage.on("after", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 60s);
        return "after";
    });
    world.serve("race", first_of_two, &stage);
    world.start();

    const auto id = world.submit("race", "0");
    until([&] { return stage.count("after") == 1; });
    crash_and_start();

    EXPECT_EQ(world.run_to_end(id).output, R"("1 from b, then after")");
    EXPECT_EQ(stage.count("b"), 1);
}

}  // namespace
}  // namespace pawl::testing
