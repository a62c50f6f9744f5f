// The key of a step over retries of its task: new after a known failure, the same while anything may have happened.
#include "runtime/effect_fixture.hpp"

namespace pawl::testing {
namespace {

class StepKeyTest : public EffectTest {
protected:
    StepKeyTest() {
        stage.options.effect = Effect::idempotent;
        stage.options.timeout = 5s;
        stage.options.retry = Retry().attempts(2).delay(1s).jitter(0);
    }

    /// What the receiver does at the n-th execution of all, from 1 on.
    void at(int n, Stage::Act act) {
        acts_[n] = std::move(act);
        stage.on("work", [this](const Attempt& attempt) -> std::string {
            const auto known = acts_.find(static_cast<int>(stage.executions.size()));
            if (known != acts_.end()) return known->second(attempt);
            throw final_error("account closed");
        });
    }
    Stage::Act pays_and_hangs() {
        return [this](const Attempt& attempt) -> std::string {
            stage.work(attempt, 1h);
            return "paid";
        };
    }
    static std::string pays(const Attempt&) { return "paid"; }
    static std::string is_refused(const Attempt&) { throw retryable("connect refused"); }

    void retry(core::TaskId id) {
        ASSERT_EQ(row(id).state, TaskState::failed);
        ASSERT_TRUE(world.operate(id, Verb::retry));
        world.run_to_end(id);
    }
    std::size_t keys() const {
        std::set<std::string> keys;
        for (const Stage::Execution& e : stage.executions) keys.insert(e.key);
        return keys.size();
    }

private:
    std::map<int, Stage::Act> acts_;
};

TEST_F(StepKeyTest, AKnownFailureGetsANewKey) {
    at(1, is_refused);
    at(2, is_refused);
    at(3, pays);
    const auto id = submit_one_step();
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(row(id).output, R"("paid")");
    EXPECT_NE(stage.executions[2].key, stage.executions[1].key);
    EXPECT_EQ(keys(), 2u);
}

TEST_F(StepKeyTest, AnAttemptThatTimedOutKeepsItThoughALaterOneFailedForAKnownReason) {
    at(1, pays_and_hangs());
    at(2, is_refused);
    at(3, pays);
    const auto id = submit_one_step();
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(row(id).output, R"("paid")");
    EXPECT_EQ(keys(), 1u) << "the first attempt may have paid";
}

TEST_F(StepKeyTest, ItIsKeptOverSeveralRetries) {
    at(1, pays_and_hangs());
    const auto id = submit_one_step();
    world.run_to_end(id);

    retry(id);
    crash_and_start();
    retry(id);

    EXPECT_EQ(stage.executions.size(), 4u);
    EXPECT_EQ(keys(), 1u);
}

TEST_F(StepKeyTest, AnAttemptCutByACrashKeepsIt) {
    at(1, pays_and_hangs());
    at(4, pays);
    const auto id = submit_one_step();
    until_executions(1);
    crash_and_start();
    world.run_to_end(id);

    retry(id);
    EXPECT_EQ(stage.executions.size(), 3u);
    EXPECT_EQ(keys(), 1u);
}

TEST_F(StepKeyTest, AnAttemptCutByACrashKeepsItAlsoWithAnIntent) {
    stage.options.total = 1h;
    at(1, pays_and_hangs());
    const auto id = submit_one_step();
    until_executions(1);
    crash_and_start();
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(entries(id, EntryKind::step_lost).size(), 1u);
    EXPECT_EQ(keys(), 1u);
}

TEST_F(StepKeyTest, AnAttemptThatWasLeftBehindByADrainKeepsIt) {
    at(1, [this](const Attempt&) -> std::string {
        stage.ignore_stop(5h);
        return "paid";
    });
    stage.options.timeout = 10h;
    const auto id = submit_one_step();
    until_executions(1);
    world.stop();
    world.start();
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(keys(), 1u);
}

TEST_F(StepKeyTest, AnAttemptThatIgnoredTheEndOfItsTaskKeepsIt) {
    at(1, [this](const Attempt&) -> std::string {
        stage.ignore_stop(5h);
        return "paid";
    });
    stage.options.timeout = 10h;
    const auto id = submit_one_step();
    until_executions(1);
    ASSERT_TRUE(world.operate(id, Verb::cancel));
    until([&] { return world.is_final(id); });
    ASSERT_TRUE(world.operate(id, Verb::retry));
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(stage.executions.size(), 3u);
    EXPECT_EQ(keys(), 1u);
}

TEST_F(StepKeyTest, ACrashBetweenTwoAttemptsDoesNotKeepIt) {
    stage.options.retry = Retry().attempts(2).delay(1h).jitter(0);
    at(1, is_refused);
    at(2, is_refused);
    at(3, pays);
    const auto id = submit_one_step();
    until_state(id, TaskState::pending);
    crash_and_start();
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(keys(), 2u);
}

TEST_F(StepKeyTest, AnUnknownOutcomeThatDidNotHappenIsAKnownFailure) {
    stage.options.effect = Effect::once;
    at(1, pays_and_hangs());
    at(2, is_refused);
    at(3, is_refused);
    at(4, pays);
    const auto id = submit_one_step();
    until_executions(1);
    crash_and_start();
    world.run_to_end(id);
    ASSERT_EQ(row(id).reason, Reason::outcome_unknown);
    ASSERT_TRUE(resolve(id, core::Operate::Outcome::not_happened));
    world.run_to_end(id);

    retry(id);

    EXPECT_EQ(row(id).output, R"("paid")");
    EXPECT_EQ(keys(), 2u);
}

TEST_F(StepKeyTest, AnUnknownOutcomeThatIsSimplyRetriedKeepsIt) {
    stage.options.effect = Effect::once;
    on_unknown(OnUnknown::retry);
    at(1, pays_and_hangs());
    const auto id = submit_one_step();
    until_executions(1);
    crash_and_start();
    world.run_to_end(id);

    retry(id);

    EXPECT_GE(stage.executions.size(), 3u);
    EXPECT_EQ(keys(), 1u);
}

}  // namespace
}  // namespace pawl::testing
