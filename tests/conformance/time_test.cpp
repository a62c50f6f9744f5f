// Delays, deadlines, expiry; store time and wall time (spec section 6).
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

TEST_P(StoreConformance, ADelayedTaskIsReadyAfterItsDelay) {
    Submit command = submit(1);
    command.delay = 3s;
    const Applied applied = run(*h, {command});
    EXPECT_EQ(applied.next_due, applied.now + 3s);
    EXPECT_EQ(state_of(*h, command.id), "pending(scheduled)");
    h->clock().advance(3s - 1us);
    EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty());
    h->clock().advance(1us);
    EXPECT_EQ(claim_one(*h).row.id, command.id);
}

TEST_P(StoreConformance, JumpsOfTheWallClockDoNotTouchRelativeWaits) {
    Submit command = submit(1);
    command.delay = 10s;
    run(*h, {command});
    h->clock().jump_wall(2h);
    EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty()) << "a jump ahead fires nothing";
    h->clock().jump_wall(-4h);
    h->clock().advance(10s);
    EXPECT_EQ(claim_one(*h).row.id, command.id) << "a jump back delays nothing";
}

TEST_P(OwnedStore, StoreTimeNeverGoesBackOverARestart) {
    const Instant before = run(*h, {submit(1)}).now;
    h->clock().jump_wall(-2h);
    h->crash();
    const Applied after = run(*h, {submit(2)});
    EXPECT_GE(after.now, before);
    h->clock().jump_wall(4h);
    ASSERT_TRUE(h->store().close());
    h->reopen();
    EXPECT_GE(tick(*h).now, after.now + 1h) << "at the open a later wall clock counts";
}

TEST_P(StoreConformance, ATaskNotStartedInTimeExpires) {
    Submit command = submit(1);
    command.queue_timeout = 5s;
    const Applied submitted = run(*h, {command});
    EXPECT_EQ(submitted.next_due, submitted.now + 5s);
    h->clock().advance(5s);
    const Applied applied = tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(expired)");
    EXPECT_EQ(applied.notices.at(0).what, Notice::What::final);
    EXPECT_FALSE(applied.next_due);
}

TEST_P(StoreConformance, AStartedTaskNeverExpires) {
    Submit command = submit(1);
    command.queue_timeout = 5s;
    const ClaimedTask task = submit_and_claim(*h, command);
    h->clock().advance(1h);
    EXPECT_FALSE(tick(*h).next_due);
    ask<Recorded>(*h, record(task, HandBack{})).value();
    tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "pending(queued)");
}

TEST_P(StoreConformance, ADeadlineEndsAWaitingTaskAtOnce) {
    Submit command = submit(1);
    command.deadline = Micros(10s);
    const ClaimedTask task = submit_and_claim(*h, command);
    const Applied parked = run(*h, {record(task, Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1h})});
    EXPECT_EQ(parked.next_deadline, task.row.deadline);
    h->clock().advance(10s);
    const Applied applied = tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(deadline)");
    EXPECT_FALSE(applied.next_deadline);
    EXPECT_FALSE(applied.next_due);
}

TEST_P(StoreConformance, ADeadlineAsksARunningTaskToEnd) {
    Submit command = submit(1);
    command.deadline = h->clock().wall() + 10s;
    const ClaimedTask task = submit_and_claim(*h, command);
    h->clock().advance(10s);
    const Applied applied = tick(*h);
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::ending);
    EXPECT_EQ(applied.notices[0].ending, Ending::deadline);
    EXPECT_FALSE(applied.next_deadline) << "it has had its effect";
    EXPECT_TRUE(tick(*h).notices.empty());
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, Complete{"1"}))), Errc::stopping);
    Fail fail = failure();
    fail.reason = Reason::deadline;
    ask<Recorded>(*h, record(task, fail)).value();
    EXPECT_EQ(state_of(*h, command.id), "failed(deadline)");
}

TEST_P(StoreConformance, ADeadlineFollowsTheWallClock) {
    Submit command = submit(1);
    command.deadline = Micros(1h);
    run(*h, {command});
    h->clock().jump_wall(2h);
    tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(deadline)");
}

TEST_P(StoreConformance, ADeadlineThatPassedWhileNobodyWasThereCountsAtTheOpen) {
    Submit running = submit(1);
    running.deadline = Micros(10s);
    submit_and_claim(*h, running);
    h->clock().advance(20s);
    h->crash();
    tick(*h);
    EXPECT_EQ(state_of(*h, running.id), "failed(deadline)");
}

TEST_P(StoreConformance, APausedTaskMeetsItsDeadlineToo) {
    Submit command = submit(1);
    command.deadline = Micros(10s);
    run(*h, {command, operate(command.id, Operate::Verb::pause)});
    h->clock().advance(10s);
    tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(deadline)");
}

TEST_P(StoreConformance, NextDueIsTheSoonestOfAllAndExact) {
    const ClaimedTask late = submit_and_claim(*h, submit(1));
    const ClaimedTask soon = submit_and_claim(*h, submit(2));
    run(*h, {record(late, Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 9s})});
    const Applied parked = run(*h, {record(soon, Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 2s})});
    EXPECT_EQ(parked.next_due, parked.now + 2s);
    const Applied cancelled = run(*h, {operate(soon.row.id, Operate::Verb::cancel)});
    EXPECT_EQ(cancelled.next_due, parked.now + 9s);
    h->crash();
    EXPECT_EQ(tick(*h).next_due, parked.now + 9s);
}

TEST_P(StoreConformance, ABatchWakesABoundedNumberAndSaysThatMoreIsDue) {
    std::vector<Command> batch;
    for (int i = 1; i <= 1'200; ++i) {
        Submit command = submit(i);
        command.delay = 1s;
        batch.push_back(command);
    }
    run(*h, batch);
    h->clock().advance(1s);
    const Applied first = tick(*h);
    ASSERT_TRUE(first.next_due);
    EXPECT_LE(*first.next_due, first.now);
    EXPECT_EQ(ask<Claimed>(*h, claim(2'000)).value().tasks.size(), 1'200u);
}

}  // namespace
}  // namespace pawl::test
