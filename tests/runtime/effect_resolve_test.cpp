// `once` steps whose outcome a person settles, and those whose result cannot be kept.
#include "runtime/effect_fixture.hpp"

namespace pawl::testing {
namespace {

// ---- resolve -----------------------------------------------------------------------------------------------------

TEST_F(EffectTest, ResolveHappenedGivesTheStepItsResult) {
    happen_then_block();
    const auto id = crash_in_the_step();

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened, "work#1", R"("receipt 7")"));

    EXPECT_EQ(world.run_to_end(id).output, R"("receipt 7")");
    EXPECT_EQ(receiver.effects, 1);
    EXPECT_EQ(core::decode_asked(entries(id, EntryKind::step_resolved).at(0).error).by, "Ann") << "who said so";
}

TEST_F(EffectTest, ResolveNotHappenedRunsTheStepAgain) {
    block_before_it_happens();
    const auto id = crash_in_the_step();

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened));

    EXPECT_EQ(world.run_to_end(id).output, R"("done")");
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, ResolveFailFailsTheStep) {
    happen_then_block();
    world.serve("one", reports, &stage);
    const auto id = crash_in_the_step();

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::fail));

    EXPECT_EQ(world.run_to_end(id).output, R"("unknown")") << "the code may handle it";
}

TEST_F(EffectTest, ResumeOfAnUnknownOutcomeIsRefusedAndNamesResolve) {
    happen_then_block();
    const auto id = crash_in_the_step();

    const auto refused = world.operate(id, Verb::resume);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::refused);
    EXPECT_NE(refused.error().message.find("pawl resolve"), std::string::npos);
}

TEST_F(EffectTest, AResultThatDoesNotFitTheCodeLeavesTheOutcomeUnknownUntilAnotherIsGiven) {
    happen_then_block();
    const auto id = crash_in_the_step();

    for (const char* misfit : {R"({"receipt":7})", "null"}) {
        ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened, "", misfit));
        EXPECT_EQ(world.run_to_end(id).reason, Reason::outcome_unknown);
        EXPECT_NE(failure(id).message.find("work#1"), std::string::npos);
        EXPECT_NE(failure(id).message.find("expected string"), std::string::npos) << failure(id).message;
    }

    crash_and_start();
    ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened, "", R"("receipt 7")"));
    EXPECT_EQ(world.run_to_end(id).output, R"("receipt 7")");
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, AfterAMisfitAPersonMayStillSayThatItDidNotHappen) {
    stage.options.retry = Retry().attempts(1);
    block_before_it_happens();
    const auto id = crash_in_the_step();
    ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened));
    world.run_to_end(id);

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened));

    EXPECT_EQ(world.run_to_end(id).output, R"("done")") << "and the crash burnt no attempt";
    EXPECT_EQ(receiver.effects, 1);
}

TEST_F(EffectTest, AStepMayNameTheResultThatItHasWhenAPersonGivesNone) {
    stage.options.result_if_told = R"("told")";
    happen_then_block();
    const auto id = crash_in_the_step();

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened));

    EXPECT_EQ(world.run_to_end(id).output, R"("told")");
}

// ---- a result that cannot be stored ------------------------------------------------------------------------------

TEST_F(EffectTest, AnEffectWhoseResultIsTooLargeIsNotRepeatedByARetry) {
    stage.on("work", [this](const Attempt&) {
        receiver.effects++;
        return std::string(core::limits::result_bytes_max, 'x');
    });
    const auto id = submit_one_step();
    ASSERT_EQ(world.run_to_end(id).state, TaskState::failed);

    for (int i = 0; i < 2; i++) {
        ASSERT_TRUE(world.operate(id, Verb::retry));
        EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
        crash_and_start();
    }

    EXPECT_EQ(receiver.effects, 1);
    EXPECT_EQ(failure(id).code, Errc::too_large);
    EXPECT_NE(failure(id).message.find("has happened and is not repeated"), std::string::npos) << failure(id).message;
}

TEST_F(EffectTest, AnEffectWhoseResultIsNoJsonIsNotRepeatedByARetry) {
    stage.on("work", [this](const Attempt&) -> std::string {
        receiver.effects++;
        return "\xff";
    });
    const auto id = submit_one_step();
    ASSERT_EQ(world.run_to_end(id).state, TaskState::failed);

    ASSERT_TRUE(world.operate(id, Verb::retry));

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(receiver.effects, 1);
    EXPECT_TRUE(core::decode_failure(entries(id, EntryKind::step_failed).at(0).error).happened);
}

TEST_F(EffectTest, AnAnswerThatTheFunctionCouldNotReadLeavesTheOutcomeUnknown) {
    stage.on("work", [this](const Attempt&) -> std::string {
        receiver.effects++;
        return from_json<std::string>("{");
    });
    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).reason, Reason::outcome_unknown);
}

Result<std::string> times_out(int* calls) {
    ++*calls;
    return Error{Errc::timed_out, "no answer within 5 s"};
}

Workflow<std::string> waits_for_an_answer(Context& ctx, int, int* calls) {
    auto step = ctx.step("ask", times_out, calls).effect(Effect::once).retry(Retry().attempts(3).delay(1s));
    co_return co_await std::move(step);
}

TEST_F(EffectTest, AResultThatSaysTimedOutIsAnUnknownOutcome) {
    int calls = 0;
    world.serve("asks", waits_for_an_answer, &calls);
    world.start();

    const auto id = world.submit("asks", "0");

    EXPECT_EQ(world.run_to_end(id).reason, Reason::outcome_unknown);
    EXPECT_EQ(calls, 1) << "it may have happened";
}

Workflow<int> two_effects(Context& ctx, int, Stage* stage) {
    StageStep a = step_of(ctx, stage, "work");
    StageStep b = step_of(ctx, stage, "more");
    auto group = ctx.all(std::move(a), std::move(b));
    co_await std::move(group);
    co_return 0;
}

TEST_F(EffectTest, OfSeveralUnknownStepsEachIsResolvedByItsName) {
    for (const char* name : {"work", "more"})
        stage.on(name, [this](const Attempt&) -> std::string {
            if (stage.executions.size() <= 2) world.process().pool().block(5h);
            return "done";
        });
    world.serve("two", two_effects, &stage);
    world.start();
    const auto id = world.submit("two", "0");
    until_executions(2);
    crash_and_start();
    world.run_to_end(id);
    ASSERT_EQ(row(id).reason, Reason::outcome_unknown);

    const auto unnamed = resolve(id, core::Operate::Outcome::happened);
    ASSERT_FALSE(unnamed);
    EXPECT_NE(unnamed.error().message.find("all#1/0/work#1, "), std::string::npos) << unnamed.error().message;

    ASSERT_TRUE(resolve(id, core::Operate::Outcome::happened, "all#1/0/work#1", R"("by Ann")"));
    world.run_to_end(id);
    EXPECT_EQ(row(id).reason, Reason::outcome_unknown) << "the other one is still open";
    ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(stage.count("more"), 2);
}

}  // namespace
}  // namespace pawl::testing
