// retry of an ended task, and resolve of an unknown outcome (spec section 3).
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

using Verb = Operate::Verb;

TEST_P(StoreConformance, RetryReopensAFailedTaskAndVoidsItsUncaughtFailure) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1"), draft(EntryKind::step_failed, "b#1", 5)})).value();
    ask<Recorded>(*h, record(task, failure("b#1"), {completed_step("c#1")})).value();
    const Operated retried = ask<Operated>(*h, operate(task.row.id, Verb::retry)).value();
    EXPECT_EQ(retried.state, TaskState::pending);
    const Entry reopened = journal_of(*h, task.row.ref).back();
    EXPECT_EQ(reopened.kind, EntryKind::reopened);
    EXPECT_EQ(reopened.number, 4) << "the entry of b's failure";
    EXPECT_EQ(reopened.path, "b#1");
    const TaskRow row = row_of(*h, task.row.id);
    EXPECT_EQ(row.error, "");
    EXPECT_EQ(row.reopened, 1);
    EXPECT_FALSE(is_final(row.state));

    const ClaimedTask again = claim_one(*h);
    EXPECT_EQ(again.voided, (std::vector<std::pair<int, int>>{{4, reopened.no}}));
    EXPECT_FALSE(again.fresh);
    ask<Recorded>(*h, record(again, failure())).value();
    ask<Operated>(*h, operate(task.row.id, Verb::retry)).value();
    EXPECT_EQ(claim_one(*h).voided.size(), 2u);
}

TEST_P(StoreConformance, RetryOfACancelledTaskVoidsTheEndFromItsBeginning) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    ask<Recorded>(*h, record(task, Cancelled{}, {draft(EntryKind::step_cancelled, "a#1")})).value();
    ask<Operated>(*h, operate(task.row.id, Verb::retry)).value();
    const Entry reopened = journal_of(*h, task.row.ref).back();
    EXPECT_EQ(reopened.number, 3) << "the ending entry: what was cut off by it is no result";
    EXPECT_EQ(reopened.path, "");
    EXPECT_EQ(row_of(*h, task.row.id).ending, Ending::none);
    const ClaimedTask again = claim_one(*h);
    EXPECT_TRUE(ask<Recorded>(*h, record(again, Complete{"1"}))) << "it is not being ended any more";
}

TEST_P(StoreConformance, RetryStartsDeadlineAndQueueTimeoutAnew) {
    Submit command = submit(1);
    command.deadline = Micros(10s);
    command.queue_timeout = 5s;
    run(*h, {command});
    h->clock().advance(5s);
    tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(expired)");
    h->clock().advance(1h);
    ask<Operated>(*h, operate(command.id, Verb::retry)).value();
    TaskRow row = row_of(*h, command.id);
    EXPECT_EQ(row.deadline, h->clock().wall() + 10s);
    ASSERT_TRUE(row.expires);
    h->clock().advance(5s);
    tick(*h);
    EXPECT_EQ(state_of(*h, command.id), "failed(expired)");

    Operate longer = operate(command.id, Verb::retry);
    longer.deadline = 1h;
    ask<Operated>(*h, longer).value();
    row = row_of(*h, command.id);
    EXPECT_EQ(row.deadline, h->clock().wall() + 1h);
    EXPECT_EQ(row.deadline_length, Micros(1h));
}

TEST_P(StoreConformance, RetryKeepsItsPlaceAheadOfNewerWork) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, failure())).value();
    h->clock().advance(1s);
    run(*h, {submit(2), operate(task.row.id, Verb::retry)});
    EXPECT_EQ(claim_one(*h).row.id, task.row.id);
}

TEST_P(StoreConformance, RetryIsForEndedTasksOnly) {
    run(*h, {submit(1)});
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(submit(1).id, Verb::retry))), Errc::refused);
    const ClaimedTask task = claim_one(*h);
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(task.row.id, Verb::retry))), Errc::refused);
    EXPECT_EQ(state_of(*h, task.row.id), "running");
}

TEST_P(StoreConformance, AKeyComesBackToLifeWithItsTask) {
    Submit command = submit(1);
    command.key = "k";
    ask<Recorded>(*h, record(submit_and_claim(*h, command), failure())).value();
    ask<Operated>(*h, operate(command.id, Verb::retry)).value();
    h->clock().advance(24h * 8);
    Submit again = submit(2);
    again.key = "k";
    again.fingerprint = command.fingerprint;
    EXPECT_TRUE(ask<Submitted>(*h, again).value().replayed);
}

