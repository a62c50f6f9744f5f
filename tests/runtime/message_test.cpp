// Signals and approvals: kept when early, in order, durable over parks, crashes and retries, each taken once.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {

struct Verdict {
    std::string by;
    bool good = false;
};
BOOST_DESCRIBE_STRUCT(Verdict, (), (by, good))

namespace {

class MessageTest : public EngineTest {
protected:
    Result<core::Operated> send(core::TaskId id, const std::string& name, const std::string& value,
                                const std::string& request = {}) {
        core::Operate operate;
        operate.verb = Verb::signal;
        operate.id = id;
        operate.signal = name;
        operate.result = value;
        operate.who = "ann@host";
        operate.request_id = request;
        return operated(std::move(operate));
    }
    Result<core::Operated> answer(core::TaskId id, Verb verb, const std::string& step = {},
                                  const std::string& request = {}) {
        core::Operate operate;
        operate.verb = verb;
        operate.id = id;
        operate.step = step;
        operate.who = "ann@host";
        operate.reason = "looks good";
        operate.request_id = request;
        return operated(std::move(operate));
    }

private:
    Result<core::Operated> operated(core::Operate operate) {
        auto done = world.call(std::move(operate));
        if (!done) return done.error();
        return std::get<core::Operated>(*done);
    }
};

Workflow<std::string> two_verdicts(Context& ctx, int, Stage* stage) {
    const Verdict first = co_await ctx.wait_signal<Verdict>("review");
    co_await step_of(ctx, stage, "between");
    const Verdict second = co_await ctx.wait_signal<Verdict>("review");
    co_return first.by + " and " + second.by;
}

Workflow<std::string> one_in_time(Context& ctx, int) {
    const std::optional<Verdict> verdict = co_await ctx.wait_signal<Verdict>("review").timeout(1h);
    co_return verdict ? verdict->by : std::string("nobody");
}

Workflow<std::string> either(Context& ctx, int) {
    auto race = ctx.race(ctx.wait_signal<int>("a"), ctx.wait_signal<int>("b"), ctx.sleep(1h));
    const auto winner = co_await std::move(race);
    co_return std::to_string(winner.index());
}

Workflow<std::string> ask(Context& ctx, int, Stage* stage) {
    const Decision go = co_await ctx.approval("Spend 50?").timeout(1h);
    if (!go.approved) co_return "no: " + go.comment;
    co_return co_await step_of(ctx, stage, "spend") + " by " + go.by;
}

Workflow<std::string> busy_and_waiting(Context& ctx, int, Stage* stage) {
    auto both = ctx.all(ctx.wait_signal<int>("go"), step_of(ctx, stage, "long"));
    const auto [value, text] = co_await std::move(both);
    co_return std::to_string(value) + text;
}

const char* const ann = R"({"by":"ann","good":true})";
const char* const bob = R"({"by":"bob","good":false})";

TEST_F(MessageTest, AWaitingTaskHoldsNoWorkerAndGoesOnWithTheSignal) {
    world.serve("two", two_verdicts, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_state(id, TaskState::waiting);
    EXPECT_EQ(row(id).reason, Reason::signal);
    ASSERT_EQ(row(id).memo.waits.size(), 1u);
    EXPECT_EQ(row(id).memo.waits[0].path, "review#1");

    ASSERT_TRUE(send(id, "review", ann));
    until([&] { return row(id).state == TaskState::waiting && row(id).memo.waits[0].path == "review#2"; });
    ASSERT_TRUE(send(id, "review", bob));

    EXPECT_EQ(world.run_to_end(id).output, R"("ann and bob")");
    EXPECT_EQ(row(id).memo.unread, 0);
}

TEST_F(MessageTest, EarlySignalsAreKeptAndTakenInTheirOrder) {
    world.serve("two", two_verdicts, &stage);
    const auto id = [&] {
        world.start();
        return world.submit("two", "0", SubmitOptions().delay(1h));
    }();
    ASSERT_TRUE(send(id, "review", ann));
    ASSERT_TRUE(send(id, "review", bob));
    EXPECT_EQ(row(id).memo.unread, 2);

    EXPECT_EQ(world.run_to_end(id).output, R"("ann and bob")");
    EXPECT_TRUE(entries(id, EntryKind::parked).empty()) << "it never had to wait";
}

TEST_F(MessageTest, ASignalReachesATaskWhoseOtherBranchRuns) {
    stage.on("long", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 50s);
        return " and long";
    });
    world.serve("busy", busy_and_waiting, &stage);
    world.start();
    const auto id = world.submit("busy", "0");
    until_entry(id, EntryKind::wait_set);

