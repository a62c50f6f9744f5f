// What a stop, a pause or an end leaves behind of steps that were about to begin: repairs that simulation led to.
#include "runtime/attempt.hpp"
#include "support/sim_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace pawl::testing {
namespace {

using namespace std::chrono_literals;
using Verb = core::Operate::Verb;

struct Outside {
    explicit Outside(SimWorld& w) : world(&w) {}
    SimWorld* world;
    int begun = 0, happened = 0, checks = 0, running = 0;
    core::Micros length{0};
};

// Blocks, and heeds its stop before its effect.
std::int64_t pay(Outside* outside, const Attempt& attempt) {
    outside->begun++;
    outside->world->process().pool().block(outside->length, [&] { return attempt.stop_requested(); });
    if (attempt.stop_requested()) throw retryable("stopped before the effect");
    outside->happened++;
    return 7;
}

// ---- checks ------------------------------------------------------------------------------------------------------

std::int64_t break_off(Outside* outside) {
    outside->happened++;
    throw std::runtime_error("the line broke");
}

std::optional<std::int64_t> look(Outside* outside, const Attempt& attempt) {
    outside->checks++;
    outside->world->process().pool().block(outside->length, [&] { return attempt.stop_requested(); });
    if (attempt.stop_requested()) throw unknown_outcome("stopped while it looked");
    return outside->happened > 0 ? std::optional<std::int64_t>(7) : std::nullopt;
}

Workflow<std::int64_t> pay_and_look(Context& ctx, std::int64_t, Outside* outside) {
    co_return co_await ctx.step("pay", break_off, outside)
        .effect(Effect::once)
        .on_unknown(OnUnknown::verify(look, outside));
}

TEST(Stop, ACheckThatItCutIsMadeAgain) {
    SimWorld world;
    Outside outside(world);
    world.serve("pay", pay_and_look, &outside);
    world.start();
    outside.length = 1h;
    const auto id = world.submit("pay", "1");
    ASSERT_TRUE(world.run_until([&] { return outside.checks == 1; }));

    world.stop();
    outside.length = 0s;
    world.start();
    const auto row = world.run_to_end(id);

    EXPECT_EQ(row.state, TaskState::completed) << row.error;
    EXPECT_EQ(outside.checks, 2);
    EXPECT_EQ(outside.happened, 1);
}

// ---- intents of attempts that never began ------------------------------------------------------------------------

Workflow<std::int64_t> pay_both(Context& ctx, std::int64_t, Outside* outside) {
    auto a = ctx.step("a", pay, outside).effect(Effect::once);
    auto b = ctx.step("b", pay, outside).effect(Effect::once);
    auto both = ctx.all(std::move(a), std::move(b));
    co_await std::move(both);
    co_return 1;
}

// Each resolve lets one of the two go on, and the other one's pause must not make the first one unknown again.
TEST(Stop, APauseLeavesNoIntentOfAStepThatNeverBegan) {
    SimWorld world;
    Outside outside(world);
    world.serve("pay", pay_both, &outside);
    world.start();
    outside.length = 1h;
    const auto id = world.submit("pay", "1");
    ASSERT_TRUE(world.run_until([&] { return outside.begun == 2; }));
    world.crash();
    outside.length = 0s;
    world.start();

    for (const char* step : {"all#1/0/a#1", "all#1/1/b#1"}) {
        ASSERT_EQ(world.run_to_end(id).reason, Reason::outcome_unknown);
        core::Operate resolve;
        resolve.verb = Verb::resolve;
        resolve.id = id;
        resolve.step = step;
        resolve.outcome = core::Operate::Outcome::not_happened;
        ASSERT_TRUE(world.call(resolve));
    }
    const auto row = world.run_to_end(id);

    EXPECT_EQ(row.state, TaskState::completed) << row.error;
    EXPECT_EQ(outside.happened, 2);
}

// ---- waiting for a pause -----------------------------------------------------------------------------------------

Workflow<std::int64_t> work_beside_timer(Context& ctx, std::int64_t, Outside* outside) {
    auto step = ctx.step("pay", pay, outside).timeout(2h);
    auto both = ctx.all(std::move(step), ctx.sleep(10s));
    co_await std::move(both);
    co_return 1;
}

TEST(Stop, ADueTimerDoesNotSpinInATaskThatWaitsForItsPause) {
    SimWorld world;
    Outside outside(world);
    world.serve("work", work_beside_timer, &outside);
    world.start();
    outside.length = 1h;
    const auto id = world.submit("work", "1");
    ASSERT_TRUE(world.run_until([&] { return outside.begun == 1; }));
    ASSERT_TRUE(world.operate(id, Verb::pause));

    int happenings = 0;
    ASSERT_TRUE(world.run_until([&] {
        happenings++;
        return world.row(id).state == TaskState::paused;
    }));

    EXPECT_LT(happenings, 200) << "the loop went round while nothing could be done";
    EXPECT_EQ(outside.happened, 1);
    ASSERT_TRUE(world.operate(id, Verb::resume));
    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
}

// ---- what had happened when the end came -------------------------------------------------------------------------

std::int64_t cancel_itself(Outside* outside, const Attempt& attempt) {
    core::Operate cancel;
    cancel.id = attempt.state().task;
    outside->world->send(cancel, [](const Result<core::Answer>&) {});
    return 7;
}

// Its result and the other step's intent go out together, behind the cancel.
Workflow<std::int64_t> cancel_and_pay(Context& ctx, std::int64_t, Outside* outside) {
    auto a = ctx.step("a", cancel_itself, outside).on_loop();
    auto b = ctx.step("b", pay, outside).effect(Effect::once);
    auto both = ctx.all(std::move(a), std::move(b));
    co_await std::move(both);
    co_return 1;
}

TEST(Stop, AResultThatMeetsTheEndIsRecordedAndNothingBegins) {
    SimWorld world;
    Outside outside(world);
    world.serve("cancel", cancel_and_pay, &outside);
    world.start();

    const auto id = world.submit("cancel", "1");
    const auto row = world.run_to_end(id);

    EXPECT_EQ(row.state, TaskState::cancelled);
    EXPECT_EQ(outside.begun, 0);
    const auto entries = world.journal(id);
    EXPECT_EQ(std::ranges::count(entries, core::EntryKind::step_completed, &core::Entry::kind), 1);
    EXPECT_EQ(std::ranges::count(entries, core::EntryKind::step_started, &core::Entry::kind), 0);
}

// ---- a branch that waits ------------------------------------------------------------------------------------------

class Silence final : public detail::AsyncOp {
public:
    void await_resume() { throw_if_stopped(); }

private:
    void start() override {}
    void give_up() override {}
};

Async<std::int64_t> listen(const Attempt&) {
    Silence silence;
    co_await silence;
    co_return 1;
}

std::int64_t refuse() { throw final_error("no"); }

Workflow<std::int64_t> refuse_while_listening(Context& ctx, std::int64_t) {
    auto listening = ctx.step("listen", listen).timeout(2h);
    auto both = ctx.all(std::move(listening), ctx.step("refuse", refuse));
    co_await std::move(both);
    co_return 1;
}

TEST(Stop, ACoroutineThatWaitsHearsThatItsSiblingFailed) {
    SimWorld world;
    world.serve("refuse", refuse_while_listening);
    world.start();
    const core::Micros begin = world.clock.boot();

    const auto row = world.run_to_end(world.submit("refuse", "1"));

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_LT(world.clock.boot() - begin, core::Micros(1min));
}

// ---- a former hold -----------------------------------------------------------------------------------------------

std::int64_t ignore_stops(Outside* outside) {
    outside->begun++;
    outside->running++;
    outside->world->process().pool().block(outside->length);
    outside->running--;
    return 7;
}

Workflow<std::int64_t> deaf(Context& ctx, std::int64_t, Outside* outside) {
    co_return co_await ctx.step("deaf", ignore_stops, outside).timeout(2h);
}

TEST(FormerHold, AnEndDoesNotWaitForIt) {
    SimWorld world;
    Outside outside(world);
    world.serve("deaf", deaf, &outside);
    world.start();
    outside.length = 1h;
    const auto id = world.submit("deaf", "1");
    ASSERT_TRUE(world.run_until([&] { return outside.begun == 1; }));
    world.disk->fail_next_apply(store::MemoryDisk::Fault::before);
    world.process().batcher().kick();
    world.advance(1min);

    ASSERT_TRUE(world.operate(id, Verb::cancel));
    world.advance(1s);

    EXPECT_EQ(world.row(id).state, TaskState::cancelled);
    EXPECT_EQ(outside.running, 1) << "its function still runs";
}

}  // namespace
}  // namespace pawl::testing
