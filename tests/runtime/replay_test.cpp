// Replay: what the code sees again, and what happens when the code has changed.
#include "runtime/engine_fixture.hpp"
#include "store/memory/memory_store.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace pawl::testing {
namespace {

using ReplayTest = EngineTest;

Workflow<std::string> sleep_between(Context& ctx, int seconds, Stage* stage) {
    StageStep a = step_of(ctx, stage, "a");
    co_await std::move(a);
    stage->notes.push_back("before");
    co_await ctx.sleep(std::chrono::seconds(seconds));
    stage->notes.push_back("after");
    StageStep b = step_of(ctx, stage, "b");
    co_return co_await std::move(b);
}

TEST_F(ReplayTest, ASleepIsDurableOverARestart) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "3600");
    until_state(id, TaskState::waiting);
    const Micros began = world.clock.boot();

    world.advance(30min);
    crash_and_start();
    EXPECT_EQ(row(id).state, TaskState::waiting);
    world.run_to_end(id);

    EXPECT_EQ(row(id).output, R"("b")");
    EXPECT_GE(world.clock.boot() - began, 59min);
    EXPECT_LT(world.clock.boot() - began, 61min);
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(ReplayTest, ASleepThatEndedWhileNoProcessRanIsOverAtTheStart) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "3600");
    until_state(id, TaskState::waiting);

    world.crash(world.disk->unflushed());
    world.clock.advance(5h);
    world.start();
    const Micros started = world.clock.boot();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_LT(world.clock.boot() - started, 1s);
}

// Neither failed nor guessed at, and no loop: the other tasks go on.
TEST_F(ReplayTest, ATaskWithAnEntryOfANewerVersionIsLeftToNewerWorkers) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "60");
    until_state(id, TaskState::waiting);
    world.crash(world.disk->unflushed());
    world.clock.advance(60s);
    {
        store::MemoryStore newer(world.disk, world.clock);
        core::Claim claim;
        claim.types = {{"sleep", 1, 1}};
        const std::vector<core::Command> one{core::Tick{}, claim};
        const core::Applied claimed = newer.apply(one).value();
        const auto& task = std::get<core::Claimed>(*claimed.replies.at(1).answer).tasks.at(0);
        core::Record record;
        record.task = task.row.ref;
        record.fence = task.row.fence;
        record.entries.emplace_back().kind = static_cast<EntryKind>(60);
        record.entries.back().path = "signal#1";
        record.next = core::HandBack{};
        const std::vector<core::Command> two{record};
        ASSERT_TRUE(newer.apply(two).value().replies.at(0).answer);
        ASSERT_TRUE(newer.close());
    }
    world.start();
    world.run_to_end(world.submit("sleep", "1"));

    EXPECT_EQ(row(id).state, TaskState::pending);
    EXPECT_EQ(row(id).format_min, core::journal_format_max + 1);
    EXPECT_EQ(entries(id, EntryKind::handed_back).size(), 2u) << "by the newer one, and once by this one";
    EXPECT_EQ(stage.count("b"), 1) << "of the other task";
}

TEST_F(ReplayTest, ASleepFollowsStoreTimeAndNotTheWallClock) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "3600");
    until_state(id, TaskState::waiting);
    const Micros began = world.clock.boot();

    world.clock.set_wall_by(-10h);
    world.run_to_end(id);

    EXPECT_GE(world.clock.boot() - began, 59min);
    EXPECT_LT(world.clock.boot() - began, 61min);
}

TEST_F(ReplayTest, AWakeUpThatFindsItsFrameDoesNotReplay) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "60");

    world.run_to_end(id);

    EXPECT_EQ(stage.notes, (std::vector<std::string>{"before", "after"}));
}

class ParkEverywhereTest : public EngineTest {
protected:
    ParkEverywhereTest() : EngineTest(options()) {}
    static SimOptions options() {
        SimOptions o;
        o.engine.park_everywhere = true;
        return o;
    }
};

TEST_F(ParkEverywhereTest, WithoutACacheEveryWakeUpReplaysAndTheResultIsTheSame) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    const auto id = world.submit("sleep", "60");

    EXPECT_EQ(world.run_to_end(id).output, R"("b")");
    EXPECT_EQ(stage.notes, (std::vector<std::string>{"before", "before", "after"}));
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"})) << "no step is executed again";
}