    ASSERT_TRUE(send(id, "go", "7"));
    until_entry(id, EntryKind::wait_ended);
    EXPECT_EQ(row(id).state, TaskState::running);

    EXPECT_EQ(world.run_to_end(id).output, R"("7 and long")");
}

TEST_F(MessageTest, WithoutASignalInTimeThereIsNoValue) {
    world.serve("timed", one_in_time);
    world.start();
    const auto id = world.submit("timed", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"("nobody")");
    EXPECT_EQ(entries(id, EntryKind::wait_ended).back().number, 0);
}

TEST_F(MessageTest, ASignalOfAnotherTypeIsRefusedAndTheWaitGoesOn) {
    world.serve("timed", one_in_time);
    world.start();
    const auto id = world.submit("timed", "0");
    until_state(id, TaskState::waiting);

    ASSERT_TRUE(send(id, "review", R"({"by":7})"));
    until_entry(id, EntryKind::signal_refused);
    until_state(id, TaskState::waiting);
    EXPECT_EQ(row(id).memo.unread, 0);
    ASSERT_TRUE(send(id, "review", ann));

    EXPECT_EQ(world.run_to_end(id).output, R"("ann")");
}

TEST_F(MessageTest, TheSameRequestSendsOneSignal) {
    world.serve("two", two_verdicts, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_state(id, TaskState::waiting);

    ASSERT_TRUE(send(id, "review", ann, "r1"));
    ASSERT_TRUE(send(id, "review", ann, "r1"));
    world.settle();

    EXPECT_EQ(entries(id, EntryKind::signalled).size(), 1u);
    EXPECT_EQ(send(id, "review", bob, "r1").error().code, Errc::idempotency_key_reused);
}

TEST_F(MessageTest, ACrashNeitherLosesNorRepeatsASignal) {
    stage.on("between", [this](const Attempt& attempt) -> std::string {
        if (stage.count("between") == 1) stage.work(attempt, 60s);
        return "between";
    });
    world.serve("two", two_verdicts, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_state(id, TaskState::waiting);
    ASSERT_TRUE(send(id, "review", ann));
    until_executions(1);
    ASSERT_TRUE(send(id, "review", bob));

    crash_and_start();

    EXPECT_EQ(world.run_to_end(id).output, R"("ann and bob")");
    EXPECT_EQ(entries(id, EntryKind::wait_ended).size(), 2u);
}

TEST_F(MessageTest, ARaceOfSignalsIsWonByTheOneThatComes) {
    world.serve("either", either);
    world.start();
    const auto id = world.submit("either", "0");
    until_state(id, TaskState::waiting);
    EXPECT_EQ(row(id).memo.waits.size(), 2u);

    ASSERT_TRUE(send(id, "b", "1"));

    EXPECT_EQ(world.run_to_end(id).output, R"("1")");
    EXPECT_TRUE(row(id).memo.waits.empty());
}

TEST_F(MessageTest, ASignalToAPausedTaskIsThereAfterTheResume) {
    world.serve("timed", one_in_time);
    world.start();
    const auto id = world.submit("timed", "0");
    until_state(id, TaskState::waiting);
    ASSERT_TRUE(world.operate(id, Verb::pause));

    ASSERT_TRUE(send(id, "review", ann));
    world.advance(2h);
    EXPECT_EQ(row(id).state, TaskState::paused);
    ASSERT_TRUE(world.operate(id, Verb::resume));

    EXPECT_EQ(world.run_to_end(id).output, R"("ann")");
}

TEST_F(MessageTest, AFinalTaskTakesNoSignal) {
    const auto id = submit_one_step();
    world.run_to_end(id);
    const int last = row(id).last_no;

    EXPECT_EQ(send(id, "review", ann).error().code, Errc::already_final);
    EXPECT_EQ(row(id).last_no, last);
}

TEST_F(MessageTest, ARetryFindsTheSignalsThatWereTakenInVain) {
    stage.on("between", [this](const Attempt&) -> std::string {
        if (stage.count("between") == 1) throw final_error("no");
        return "between";
    });
    world.serve("two", two_verdicts, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    ASSERT_TRUE(send(id, "review", ann));
    ASSERT_TRUE(send(id, "review", bob));
    until_state(id, TaskState::failed);

    ASSERT_TRUE(world.operate(id, Verb::retry));

    EXPECT_EQ(world.run_to_end(id).output, R"("ann and bob")");
    EXPECT_EQ(row(id).memo.unread, 0);
}

// ---- approvals -------------------------------------------------------------------------------------------------

TEST_F(MessageTest, AnApprovalIsTakenOnceAndSaysWhoGaveIt) {
    world.serve("ask", ask, &stage);
    world.start();
    const auto id = world.submit("ask", "0");
    until_state(id, TaskState::waiting);
    EXPECT_EQ(row(id).reason, Reason::approval);

    ASSERT_TRUE(answer(id, Verb::approve, "approval#1"));
    EXPECT_EQ(answer(id, Verb::deny).error().code, Errc::refused) << "it has been answered";

    EXPECT_EQ(world.run_to_end(id).output, R"("spend by ann@host")");
}

TEST_F(MessageTest, NoAnswerInTimeIsANo) {
    world.serve("ask", ask, &stage);
    world.start();
    const auto id = world.submit("ask", "0");

    EXPECT_EQ(world.run_to_end(id).output, R"("no: nobody answered in time")");
    EXPECT_EQ(stage.count("spend"), 0);
}

TEST_F(MessageTest, AnAnswerNeedsAnOpenApprovalOfThatName) {
    world.serve("ask", ask, &stage);
    world.start();
    const auto id = world.submit("ask", "0", SubmitOptions().delay(1h));
    EXPECT_EQ(answer(id, Verb::approve).error().code, Errc::refused);
    until_state(id, TaskState::waiting);

    const auto wrong = answer(id, Verb::approve, "approval#2");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::bad_input);
    EXPECT_NE(wrong.error().message.find("approval#1"), std::string::npos) << wrong.error().message;
    ASSERT_TRUE(answer(id, Verb::deny));

    EXPECT_EQ(world.run_to_end(id).output, R"("no: looks good")");
}

// A race that is decided leaves the losing wait's message to whoever waits for it next.
Workflow<std::string> race_then_wait(Context& ctx, int) {
    auto race = ctx.race(ctx.wait_signal<int>("a"), ctx.wait_signal<int>("b"));
    const auto winner = co_await std::move(race);
    if (winner.index() != 0) co_return "b first";
    const int b = co_await ctx.wait_signal<int>("b");
    co_return "a, then " + std::to_string(b);
}

Workflow<std::string> timer_or_signal(Context& ctx, int) {
    auto race = ctx.race(ctx.sleep(1min), ctx.wait_signal<int>("a"));
    const auto winner = co_await std::move(race);
    if (winner.index() != 0) co_return "in time";
    co_return "late: " + std::to_string(co_await ctx.wait_signal<int>("a"));
}

Workflow<std::string> bad_question(Context& ctx, int) {
    const Decision go = co_await ctx.approval("Send: \xc3");
    co_return go.comment;
}

Workflow<std::string> bad_name(Context& ctx, int) {
    co_return std::to_string(co_await ctx.wait_signal<int>("ship date"));
}

// What it asks after a failure that a retry undoes is not what it asks then.
Workflow<std::string> ask_again(Context& ctx, int, Stage* stage) {
    std::exception_ptr failed;
    try {
        co_await step_of(ctx, stage, "a");
    } catch (const StepFailed&) { failed = std::current_exception(); }
    const Decision go = co_await ctx.approval(failed ? "A failed, clean up?" : "Deploy?").timeout(1h);
    if (failed) std::rethrow_exception(failed);
    co_return go.approved ? "deployed" : "not: " + go.comment;
}

TEST_F(MessageTest, AWaitThatLostTakesNoSignal) {
    world.serve("race", race_then_wait);
    world.start();
    const auto id = world.submit("race", "0", SubmitOptions().delay(1h));
    ASSERT_TRUE(send(id, "a", "1"));
    ASSERT_TRUE(send(id, "b", "2"));

    EXPECT_EQ(world.run_to_end(id).output, R"("a, then 2")");
    EXPECT_EQ(row(id).memo.unread, 0);
}

TEST_F(MessageTest, ATimerThatFiredBeforeLeavesTheSignalToTheNextWait) {
    world.serve("race", timer_or_signal);
    world.start();
    const auto id = world.submit("race", "0");
    until_state(id, TaskState::waiting);
    ASSERT_TRUE(world.operate(id, Verb::pause));
    world.advance(2min);
    ASSERT_TRUE(send(id, "a", "3"));
    ASSERT_TRUE(world.operate(id, Verb::resume));

    const std::string output = world.run_to_end(id).output;
    EXPECT_TRUE(output == R"("late: 3")" || output == R"("in time")") << output;
    EXPECT_EQ(row(id).memo.unread, 0);
}

TEST_F(MessageTest, ARefusedSignalLeavesTheLimitOfTheWait) {
    world.serve("timed", one_in_time);
    world.start();
    const auto id = world.submit("timed", "0");
    until_state(id, TaskState::waiting);
    ASSERT_TRUE(send(id, "review", R"({"by":7})"));
    until_entry(id, EntryKind::signal_refused);
    until_state(id, TaskState::waiting);
    EXPECT_TRUE(row(id).due);

    EXPECT_EQ(world.run_to_end(id).output, R"("nobody")");
}

TEST_F(MessageTest, ASignalThatComesWhileAPauseWaitsForAStepIsTakenAfterTheResume) {
    stage.on("long", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 50s);
        return " and long";
    });
    world.serve("busy", busy_and_waiting, &stage);
    world.start();
    const auto id = world.submit("busy", "0");
    until_entry(id, EntryKind::wait_set);
    ASSERT_TRUE(world.operate(id, Verb::pause));
    ASSERT_TRUE(send(id, "go", "7"));
    until_state(id, TaskState::paused);
    ASSERT_TRUE(world.operate(id, Verb::resume));

    EXPECT_EQ(world.run_to_end(id).output, R"("7 and long")");
}

