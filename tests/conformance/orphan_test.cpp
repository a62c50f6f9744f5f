// A worker that dies in the middle of a step leaves an intent without an end, and maybe a process: whoever opens the
// store next hears of it, and no task ends without a word about it (spec sections 6 and 8).
#include "conformance/harness.hpp"

#include "core/limits.hpp"

namespace pawl::test {
namespace {

using Verb = Operate::Verb;
using enum EntryKind;

class Orphan : public StoreConformance {
protected:
    static EntryDraft intent(EntryKind kind, const std::string& path, const std::string& process) {
        EntryDraft made = draft(kind, path, 2);
        made.result = process;
        return made;
    }
    /// A task whose worker died in a `once` step and in one that may be repeated.
    ClaimedTask die_in_steps(const Submit& command) {
        const ClaimedTask task = submit_and_claim(*h, command);
        ask<Recorded>(*h, record(task, {}, {completed_step("a#1"), intent(step_started, "pay#1", "\"p1\"")})).value();
        ask<Recorded>(*h, record(task, {}, {intent(step_begun, "load#1", "\"p2\"")})).value();
        h->crash();
        return task;
    }
    std::vector<EntryKind> tail(TaskRef task) {
        const std::vector<EntryKind> all = kinds_of(*h, task);
        return {all.begin() + 5, all.end()};  // submitted, claimed, the three above
    }
    /// Of the `once` step.
    void expect_said_unknown(TaskRef task) {
        for (const Entry& entry : journal_of(*h, task)) {
            if (entry.kind == step_lost) {
                EXPECT_EQ(entry.path, "load#1");
                EXPECT_EQ(entry.number, 2);
            }
            if (entry.kind != step_unknown) continue;
            EXPECT_EQ(entry.path, "pay#1");
            EXPECT_EQ(entry.number, 2);
            const Failure failure = decode_failure(entry.error);
            EXPECT_EQ(failure.cls, ErrorClass::unknown);
            EXPECT_EQ(failure.code, Errc::outcome_unknown) << "as of a crash";
        }
    }
};

TEST_P(Orphan, TheNextOpeningHearsWhatMayStillRun) {
    die_in_steps(submit(1));
    EXPECT_EQ(h->orphans(), (std::vector<std::string>{"\"p2\"", "\"p1\""}));
    h->crash();
    EXPECT_EQ(h->orphans().size(), 2u) << "once";
}

TEST_P(Orphan, WhatHasEndedOrWasHandedBackIsNoOrphan) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    EntryDraft named = draft(step_unknown, "pay#1");
    ask<Recorded>(*h, record(task, {}, {intent(step_started, "pay#1", "\"p1\""), named})).value();
    ask<Recorded>(*h, record(task, {}, {intent(step_started, "sell#1", "\"p2\""), completed_step("sell#1")})).value();
    h->crash();
    EXPECT_EQ(h->orphans(), std::vector<std::string>{});
    EXPECT_FALSE(row_of(*h, task.row.id).has_open_intent);
}

TEST_P(Orphan, ATaskThatIsThenCancelledOrKilledSaysThatItsStepIsUnknown) {
    for (const Verb verb : {Verb::cancel, Verb::kill}) {
        const ClaimedTask task = die_in_steps(submit(1 + static_cast<int>(verb)));
        EXPECT_TRUE(row_of(*h, task.row.id).has_open_intent);
        EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, verb)).value().state, TaskState::cancelled);
        EXPECT_EQ(tail(task.row.ref), (std::vector{taken_over, step_lost, step_unknown, cancelled}));
        expect_said_unknown(task.row.ref);
        EXPECT_FALSE(row_of(*h, task.row.id).has_open_intent);
    }
}

TEST_P(Orphan, ATaskWhoseDeadlineThenPassesSaysSoToo) {
    Submit command = submit(1);
    command.deadline = Micros(1h);
    const ClaimedTask task = die_in_steps(command);
    h->clock().advance(2h);
    tick(*h);
    EXPECT_EQ(state_of(*h, task.row.id), "failed(deadline)");
    EXPECT_EQ(tail(task.row.ref), (std::vector{taken_over, step_lost, step_unknown, failed}));
    expect_said_unknown(task.row.ref);
}

