// The end of a holder, clean or not: takeover, poison, what is durable (spec sections 1 and 5).
#include "conformance/harness.hpp"

#include "core/limits.hpp"

namespace pawl::test {
namespace {

TEST_P(OwnedStore, WhatWasFlushedSurvivesAndWhatWasNotIsGone) {
    run(*h, {submit(1)});
    const std::vector<Command> lost{submit(2), claim(1)};
    ASSERT_TRUE(h->store().apply(lost));
    h->crash();
    EXPECT_EQ(state_of(*h, submit(1).id), "pending(queued)") << "its claim was not flushed";
    EXPECT_EQ(code_of(h->store().get(submit(2).id)), Errc::not_found);
    EXPECT_EQ(journal_of(*h, row_of(*h, submit(1).id).ref).size(), 1u);
}

TEST_P(StoreConformance, SeveralBatchesMayShareOneFlush) {
    const std::vector<Command> one{submit(1)}, two{submit(2)};
    ASSERT_TRUE(h->store().apply(one));
    ASSERT_TRUE(h->store().apply(two));
    ASSERT_TRUE(h->store().flush());
    ASSERT_TRUE(h->store().flush()) << "with nothing to do";
    h->crash();
    EXPECT_EQ(h->store().counts().value()[0], 2);
}

TEST_P(StoreConformance, ATaskOfADeadOwnerIsTakenOverAndGoesOn) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1", "1")})).value();
    h->crash();
    EXPECT_EQ(state_of(*h, task.row.id), "pending(queued)");
    EXPECT_EQ(row_of(*h, task.row.id).crash_count, 0) << "it had made progress";
    const ClaimedTask again = claim_one(*h);
    EXPECT_EQ(again.row.ref, task.row.ref);
    EXPECT_FALSE(again.fresh);
    const Recorded recorded = ask<Recorded>(*h, record(again, Complete{"1"}, {completed_step("b#1")})).value();
    EXPECT_EQ(recorded.first_no, 6);
    EXPECT_EQ(kinds_of(*h, task.row.ref),
              (std::vector{EntryKind::submitted, EntryKind::claimed, EntryKind::step_completed, EntryKind::taken_over,
                           EntryKind::claimed, EntryKind::step_completed, EntryKind::completed}));
}

TEST_P(StoreConformance, ACleanCloseHandsRunningTasksBack) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    const ClaimedTask paused = submit_and_claim(*h, submit(2));
    ask<Operated>(*h, operate(paused.row.id, Operate::Verb::pause)).value();
    ASSERT_TRUE(h->store().close());
    const std::vector<Command> late{submit(3)};
    EXPECT_EQ(code_of(h->store().apply(late)), Errc::store_unavailable);
    h->reopen();
    EXPECT_FALSE(h->store().unclean());
    EXPECT_EQ(state_of(*h, task.row.id), "pending(queued)");
    EXPECT_EQ(row_of(*h, task.row.id).crash_count, 0);
    EXPECT_EQ(journal_of(*h, task.row.ref).back().kind, EntryKind::handed_back);
    EXPECT_EQ(state_of(*h, paused.row.id), "paused(operator)");
}

// ---- poison ------------------------------------------------------------------------------------------------------

TEST_P(StoreConformance, ATaskThatKillsItsProcessFiveTimesIsPausedAsPoison) {
    run(*h, {submit(1)});
    for (int crashes = 1; crashes <= limits::poison_crashes; ++crashes) {
        ASSERT_EQ(state_of(*h, submit(1).id), "pending(queued)");
        claim_one(*h);
        h->crash();
        EXPECT_EQ(row_of(*h, submit(1).id).crash_count, crashes);
    }
    EXPECT_EQ(state_of(*h, submit(1).id), "paused(poison)");
    EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty());

    ask<Operated>(*h, operate(submit(1).id, Operate::Verb::resume)).value();
    EXPECT_EQ(row_of(*h, submit(1).id).crash_count, 0);
    EXPECT_FALSE(row_of(*h, submit(1).id).suspect);
    claim_one(*h);
}

TEST_P(StoreConformance, ASuspectRunsWithNoOtherSuspectBesideIt) {
    run(*h, {submit(1), submit(2)});
    for (int i = 0; i < limits::suspect_crashes; ++i) {
        EXPECT_EQ(ask<Claimed>(*h, claim(9)).value().tasks.size(), 2u);
        h->crash();
    }
    run(*h, {submit(3)});
    const Claimed claimed = ask<Claimed>(*h, claim(9)).value();
    ASSERT_EQ(claimed.tasks.size(), 2u) << "one suspect, and whoever is none";
    EXPECT_EQ(claimed.tasks[0].row.id, submit(1).id);
    EXPECT_EQ(claimed.tasks[1].row.id, submit(3).id);

    const Applied shown = run(*h, {record(claimed.tasks[0], {}, {completed_step("a#1")})});
    if (!GetParam().is_shared) {
        EXPECT_TRUE(shown.more_ready) << "the first has shown that it lives: the other may start";
    }
    EXPECT_EQ(claim_one(*h).row.id, submit(2).id);
}