class SmallCacheTest : public EngineTest {
protected:
    SmallCacheTest() : EngineTest(options()) {}
    static SimOptions options() {
        SimOptions o;
        o.engine.parked_frames_max = 2;
        return o;
    }
};

TEST_F(SmallCacheTest, TheLeastRecentFramesLeaveTheCacheFirst) {
    world.serve("sleep", sleep_between, &stage);
    world.start();
    std::vector<core::TaskId> ids;
    for (int i = 0; i < 4; i++) {
        ids.push_back(world.submit("sleep", "60"));
        until_state(ids.back(), TaskState::waiting);
    }
    stage.notes.clear();

    for (const auto& id : ids) EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);

    EXPECT_EQ(std::ranges::count(stage.notes, "before"), 2) << "two were replayed, two were still there";
    EXPECT_EQ(std::ranges::count(stage.notes, "after"), 4);
}

// ---- now, random, uuid, log --------------------------------------------------------------------------------------

Workflow<std::string> observes(Context& ctx, int, Stage* stage) {
    for (int i = 0; i < 3; i++) {
        const auto us = std::chrono::duration_cast<Micros>(ctx.now().time_since_epoch()).count();
        stage->notes.push_back(std::to_string(us) + " " + std::to_string(ctx.random()) + " " + ctx.uuid());
        ctx.log("round " + std::to_string(i));
        co_await ctx.sleep(std::chrono::seconds(10));
    }
    co_return ctx.task_id();
}

TEST_F(ParkEverywhereTest, NowRandomAndUuidAreTheSameInEveryReplay) {
    world.serve("observes", observes, &stage);
    world.start();
    const auto id = world.submit("observes", "0");

    EXPECT_EQ(world.run_to_end(id).output, '"' + core::to_string(id) + '"');

    const auto& seen = stage.notes;
    ASSERT_EQ(seen.size(), 1u + 2u + 3u + 3u);
    EXPECT_EQ(seen[1], seen[0]);
    EXPECT_EQ(seen[3], seen[0]);
    EXPECT_EQ(seen[4], seen[2]);
    EXPECT_EQ(seen[8], seen[5]);
    EXPECT_NE(seen[1], seen[2]) << "time goes on, and chance gives something else";
    EXPECT_EQ(seen[0].substr(seen[0].size() - 36)[14], '4') << "a version 4 UUID: " << seen[0];
}

TEST_F(ReplayTest, TimeAsTheCodeSeesItIsThatOfTheNewestThingItObserved) {
    world.serve("observes", observes, &stage);
    world.start();
    const auto id = world.submit("observes", "0");
    world.run_to_end(id);

    const auto us = [&](std::size_t i) { return std::stoll(stage.notes[i]); };
    EXPECT_EQ(us(0), core::count(row(id).created));
    EXPECT_EQ(us(1), core::count(entries(id, EntryKind::timer_fired)[0].at));
    EXPECT_EQ(us(2), core::count(entries(id, EntryKind::timer_fired)[1].at));
}

TEST_F(ParkEverywhereTest, ALogLineIsWrittenOnceAndNotInReplays) {
    std::ostringstream lines;
    const auto before = spdlog::default_logger();
    const auto logger =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(lines));
    spdlog::set_default_logger(logger);
    logger->set_level(spdlog::level::info);
    world.serve("observes", observes, &stage);
    world.start();
    const auto id = world.submit("observes", "0");
    world.run_to_end(id);
    spdlog::set_default_logger(before);

    for (int i = 0; i < 3; i++) {
        const std::string text = core::to_string(id) + " observes: round " + std::to_string(i);
        const auto at = lines.str().find(text);
        EXPECT_NE(at, std::string::npos) << lines.str();
        EXPECT_EQ(lines.str().find(text, at + 1), std::string::npos) << lines.str();
    }
}

// ---- changed code ------------------------------------------------------------------------------------------------

