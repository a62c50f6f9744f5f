// all, outcome, and the order in which the code sees what happened.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class GroupTest : public EngineTest {
protected:
    void takes(const std::string& step, Micros length) {
        stage.on(step, [this, length, step](const Attempt& attempt) -> std::string {
            stage.work(attempt, length);
            return "from " + step;
        });
    }
};

Workflow<std::vector<std::string>> all_of_three(Context& ctx, int, Stage* stage) {
    std::vector<StageStep> steps;
    for (const char* name : {"a", "b", "c"}) steps.push_back(step_of(ctx, stage, name));
    auto group = ctx.all(std::move(steps));
    co_return co_await std::move(group);
}

TEST_F(GroupTest, AllRunsItsBranchesAtOnceAndGivesTheirResultsInTheOrderOfItsArguments) {
    takes("a", 30s);
    takes("b", 20s);
    takes("c", 10s);
    world.serve("all", all_of_three, &stage);
    world.start();
    const Micros began = world.clock.boot();

    const auto id = world.submit("all", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"(["from a","from b","from c"])");
    EXPECT_LT(world.clock.boot() - began, 31s);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_completed all#1/2/c#1", "step_completed all#1/1/b#1",
                                "step_completed all#1/0/a#1", "completed"}));
}

TEST_F(GroupTest, TheFirstFailureStopsTheOthersWaitsForThemAndIsThrown) {
    takes("a", 30s);
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 5s);
        throw final_error("out of stock");
    });
    stage.on("c", [this](const Attempt& attempt) -> std::string {
        world.process().pool().block(30s, [&] { return attempt.stop_requested(); });
        stage.ignore_stop(3s);  // puts things in order
        throw retryable("stopped");
    });
    world.serve("all", all_of_three, &stage);
    world.start();
    const Micros began = world.clock.boot();

    const auto id = world.submit("all", "0");
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_NE(failure(id).message.find("out of stock"), std::string::npos);
    EXPECT_GE(world.clock.boot() - began, 8s) << "the failure is thrown when no branch runs any more";
    EXPECT_LT(world.clock.boot() - began, 9s);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_failed all#1/1/b#1", "step_cancelled all#1/0/a#1",
                                "step_cancelled all#1/2/c#1", "failed all#1/1/b#1"}));
}

TEST_F(GroupTest, ABranchThatCameToItsEndAllTheSameIsRecorded) {
    stage.on("a", [this](const Attempt&) -> std::string {
        stage.ignore_stop(8s);
        return "done";
    });
    stage.on("b", [](const Attempt&) -> std::string { throw final_error("no"); });
    world.serve("all", all_of_three, &stage);
    world.start();

    const auto id = world.submit("all", "0");
    world.run_to_end(id);

    EXPECT_EQ(entries(id, EntryKind::step_completed).back().path, "all#1/0/a#1");
}

Workflow<std::string> rescued(Context& ctx, int, Stage* stage) {
    std::vector<StageStep> steps;
    for (const char* name : {"a", "b", "c"}) steps.push_back(step_of(ctx, stage, name));
    auto group = ctx.all(std::move(steps));
    std::string why;
    try {
        co_await std::move(group);
    } catch (const StepFailed& e) { why = e.why(); }
    StageStep after = step_of(ctx, stage, "after");
    co_await std::move(after);
    co_return why;
}

TEST_F(GroupTest, ATaskCanCatchTheFailureAndGoOn) {
    takes("a", 30s);
    takes("c", 30s);
    stage.on("b", [](const Attempt&) -> std::string { throw final_error("out of stock"); });
    world.serve("rescued", rescued, &stage);
    world.start();

    const auto id = world.submit("rescued", "0");

    EXPECT_TRUE(world.run_to_end(id).output.starts_with("\"out of stock")) << row(id).output;
    EXPECT_EQ(stage.count("after"), 1);
}

TEST_F(GroupTest, TheSameFailureIsThrownAfterACrashThatCutTheOthers) {
    takes("a", 30s);
    stage.on("b", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 1s);
        throw final_error("out of stock");
    });
    stage.on("c", [this](const Attempt&) -> std::string {
        stage.ignore_stop(20s);
        throw retryable("stopped");
    });
    world.serve("rescued", rescued, &stage);
    world.start();
    const auto id = world.submit("rescued", "0");
    until_entry(id, EntryKind::step_failed);

    crash_and_start();

    EXPECT_TRUE(world.run_to_end(id).output.starts_with("\"out of stock")) << row(id).output;
    EXPECT_EQ(stage.count("a") + stage.count("c"), 2) << "what was given up does not start again";
}

Workflow<std::string> branch(Context& ctx, Stage* stage, std::string first, std::string second) {
    StageStep a = step_of(ctx, stage, first);
    std::string text = co_await std::move(a);
    StageStep b = step_of(ctx, stage, second);
    text += ", " + co_await std::move(b);
    stage->notes.push_back(text);
    co_return text;
}

Workflow<std::string> mixed(Context& ctx, int, Stage* stage) {
    Workflow<std::string> left = branch(ctx, stage, "a", "b");
    Workflow<std::string> right = branch(ctx, stage, "c", "d");
    auto group = ctx.all(std::move(left), std::move(right), ctx.sleep(1min));
    auto [x, y, z] = co_await std::move(group);
    static_assert(std::is_same_v<decltype(z), std::monostate>);
    co_return x + "; " + y;
}

