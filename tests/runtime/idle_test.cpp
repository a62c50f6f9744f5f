// When a worker has nothing left to do.
#include "runtime/idle.hpp"
#include "runtime/holder_fixture.hpp"

#include <future>

namespace pawl::testing {
namespace {

Workflow<int> fails_first(Context& ctx, int, Meeting* meeting) {
    auto step = ctx.step("work", [&](const Attempt& attempt) {
        if (attempt.number() < 3) throw retryable("busy");
        return static_cast<int>(++meeting->executions);
    });
    co_return co_await std::move(step).retry(Retry().delay(5ms));
}

class IdleTest : public HolderTest {
protected:
    Meeting meeting;
    void wait_until_idle(const std::vector<std::string>& queues = {}) {
        std::promise<void> idle;
        holder->loop().post([&] { runtime::when_idle(*holder, registry, queues, [&] { idle.set_value(); }); });
        idle.get_future().wait();
    }
};

Workflow<int> naps(Context& ctx, int) {
    co_await ctx.sleep(1ms);
    co_return 0;
}

TEST_F(IdleTest, WhatWakesAtTheLastMomentIsNotLeftPending) {
    serve("naps", naps);
    start();
    for (int i = 0; i < 50; i++) {
        const std::string id = submit("naps", "0");
        wait_until_idle();
        EXPECT_NE(backend->status(id)->state, TaskState::running);
        EXPECT_NE(backend->status(id)->state, TaskState::pending);
        holder->resume_claims();
        EXPECT_EQ(wait(id).value(), "0");
    }
}

TEST_F(IdleTest, WhatIsPendingInAPausedQueueIsNotWaitedFor) {
    serve("naps", naps);
    start();
    core::SetQueue pause;
    pause.name = "q";
    pause.paused = true;
    ASSERT_TRUE(holder->call(pause));
    const std::string left = submit("naps", "0", SubmitOptions().queue("q"));

    wait_until_idle();

    EXPECT_EQ(backend->status(left)->state, TaskState::pending);
    pause.paused = false;
    ASSERT_TRUE(holder->call(pause));
    holder->resume_claims();
    EXPECT_EQ(wait(left).value(), "0");
}

TEST_F(IdleTest, IdleMeansThatBackoffsAndDelaysAreOverAndLeavesWhatWaits) {
    serve("flaky", fails_first, &meeting);
    serve("sleeps", sleeps_long);
    start();
    const std::string waiting = submit("sleeps", "0");
    const std::string flaky = submit("flaky", "0");
    const std::string delayed = submit("flaky", "0", SubmitOptions().delay(10ms));
    const std::string unserved = submit("nobody_serves_this", "0");

    wait_until_idle();

    EXPECT_EQ(backend->status(flaky)->state, TaskState::completed);
    EXPECT_EQ(backend->status(delayed)->state, TaskState::completed);
    EXPECT_EQ(backend->status(waiting)->state, TaskState::waiting);
    EXPECT_EQ(backend->status(unserved)->state, TaskState::pending);
}

TEST_F(IdleTest, ATaskOfItsQueuesIsNotOverlookedBehindManyNewerOnesOfOtherQueues) {
    serve("flaky", fails_first, &meeting);
    start();
    const std::string ours = submit("flaky", "0", SubmitOptions().queue("a").delay(300ms));
    for (int i = 0; i < 101; i++) submit("flaky", "0", SubmitOptions().queue("b").delay(std::chrono::hours(1)));

    wait_until_idle({"a"});

    EXPECT_EQ(backend->status(ours)->state, TaskState::completed);
}

TEST_F(IdleTest, ATaskLeftToANewerVersionKeepsNobodyBusy) {
    serve("sleeps", sleeps_long);
    {
        auto store = store::open_sqlite(file(), clock).value();
        core::Submit task;
        task.id = core::make_task_id(clock.wall(), 0, 1, 1);
        task.lane.type = "sleeps";
        task.input = "0";
        core::Claim claim;
        claim.types = {{"sleeps", 1, 1}};
        const std::vector<core::Command> begin{task, claim};
        const core::Applied begun = store->apply(begin).value();
        const auto& claimed = std::get<core::Claimed>(*begun.replies.at(1).answer).tasks.at(0);
        core::Record record;
        record.task = claimed.row.ref;
        record.fence = claimed.row.fence;
        record.next = core::HandBack{core::journal_format_max + 1};
        const std::vector<core::Command> end{record};
        ASSERT_TRUE(store->apply(end).value().replies.at(0).answer);
        ASSERT_TRUE(store->close());
    }
    start();

    wait_until_idle();

    EXPECT_EQ(holder->engine().held(), 0u);
}

TEST_F(IdleTest, AnEmptyStoreIsIdleAtOnce) {
    serve("sleeps", sleeps_long);
    start();

    wait_until_idle();

    EXPECT_EQ(holder->engine().held(), 0u);
}

}  // namespace
}  // namespace pawl::testing