Workflow<std::string> blocks_at_the_end(Context& ctx, std::string, Stage* stage) {
    for (const char* name : {"a", "b"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_await ctx.sleep(1h);
    co_return "old";
}
Workflow<std::string> renamed(Context& ctx, std::string, Stage* stage) {
    for (const char* name : {"a", "c"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_return "renamed";
}
Workflow<std::string> shortened(Context& ctx, std::string, Stage* stage) {
    StageStep step = step_of(ctx, stage, "a");
    co_await std::move(step);
    co_return "shortened";
}
Workflow<std::string> longer_at_the_end(Context& ctx, std::string, Stage* stage) {
    for (const char* name : {"a", "b"}) {
        StageStep step = step_of(ctx, stage, name);
        co_await std::move(step);
    }
    co_await ctx.sleep(1h);
    StageStep step = step_of(ctx, stage, "c");
    co_await std::move(step);
    co_return "longer";
}
Workflow<std::string> other_type(Context& ctx, std::string, Stage* stage) {
    (void)stage;
    const int n = co_await ctx.step("a", [] { return 7; });
    co_return std::to_string(n);
}
Workflow<std::string> other_kind(Context& ctx, std::string, Stage* stage) {
    StageStep step = step_of(ctx, stage, "a");
    co_await std::move(step);
    StageStep second = step_of(ctx, stage, "b");
    co_await std::move(second);
    StageStep third = step_of(ctx, stage, "sleep");
    co_await std::move(third);
    co_return "other kind";
}

class DivergenceTest : public EngineTest {
protected:
    /// The task sleeps after steps a and b; then its code is another, and its process a new one.
    core::TaskId continue_with(Workflow<std::string> (*code)(Context&, std::string, Stage*)) {
        world.serve("changing", blocks_at_the_end, &stage);
        world.start();
        const auto id = world.submit("changing", R"("")");
        until_state(id, TaskState::waiting);
        world.crash(world.disk->unflushed());
        world.serve("changing", code, &stage);
        world.start();
        world.run_to_end(id);
        return id;
    }
};

TEST_F(DivergenceTest, AnotherStepInThePlaceOfARecordedOnePausesTheTaskWithADiff) {
    const auto id = continue_with(renamed);

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::diverged);
    EXPECT_EQ(failure(id).code, Errc::diverged);
    const std::string text = failure(id).message;
    EXPECT_NE(text.find("step_completed 'b#1'"), std::string::npos) << text;
    EXPECT_NE(text.find("the code, run again, now waits for: c#1"), std::string::npos) << text;
    EXPECT_EQ(stage.count("c"), 0) << "nothing new was executed";
}

TEST_F(DivergenceTest, EntriesLeftOverAtTheEndOfTheCodePauseTheTask) {
    const auto id = continue_with(shortened);

    EXPECT_EQ(row(id).reason, Reason::diverged);
    EXPECT_NE(failure(id).message.find("nothing: it has returned"), std::string::npos) << failure(id).message;
}

TEST_F(DivergenceTest, ARecordedResultThatDoesNotDecodePausesTheTask) {
    const auto id = continue_with(other_type);

    EXPECT_EQ(row(id).reason, Reason::diverged);
    EXPECT_NE(failure(id).message.find("the recorded result of step a#1 does not fit the code"), std::string::npos)
        << failure(id).message;
}

TEST_F(DivergenceTest, AnotherKindOfOperationUnderTheSameNamePausesTheTask) {
    const auto id = continue_with(other_kind);

    EXPECT_EQ(row(id).reason, Reason::diverged);
    EXPECT_NE(failure(id).message.find("another kind of operation"), std::string::npos) << failure(id).message;
}

TEST_F(DivergenceTest, NewStepsAfterTheRecordedOnesAreNoDivergence) {
    const auto id = continue_with(longer_at_the_end);

    EXPECT_EQ(row(id).output, R"("longer")");
}

TEST_F(DivergenceTest, ADivergedTaskIsMatchedAgainAfterResumeWithTheRightCode) {
    const auto id = continue_with(renamed);
    ASSERT_TRUE(world.operate(id, Verb::resume));
    world.run_to_end(id);
    EXPECT_EQ(row(id).reason, Reason::diverged) << "the same code diverges again";

    world.crash(world.disk->unflushed());
    world.serve("changing", blocks_at_the_end, &stage);
    world.start();
    ASSERT_TRUE(world.operate(id, Verb::resume));

    EXPECT_EQ(world.run_to_end(id).output, R"("old")");
    EXPECT_EQ(stage.order(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(DivergenceTest, ADivergedTaskCanBeCancelled) {
    const auto id = continue_with(renamed);

    ASSERT_TRUE(world.operate(id, Verb::cancel));

    EXPECT_EQ(row(id).state, TaskState::cancelled);
}

// What it writes it cannot read.
struct Fussy {};
void tag_invoke(to_json_t, JsonOut& out, const Fussy&) { out.null(); }
Fussy tag_invoke(from_json_t<Fussy>, const JsonIn& in) { in.refuse("something else"); }

Workflow<int> cannot_read_its_own(Context& ctx) {
    co_await ctx.step("fussy", [] { return Fussy{}; }).on_loop();
    co_return 0;
}
Workflow<int> diverges_live(Context& ctx, int, Stage* stage) {
    auto effect = ctx.step("a", perform, stage, std::string("a")).effect(Effect::once).on_loop();
    auto group = ctx.all(std::move(effect), cannot_read_its_own(ctx));
    co_await std::move(group);
    co_return 0;
}

TEST_F(DivergenceTest, WhatHasHappenedIsRecordedAlsoWhenTheCodeDivergesMeanwhile) {
    world.serve("diverges_live", diverges_live, &stage);
    world.start();

    const auto id = world.submit("diverges_live", "0");

    EXPECT_EQ(world.run_to_end(id).reason, Reason::diverged);
    EXPECT_EQ(stage.count("a"), 1);
    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_started all#1/0/a#1", "step_completed all#1/1/fussy#1",
                                "step_completed all#1/0/a#1", "paused"}));
}

// ---- length ------------------------------------------------------------------------------------------------------

Workflow<int> counts_to(Context& ctx, int n, Stage* stage) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += co_await ctx.step("count", [] { return 1; }).on_loop();
    stage->notes.push_back("counted");
    co_await ctx.sleep(1h);
    co_return sum;
}

TEST_F(ReplayTest, TenThousandStepsInOneTaskAreReplayedInOrder) {
    world.serve("counts", counts_to, &stage);
    world.start();
    const auto id = world.submit("counts", "10000");
    until_state(id, TaskState::waiting);

    crash_and_start();

    EXPECT_EQ(world.run_to_end(id).output, "10000");
    EXPECT_EQ(stage.notes.size(), 2u);
    EXPECT_EQ(entries(id, EntryKind::step_completed).size(), 10'000u);
    EXPECT_EQ(entries(id, EntryKind::step_completed).back().path, "count#10000");
}

// ---- versions ----------------------------------------------------------------------------------------------------

Workflow<std::string> second_version(Context& ctx, std::string, Stage* stage) {
    StageStep step = step_of(ctx, stage, "z");
    co_await std::move(step);
    co_return "second";
}

TEST_F(ReplayTest, ATaskStaysWithTheVersionThatItsFirstClaimBound) {
    world.serve("versioned", blocks_at_the_end, &stage);
    world.start();
    const auto old = world.submit("versioned", R"("")");
    until_state(old, TaskState::waiting);

    world.crash(world.disk->unflushed());
    world.serve("versioned", second_version, &stage).version = 2;
    world.start();
    const auto young = world.submit("versioned", R"("")");

    EXPECT_EQ(world.run_to_end(young).output, R"("second")");
    EXPECT_EQ(world.run_to_end(old).output, R"("old")");
    EXPECT_EQ(row(old).lane.version, 1);
    EXPECT_EQ(row(young).lane.version, 2);
}

TEST_F(ReplayTest, ATaskOfAVersionThatNobodyServesStaysPendingAndIsNotLost) {
    world.serve("versioned", second_version, &stage).version = 2;
    world.start();
    const auto young = world.submit("versioned", R"("")", SubmitOptions().delay(Duration{10s}));
    const auto bound = world.submit("versioned", R"("")");
    stage.on("z", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 30s);
        return "done";
    });
    until_executions(1);

    world.crash(world.disk->unflushed());
    world.registry = {};
    world.serve("versioned", blocks_at_the_end, &stage);
    world.start();

    EXPECT_EQ(world.run_to_end(young).output, R"("old")") << "not yet bound: the newest here takes it";
    EXPECT_EQ(row(bound).state, TaskState::pending);

    world.crash(world.disk->unflushed());
    world.serve("versioned", second_version, &stage).version = 2;
    world.start();
    EXPECT_EQ(world.run_to_end(bound).output, R"("second")");
}

}  // namespace
}  // namespace pawl::testing
