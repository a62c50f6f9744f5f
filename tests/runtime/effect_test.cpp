// `once` steps: the intent before the effect, and every way in which an outcome can be unknown.
#include "runtime/effect_fixture.hpp"

namespace pawl::testing {
namespace {

// ---- the intent --------------------------------------------------------------------------------------------------

TEST_F(EffectTest, TheIntentIsFlushedBeforeTheFunctionBegins) {
    int unflushed = -1;
    std::vector<std::string> durable;
    core::TaskId id;
    stage.on("work", [&](const Attempt&) {
        unflushed = world.disk->unflushed();
        durable = story(id);
        return std::string("done");
    });
    world.serve("one", one_step, &stage);
    world.start();
    id = world.submit("one", R"("")", SubmitOptions().delay(Duration{1s}));

    world.run_to_end(id);

    EXPECT_EQ(unflushed, 0);
    EXPECT_EQ(durable.back(), "step_started work#1");
    EXPECT_EQ(story(id),
              (Story{"submitted", "woken", "claimed", "step_started work#1", "step_completed work#1", "completed"}));
}

TEST_F(EffectTest, AnIntentLostBeforeItsFlushMeansThatNothingHasBegun) {
    const auto id = submit_one_step();
    until([&] { return !entries(id, EntryKind::step_started).empty() && world.disk->unflushed() > 0; });
    EXPECT_EQ(stage.count("work"), 0);

    world.crash(0);
    world.start();
    until([&] { return world.is_final(id); });

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_TRUE(entries(id, EntryKind::step_unknown).empty());
}

TEST_F(EffectTest, AStepThatRecordsItsOwnIntentBeginsWithNoneAndWaitsForTheFlush) {
    stage.options.intent_by_step = true;
    std::vector<std::string> before, after;
    int unflushed = -1;
    core::TaskId id;
    stage.on("work", [&](const Attempt& attempt) -> std::string {
        before = story(id);
        if (!world.process().pool().begin_effect(attempt, R"({"pid":7})")) throw retryable("not begun");
        after = story(id);
        unflushed = world.disk->unflushed();
        return "done";
    });
    world.serve("one", one_step, &stage);
    world.start();
    id = world.submit("one", R"("")", SubmitOptions().delay(Duration{1s}));
    world.run_to_end(id);

    EXPECT_EQ(before.back(), "claimed");
    EXPECT_EQ(after.back(), "step_started work#1");
    EXPECT_EQ(unflushed, 0);
    EXPECT_EQ(entries(id, EntryKind::step_started).at(0).result, R"({"pid":7})");
}

TEST_F(EffectTest, AnIntentIsRefusedOnceTheTaskIsBeingEnded) {
    stage.options.intent_by_step = true;
    std::optional<bool> begun;
    stage.on("work", [&](const Attempt& attempt) -> std::string {
        world.process().pool().block(1h, [&] { return attempt.stop_requested(); });
        begun = world.process().pool().begin_effect(attempt, "{}");
        if (!*begun) throw retryable("not begun");
        receiver.effects++;
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    world.run_to_end(id);

    EXPECT_EQ(begun, false);
    EXPECT_EQ(receiver.effects, 0);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_TRUE(entries(id, EntryKind::step_unknown).empty()) << "nothing had begun";
}

TEST_F(EffectTest, WhatAToolStartedIsGoneBeforeItsOutcomeIsJudged) {
    stage.options.intent_by_step = true;
    on_unknown(OnUnknown::report);
    std::vector<std::string> recovered;
    core::TaskId id;
    stage.options.recover =
        std::make_shared<const std::function<void(const std::string&)>>([&](const std::string& identity) {
            recovered.push_back(identity);
            EXPECT_TRUE(entries(id, EntryKind::step_unknown).empty());
        });
    stage.on("work", [&](const Attempt& attempt) -> std::string {
        if (!world.process().pool().begin_effect(attempt, R"({"pid":7})")) throw retryable("not begun");
        world.process().pool().block(5h);
        return "done";
    });
    id = submit_one_step();
    until_entry(id, EntryKind::step_started);
    until([&] { return world.disk->unflushed() == 0; });

    crash_and_start();
    world.run_to_end(id);

    EXPECT_EQ(recovered, std::vector<std::string>{R"({"pid":7})"});
    EXPECT_EQ(entries(id, EntryKind::step_unknown).size(), 1u);
}

TEST_F(EffectTest, NothingGoesOnBesideAFormerAttemptThatCannotBeEnded) {
    for (const Effect effect : {Effect::once, Effect::idempotent}) {
        stage.options.effect = effect;
        stage.options.intent_by_step = true;
        on_unknown(OnUnknown::report);
        bool alive = true;
        stage.options.recover =
            std::make_shared<const std::function<void(const std::string&)>>([&](const std::string&) {
                if (alive) throw unknown_outcome("process group 7 does not die");
            });
        stage.on("work", [&](const Attempt& attempt) -> std::string {
            if (!world.process().pool().begin_effect(attempt, R"({"pid":7})")) throw retryable("not begun");
            if (alive) world.process().pool().block(5h);
            return "done";
        });
        const auto id = submit_one_step();
        until_entry(id, effect == Effect::once ? EntryKind::step_started : EntryKind::step_begun);
        until([&] { return world.disk->unflushed() == 0; });
        const int before = stage.count("work");

        crash_and_start();
        world.run_to_end(id);

        EXPECT_EQ(row(id).state, TaskState::paused);
        EXPECT_EQ(row(id).reason, Reason::outcome_unknown);
        EXPECT_NE(failure(id).message.find("process group 7 does not die"), std::string::npos) << failure(id).message;
        EXPECT_EQ(entries(id, EntryKind::step_unknown).size(), 1u);
        EXPECT_EQ(stage.count("work"), before);

        alive = false;
        ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened));
        EXPECT_EQ(world.run_to_end(id).state, TaskState::completed) << failure(id).message;
        EXPECT_EQ(stage.count("work"), before + 1);
    }
}

// ---- after a crash -----------------------------------------------------------------------------------------------

TEST_F(EffectTest, ACrashInTheMiddlePausesTheTaskAndNothingIsRepeated) {
    happen_then_block();

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).state, TaskState::paused);
    EXPECT_EQ(row(id).reason, Reason::outcome_unknown);
    EXPECT_NE(failure(id).message.find("step work#1: outcome unknown"), std::string::npos) << failure(id).message;
    EXPECT_EQ(receiver.effects, 1);
    world.advance(24h);
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, VerifyThatFindsTheEffectCompletesTheStepWithWhatItFound) {
    happen_then_block();
    verify();

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_EQ(row(id).output, R"("found")");
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, VerifyThatFindsNothingRepeatsTheStepAndACrashBurnsNoAttempt) {
    block_before_it_happens();
    verify();

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_EQ(receiver.effects, 1);
    ASSERT_EQ(stage.count("work"), 2);
    EXPECT_EQ(stage.executions[1].number, 1);
    EXPECT_EQ(stage.executions[1].key, stage.executions[0].key);
}