TEST_P(StoreConformance, NeighboursOfAPoisonousTaskComplete) {
    // Task 2 kills its process whenever it runs; tasks 1 and 3 need a moment of peace.
    run(*h, {submit(1), submit(2), submit(3)});
    int crashes = 0;
    while (state_of(*h, submit(2).id) != "paused(poison)") {
        ASSERT_LT(crashes, 20);
        const Claimed claimed = ask<Claimed>(*h, claim(9)).value();
        const bool kills = std::any_of(claimed.tasks.begin(), claimed.tasks.end(),
                                       [](const ClaimedTask& t) { return t.row.id == submit(2).id; });
        if (kills) {
            h->crash();
            ++crashes;
            continue;
        }
        for (const ClaimedTask& task : claimed.tasks) ask<Recorded>(*h, record(task, Complete{"1"})).value();
    }
    for (const ClaimedTask& task : ask<Claimed>(*h, claim(9)).value().tasks)
        ask<Recorded>(*h, record(task, Complete{"1"})).value();
    EXPECT_EQ(crashes, limits::poison_crashes);
    EXPECT_EQ(state_of(*h, submit(1).id), "completed");
    EXPECT_EQ(state_of(*h, submit(3).id), "completed");
}

// Recovery writes entries of its own in every life: they say nothing about the task.
TEST_P(StoreConformance, WhatAWorkerMerelyNotesDoesNotClearATaskOfSuspicion) {
    run(*h, {submit(1)});
    for (int crashes = 1; crashes <= limits::poison_crashes; ++crashes) {
        const ClaimedTask task = claim_one(*h);
        if (crashes > 1) ask<Recorded>(*h, record(task, {}, {draft(EntryKind::step_lost, "a#1")})).value();
        ask<Recorded>(*h, record(task, {}, {draft(EntryKind::step_started, "a#1")})).value();
        if (crashes == 2) {
            EntryDraft unknown = draft(EntryKind::step_unknown, "b#1");
            ask<Recorded>(*h, record(task, {}, {unknown, draft(EntryKind::step_resolved, "b#1")})).value();
            ask<Operated>(*h, operate(task.row.id, Operate::Verb::pause)).value();
            ask<Operated>(*h, operate(task.row.id, Operate::Verb::resume)).value();
        }
        h->crash();
        EXPECT_EQ(row_of(*h, submit(1).id).crash_count, crashes);
    }
    EXPECT_EQ(state_of(*h, submit(1).id), "paused(poison)");
}

TEST_P(StoreConformance, WhatEndsShowsThatATaskGetsOn) {
    int number = 0;
    for (const EntryKind kind : {EntryKind::step_attempt_failed, EntryKind::step_completed, EntryKind::step_failed,
                                 EntryKind::step_cancelled, EntryKind::timer_fired}) {
        const ClaimedTask task = submit_and_claim(*h, submit(++number));
        ask<Recorded>(*h, record(task, {}, {draft(kind, "a#1")})).value();
        h->crash();
        EXPECT_EQ(row_of(*h, task.row.id).crash_count, 0) << to_string(kind);
        ask<Recorded>(*h, record(claim_one(*h), Complete{"1"})).value();
    }
}

TEST_P(StoreConformance, AParkShowsThatATaskIsNoPoison) {
    run(*h, {submit(1)});
    for (int i = 0; i < limits::suspect_crashes; ++i) {
        claim_one(*h);
        h->crash();
    }
    ask<Recorded>(*h, record(claim_one(*h), Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1s})).value();
    EXPECT_EQ(row_of(*h, submit(1).id).crash_count, 0);
    EXPECT_FALSE(row_of(*h, submit(1).id).suspect);
}

TEST_P(StoreConformance, ACleanHandBackNeverCounts) {
    run(*h, {submit(1)});
    for (int i = 0; i < 2 * limits::poison_crashes; ++i) {
        ask<Recorded>(*h, record(claim_one(*h), HandBack{})).value();
        claim_one(*h);
        ASSERT_TRUE(h->store().close());
        h->reopen();
    }
    EXPECT_EQ(row_of(*h, submit(1).id).crash_count, 0);
}

}  // namespace
}  // namespace pawl::test