TEST_F(GroupTest, WorkflowsStepsAndSleepsGoTogether) {
    world.serve("mixed", mixed, &stage);
    world.start();

    const auto id = world.submit("mixed", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"("a, b; c, d")");
    EXPECT_EQ(entries(id, EntryKind::timer_fired).size(), 1u);
}

TEST_F(GroupTest, ABranchThatFailedIsNotResumedAndNeitherAreItsSiblings) {
    takes("a", 10s);
    takes("b", 1s);
    stage.on("d", [](const Attempt&) -> std::string { throw final_error("no"); });
    world.serve("mixed", mixed, &stage);
    world.start();

    const auto id = world.submit("mixed", "0");

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("b"), 0);
    EXPECT_TRUE(stage.notes.empty());
    EXPECT_TRUE(entries(id, EntryKind::timer_fired).empty()) << "nobody waits a minute for a failed task";
}

Workflow<std::string> fails_at_once(Context&, int) {
    throw final_error("no");
    co_return "";
}

Workflow<std::string> is_done_already(Context&, int) { co_return "done"; }

Workflow<std::string> gathers(Context& ctx, int, Stage* stage) {
    auto inner = ctx.all(is_done_already(ctx, 1), is_done_already(ctx, 2));
    co_await std::move(inner);
    stage->notes.push_back("resumed");
    StageStep step = step_of(ctx, stage, "a");
    co_return co_await std::move(step);
}

Workflow<std::string> fails_beside(Context& ctx, bool first, Stage* stage) {
    try {
        if (first) co_await ctx.all(fails_at_once(ctx, 0), gathers(ctx, 0, stage));
        else co_await ctx.all(gathers(ctx, 0, stage), fails_at_once(ctx, 0));
    } catch (const StepError& e) { stage->notes.push_back(e.what()); }
    StageStep step = step_of(ctx, stage, "b");
    co_return co_await std::move(step);
}

TEST_F(GroupTest, AGroupThatEndsInsideOneThatHasFailedIsNotResumed) {
    world.serve("fails_beside", fails_beside, &stage);
    world.start();
    for (const char* first : {"true", "false"}) {
        stage.notes.clear();
        const auto id = world.submit("fails_beside", first);
        EXPECT_EQ(world.run_to_end(id).output, "\"b\"");
        EXPECT_EQ(stage.notes, Story{"no"});
        EXPECT_EQ(stage.count("a"), 0);
    }
}

Workflow<std::string> as_values(Context& ctx, int, Stage* stage) {
    StageStep a = step_of(ctx, stage, "a");
    StageStep b = step_of(ctx, stage, "b");
    auto group = ctx.all(ctx.outcome(std::move(a)), ctx.outcome(std::move(b)));
    auto [x, y] = co_await std::move(group);
    co_return (x ? *x : x.error) + "; " + (y ? *y : y.error);
}

TEST_F(GroupTest, AnOutcomeIsAValueAndStopsNobody) {
    takes("a", 10s);
    stage.on("b", [](const Attempt&) -> std::string { throw final_error("out of stock"); });
    world.serve("values", as_values, &stage);
    world.start();

    const auto id = world.submit("values", "0");

    EXPECT_TRUE(world.run_to_end(id).output.starts_with("\"from a; out of stock")) << row(id).output;
}

Workflow<int> all_of_none(Context& ctx, int, Stage* stage) {
    std::vector<StageStep> steps;
    auto group = ctx.all(std::move(steps));
    const auto results = co_await std::move(group);
    stage->notes.push_back("on it goes");
    co_return static_cast<int>(results.size());
}

TEST_F(GroupTest, AllOfNothingIsDoneAtOnce) {
    world.serve("none", all_of_none, &stage);
    world.start();

    EXPECT_EQ(world.run_to_end(world.submit("none", "0")).output, "0");
}

Workflow<int> observer(Context& ctx, Stage* stage, std::string name) {
    for (int i = 0; i < 3; i++) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
        stage->notes.push_back(name + std::to_string(i));
    }
    co_return 0;
}

Workflow<int> observers(Context& ctx, int, Stage* stage) {
    std::vector<Workflow<int>> branches;
    for (const char* name : {"a", "b", "c", "d"}) branches.push_back(observer(ctx, stage, name));
    auto group = ctx.all(std::move(branches));
    co_await std::move(group);
    StageStep last = step_of(ctx, stage, "last");
    co_await std::move(last);
    co_return 0;
}

TEST_F(GroupTest, AReplayShowsTheSameThingsInTheSameOrder) {
    for (const char* name : {"a", "b", "c", "d"})
        stage.on(name, [this](const Attempt& attempt) -> std::string {
            stage.work(attempt, Micros(1s) * world.chance.below(60));
            return "done";
        });
    stage.on("last", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 30s);
        return "done";
    });
    world.serve("observers", observers, &stage);
    world.start();
    const auto id = world.submit("observers", "0");
    until([&] { return stage.count("last") == 1; });
    const std::vector<std::string> live = std::exchange(stage.notes, {});
    ASSERT_EQ(live.size(), 12u);

    crash_and_start();
    until([&] { return stage.count("last") == 2; });

    EXPECT_EQ(stage.notes, live);
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

}  // namespace
}  // namespace pawl::testing