TEST_F(EffectTest, VerifyThatCannotTellPausesTheTask) {
    happen_then_block();
    verify();
    receiver.answers = false;

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).reason, Reason::outcome_unknown);
    EXPECT_NE(failure(id).message.find("does not answer"), std::string::npos) << failure(id).message;

    receiver.answers = true;
    ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened)) << "a person may know more";
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(receiver.effects, 2);
}

TEST_F(EffectTest, ReportGivesTheUnknownOutcomeToTheCode) {
    happen_then_block();
    on_unknown(OnUnknown::report);
    world.serve("one", reports, &stage);

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).output, R"("unknown")");
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, RetryRunsTheStepAgainAfterACrashWithTheSameKey) {
    happen_then_block();
    on_unknown(OnUnknown::retry);

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).state, TaskState::completed);
    EXPECT_EQ(receiver.effects, 2);
    EXPECT_EQ(stage.executions[1].key, stage.executions[0].key);
}

TEST_F(EffectTest, FailFailsTheStep) {
    happen_then_block();
    on_unknown(OnUnknown::fail);

    const auto id = crash_in_the_step();

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_EQ(failure(id).code, Errc::outcome_unknown);
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, ACrashDuringTheCheckChecksAgain) {
    happen_then_block();
    int checks = 0;
    on_unknown(OnUnknown::verify(
        [](SimWorld* w, int* n) -> std::optional<std::string> {
            if (++*n == 1) w->process().pool().block(5h);
            return "found";
        },
        &world, &checks));
    const auto id = submit_one_step();
    until_executions(1);
    crash_and_start();
    until([&] { return checks == 1; });

    crash_and_start();
    world.run_to_end(id);

    EXPECT_EQ(row(id).output, R"("found")");
    EXPECT_EQ(checks, 2);
    EXPECT_EQ(receiver.effects, 1);
}