TEST_P(StoreConformance, AKeyComesBackToLifeWithItsTaskAlsoAfterItsOwnLife) {
    Submit command = submit(1);
    command.key = "k";
    ask<Recorded>(*h, record(submit_and_claim(*h, command), failure())).value();
    h->clock().advance(24h * 8);
    ask<Purged>(*h, Purge{24h * 30, 256}).value();
    ask<Operated>(*h, operate(command.id, Verb::retry)).value();
    Submit again = submit(2);
    again.key = "k";
    again.fingerprint = command.fingerprint;
    EXPECT_EQ(ask<Submitted>(*h, again).value().id, command.id);
}

TEST_P(StoreConformance, ARetryDoesNotTakeItsKeyFromAnotherTask) {
    Submit command = submit(1);
    command.key = "k";
    ask<Recorded>(*h, record(submit_and_claim(*h, command), failure())).value();
    h->clock().advance(24h * 8);
    Submit other = submit(2);
    other.key = "k";
    EXPECT_FALSE(ask<Submitted>(*h, other).value().replayed) << "its life was over";
    ask<Operated>(*h, operate(command.id, Verb::retry)).value();
    Submit again = submit(3);
    again.key = "k";
    again.fingerprint = other.fingerprint;
    EXPECT_EQ(ask<Submitted>(*h, again).value().id, other.id);
}

// ---- resolve -----------------------------------------------------------------------------------------------------

ClaimedTask with_unknown_steps(Harness& h, int number, const std::vector<std::string>& paths) {
    const ClaimedTask task = submit_and_claim(h, submit(number));
    std::vector<EntryDraft> entries;
    for (const std::string& path : paths) {
        entries.push_back(draft(EntryKind::step_started, path));
        entries.push_back(draft(EntryKind::step_unknown, path));
    }
    EXPECT_TRUE(ask<Recorded>(h, record(task, Pause{Reason::outcome_unknown, "?"}, entries)));
    return task;
}

Operate resolve(const TaskId& id, Operate::Outcome outcome, const std::string& step = "") {
    Operate command = operate(id, Verb::resolve, "r" + step);
    command.outcome = outcome;
    command.step = step;
    command.result = "\"done\"";
    return command;
}

TEST_P(StoreConformance, ResolveRecordsWhatAPersonFoundOut) {
    struct Case {
        Operate::Outcome outcome;
        EntryKind kind;
        std::string_view result;
    };
    int number = 0;
    for (const Case& c : {Case{Operate::Outcome::happened, EntryKind::step_resolved, "\"done\""},
                          Case{Operate::Outcome::not_happened, EntryKind::step_resolved, ""},
                          Case{Operate::Outcome::fail, EntryKind::step_failed, ""}}) {
        const ClaimedTask task = with_unknown_steps(*h, ++number, {"a#1"});
        EXPECT_EQ(ask<Operated>(*h, resolve(task.row.id, c.outcome)).value().state, TaskState::pending);
        const std::vector<Entry> journal = journal_of(*h, task.row.ref);
        const Entry& resolved = journal.at(journal.size() - 2);
        EXPECT_EQ(resolved.kind, c.kind);
        EXPECT_EQ(resolved.path, "a#1");
        EXPECT_EQ(decode_asked(resolved.error).by, "ann");
        EXPECT_EQ(resolved.result, c.result);
        if (c.kind == EntryKind::step_failed) { EXPECT_EQ(decode_failure(resolved.error).cls, ErrorClass::unknown); }
        EXPECT_EQ(claim_one(*h).row.id, task.row.id);
    }
}

TEST_P(StoreConformance, ResolveNamesTheStepsWhenThereAreSeveral) {
    const ClaimedTask task = with_unknown_steps(*h, 1, {"a#1", "b#1"});
    const Result<Operated> ambiguous = ask<Operated>(*h, resolve(task.row.id, Operate::Outcome::happened));
    EXPECT_EQ(code_of(ambiguous), Errc::bad_input);
    EXPECT_NE(ambiguous.error().message.find("a#1, b#1"), std::string::npos) << ambiguous.error().message;
    EXPECT_EQ(code_of(ask<Operated>(*h, resolve(task.row.id, Operate::Outcome::happened, "c#1"))), Errc::bad_input);
    EXPECT_EQ(state_of(*h, task.row.id), "paused(outcome_unknown)");
    EXPECT_TRUE(ask<Operated>(*h, resolve(task.row.id, Operate::Outcome::happened, "b#1")));
}

TEST_P(StoreConformance, ResolveIsForUnknownOutcomesOnly) {
    run(*h, {submit(1)});
    EXPECT_EQ(code_of(ask<Operated>(*h, resolve(submit(1).id, Operate::Outcome::happened))), Errc::refused);
    ask<Operated>(*h, operate(submit(1).id, Verb::pause)).value();
    EXPECT_EQ(code_of(ask<Operated>(*h, resolve(submit(1).id, Operate::Outcome::happened))), Errc::refused);
}

}  // namespace
}  // namespace pawl::test