TEST_F(MessageTest, WhatCannotBeAskedFailsTheTaskAndNotItsWorker) {
    world.serve("question", bad_question);
    world.serve("name", bad_name);
    world.start();
    for (const char* type : {"question", "name"}) {
        const auto id = world.submit(type, "0");
        world.run_to_end(id);
        EXPECT_EQ(row(id).state, TaskState::failed);
        EXPECT_EQ(failure(id).code, Errc::bad_input) << failure(id).message;
    }
}

TEST_F(MessageTest, AnAnswerToWhatARetryUndoesIsNoAnswerToWhatIsAskedThen) {
    stage.on("a", [this](const Attempt&) -> std::string {
        if (stage.count("a") == 1) throw final_error("no");
        return "a";
    });
    world.serve("again", ask_again, &stage);
    world.start();
    const auto id = world.submit("again", "0");
    until_state(id, TaskState::waiting);
    ASSERT_TRUE(answer(id, Verb::approve));
    until_state(id, TaskState::failed);
    ASSERT_TRUE(world.operate(id, Verb::retry));
    const auto shown = world.run_to_end(id);
    EXPECT_EQ(row(id).memo.unread, 0);
    EXPECT_NE(shown.output, R"("deployed")") << "nobody said yes to that";
}

// ---- what the code notes ---------------------------------------------------------------------------------------