// ---- in life -----------------------------------------------------------------------------------------------------

TEST_F(EffectTest, ATimeoutLeavesTheOutcomeUnknown) {
    stage.options.timeout = 5s;
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        receiver.effects++;
        stage.work(attempt, 1h);
        return "done";
    });

    const auto id = submit_one_step();
    world.run_to_end(id);

    EXPECT_EQ(row(id).reason, Reason::outcome_unknown);
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, OnlyItsOwnRetryableErrorIsProofThatNothingHappened) {
    stage.on("work", [](const Attempt& attempt) -> std::string {
        if (attempt.number() < 3) throw retryable("connect refused");
        return "done";
    });
    const auto refused = submit_one_step();
    EXPECT_EQ(world.run_to_end(refused).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 3);

    stage.on("work", [](const Attempt&) -> std::string { throw std::runtime_error("connection reset"); });
    const auto reset = submit_one_step();
    EXPECT_EQ(world.run_to_end(reset).reason, Reason::outcome_unknown);
    EXPECT_EQ(stage.count("work"), 4);

    stage.on("work", [](const Attempt&) -> std::string { throw final_error("account closed"); });
    const auto closed = submit_one_step();
    EXPECT_EQ(world.run_to_end(closed).state, TaskState::failed);
}

TEST_F(EffectTest, AnAttemptThatEndedUnknownByItselfCountsAndTheNextWaitsForItsBackoff) {
    verify();
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (attempt.number() < 3) throw std::runtime_error("connection reset");
        receiver.effects++;
        return "done";
    });

    const auto id = submit_one_step();
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::completed);
    std::vector<int> numbers;
    for (const Stage::Execution& e : stage.executions) numbers.push_back(e.number);
    EXPECT_EQ(numbers, (std::vector{1, 2, 3}));
    EXPECT_GE(stage.executions[1].at - stage.executions[0].at, 1s);
    EXPECT_GE(stage.executions[2].at - stage.executions[1].at, 2s);
}

TEST_F(EffectTest, OnUnknownRetryEndsWithTheAttempts) {
    on_unknown(OnUnknown::retry);
    stage.on("work", [](const Attempt&) -> std::string { throw std::runtime_error("connection reset"); });

    const auto id = submit_one_step();
    world.run_to_end(id);

    EXPECT_EQ(row(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("work"), 3);
}

TEST_F(EffectTest, ACancelInTheMiddleLeavesUnknownAndNeverFailed) {
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        receiver.effects++;
        world.process().pool().block(1h, [&] { return attempt.stop_requested(); });
        throw std::runtime_error("interrupted");
    });
    const auto id = submit_one_step();
    until_executions(1);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    world.run_to_end(id);

    EXPECT_EQ(story(id),
              (Story{"submitted", "claimed", "step_started work#1", "ending", "step_unknown work#1", "cancelled"}));
}

TEST_F(EffectTest, ADeafStepOfACancelledTaskIsUnknown) {
    stage.on("work", [this](const Attempt&) -> std::string {
        stage.ignore_stop(10h);
        return "done";
    });
    const auto id = submit_one_step();
    until_executions(1);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    until([&] { return world.is_final(id); });

    EXPECT_EQ(entries(id, EntryKind::step_unknown).size(), 1u);
    world.settle();
}

}  // namespace
}  // namespace pawl::testing