TEST_P(Orphan, ATaskThatWasBeingEndedAsItsWorkerDiedSaysSoToo) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {intent(step_started, "pay#1", "\"p1\"")})).value();
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    h->crash();
    EXPECT_EQ(state_of(*h, task.row.id), "cancelled(user)");
    EXPECT_EQ(h->orphans(), std::vector<std::string>{"\"p1\""});
    EXPECT_EQ(kinds_of(*h, task.row.ref),
              (std::vector{submitted, claimed, step_started, ending, taken_over, step_unknown, cancelled}));
}

TEST_P(Orphan, APoisonedTaskSaysSoAtItsEnd) {
    run(*h, {submit(1)});
    ClaimedTask task;
    for (int crashes = 1; crashes <= limits::poison_crashes; ++crashes) {
        task = claim_one(*h);
        ask<Recorded>(*h, record(task, {}, {intent(step_started, "pay#1", "\"p\"")})).value();
        h->crash();
    }
    EXPECT_EQ(state_of(*h, task.row.id), "paused(poison)");
    EXPECT_EQ(h->orphans().size(), std::size_t{limits::poison_crashes});
    ask<Operated>(*h, operate(task.row.id, Verb::kill)).value();
    const std::vector<EntryKind> all = kinds_of(*h, task.row.ref);
    EXPECT_EQ(std::vector(all.end() - 3, all.end()), (std::vector{paused, step_unknown, cancelled}));
}

TEST_P(Orphan, AWorkerThatEndsATaskWithoutALookLeavesTheWordToTheStore) {
    const ClaimedTask task = die_in_steps(submit(1));
    const ClaimedTask again = claim_one(*h);
    EXPECT_TRUE(again.row.has_open_intent);
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    ask<Recorded>(*h, record(again, Cancelled{}, {draft(step_lost, "load#1", 2)})).value();
    EXPECT_EQ(tail(task.row.ref), (std::vector{taken_over, claimed, ending, step_lost, step_unknown, cancelled}));
    expect_said_unknown(task.row.ref);
}

TEST_P(Orphan, AnIntentStaysOpenUntilAWorkerSaysWhatBecameOfIt) {
    const ClaimedTask task = die_in_steps(submit(1));
    ask<Recorded>(*h, record(claim_one(*h), HandBack{})).value();
    EXPECT_TRUE(row_of(*h, task.row.id).has_open_intent);
    h->reopen();
    EXPECT_TRUE(row_of(*h, task.row.id).has_open_intent);
    ask<Recorded>(*h, record(claim_one(*h), Pause{Reason::diverged, "other code"})).value();
    EXPECT_TRUE(row_of(*h, task.row.id).has_open_intent);
    ask<Operated>(*h, operate(task.row.id, Verb::resume)).value();

    const ClaimedTask last = claim_one(*h);
    ask<Recorded>(*h, record(last, {}, {draft(step_lost, "load#1"), draft(step_unknown, "pay#1")})).value();
    ask<Recorded>(*h, record(last, Pause{Reason::outcome_unknown, "who knows"})).value();
    EXPECT_FALSE(row_of(*h, task.row.id).has_open_intent);
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    EXPECT_EQ(kinds_of(*h, task.row.ref).back(), cancelled);
    EXPECT_EQ(std::ranges::count(kinds_of(*h, task.row.ref), step_unknown), 1);
}

TEST_P(Orphan, ARetriedTaskKnowsTheStepAsUnknown) {
    const ClaimedTask task = die_in_steps(submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    ask<Operated>(*h, operate(task.row.id, Verb::retry)).value();
    const ClaimedTask again = claim_one(*h);
    ASSERT_EQ(again.voided.size(), 1u);
    const Entry first_void = journal_of(*h, task.row.ref).at(static_cast<std::size_t>(again.voided[0].first) - 1);
    EXPECT_EQ(first_void.kind, cancelled) << "what the store said of the steps stays said";
}

INSTANTIATE_TEST_SUITE_P(Stores, Orphan, testing::ValuesIn(kinds()), [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace pawl::test