Workflow<std::string> noting(Context& ctx, int, Stage* stage) {
    ctx.set("zones", std::vector<std::string>{"a"});
    ctx.progress(0.5, "half");
    co_await step_of(ctx, stage, "work");
    ctx.set("zones", std::vector<std::string>{"a", "b"});
    co_await ctx.sleep(1h);
    co_return "done";
}

Workflow<std::string> too_much(Context& ctx, int) {
    ctx.set("big", std::string(20'000, 'x'));
    co_return "done";
}

TEST_F(MessageTest, ProgressAndValuesAreReadWhileItRunsAndStayWhenItIsReplayed) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (stage.count("work") == 1) stage.work(attempt, 50s);
        return "work";
    });
    world.serve("noting", noting, &stage);
    world.start();
    const auto id = world.submit("noting", "0");
    until_entry(id, EntryKind::progress);
    EXPECT_EQ(row(id).memo.progress, R"({"done":0.5,"text":"half"})");
    EXPECT_EQ(row(id).memo.values.at(0).second, R"(["a"])");

    crash_and_start();
    until_state(id, TaskState::waiting);

    EXPECT_EQ(row(id).memo.values.at(0).second, R"(["a","b"])");
    EXPECT_EQ(world.run_to_end(id).output, R"("done")");
    EXPECT_EQ(entries(id, EntryKind::value_set).size(), 2u) << "a replay notes nothing";
}

TEST_F(MessageTest, MoreThanTheRowHoldsEndsTheTaskWithAWord) {
    world.serve("much", too_much);
    world.start();
    const auto id = world.submit("much", "0");
    world.run_to_end(id);

    EXPECT_EQ(failure(id).code, Errc::too_large);
    EXPECT_NE(failure(id).message.find("16 KiB"), std::string::npos);
}

// ---- patched ---------------------------------------------------------------------------------------------------

bool has_change = false;  // the deployed code

Workflow<std::string> deployed(Context& ctx, int, Stage* stage) {
    std::string way;
    for (int i = 0; i < 2; i++) {
        const bool is_new = has_change && ctx.patched("two zones");
        way += co_await step_of(ctx, stage, is_new ? "new" : "old");
        co_await ctx.sleep(1h);
    }
    co_return way;
}

class PatchedTest : public MessageTest {
protected:
    PatchedTest() { has_change = false; }
    void deploy() {
        world.stop();
        has_change = true;
        world.start();
    }
};

TEST_F(PatchedTest, ATaskThatPassedBeforeTheChangeGoesOnTheOldWayToItsEnd) {
    world.serve("deployed", deployed, &stage);
    world.start();
    const auto id = world.submit("deployed", "0");
    until_state(id, TaskState::waiting);

    deploy();

    EXPECT_EQ(world.run_to_end(id).output, R"("oldold")");
    EXPECT_TRUE(entries(id, EntryKind::patched).empty());
}

TEST_F(PatchedTest, ANewTaskGoesTheNewWayAndEveryReplayWithIt) {
    has_change = true;
    world.serve("deployed", deployed, &stage);
    world.start();
    const auto id = world.submit("deployed", "0");
    until_state(id, TaskState::waiting);
    crash_and_start();

    EXPECT_EQ(world.run_to_end(id).output, R"("newnew")");
    EXPECT_EQ(entries(id, EntryKind::patched).size(), 1u);
}

}  // namespace
}  // namespace pawl::testing
