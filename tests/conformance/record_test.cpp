// What a worker writes (spec sections 1, 3, 5).
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

TEST_P(StoreConformance, ATaskIsCompletedWithItsOutput) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1", "42")})).value();
    const Applied applied = run(*h, {record(task, Complete{"{\"ok\":true}"})});
    EXPECT_EQ(answer_of<Recorded>(applied, 0).state, TaskState::completed);
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::final);
    EXPECT_EQ(applied.notices[0].id, task.row.id);

    const TaskRow row = row_of(*h, task.row.id);
    EXPECT_EQ(row.state, TaskState::completed);
    EXPECT_EQ(row.output, "{\"ok\":true}");
    EXPECT_EQ(row.input, task.row.input);
    EXPECT_EQ(row.last_no, 4);
    const std::vector<Entry> journal = journal_of(*h, task.row.ref);
    ASSERT_EQ(journal.size(), 4u);
    EXPECT_EQ(journal[2].path, "a#1");
    EXPECT_EQ(journal[2].result, "42");
    EXPECT_EQ(journal[3].result, row.output);
}

TEST_P(StoreConformance, EntriesAreNumberedWithoutGapsAndGetTheStoresTime) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    h->clock().advance(5s);
    EntryDraft failed = draft(EntryKind::step_attempt_failed, "a#1");
    failed.due_in = 2s;
    failed.error = encode_failure({ErrorClass::retryable, Errc::step_failed, "no"});
    EntryDraft paid = completed_step("b#1");
    paid.cost_uusd = 1'250;
    const Applied applied = run(*h, {record(task, {}, {failed, paid})});
    const Recorded recorded = answer_of<Recorded>(applied, 0);
    EXPECT_EQ(recorded.first_no, 3);
    EXPECT_EQ(recorded.at, applied.now);
    EXPECT_EQ(recorded.due, (std::vector<std::optional<Instant>>{applied.now + 2s, std::nullopt}));

    const std::vector<Entry> journal = journal_of(*h, task.row.ref);
    for (std::size_t i = 0; i < journal.size(); ++i) EXPECT_EQ(journal[i].no, static_cast<int>(i) + 1);
    EXPECT_EQ(journal[2].due, applied.now + 2s);
    EXPECT_EQ(journal[2].error, failed.error);
    EXPECT_EQ(journal[3].cost_uusd, 1'250);
    EXPECT_EQ(journal[3].at, applied.now);
    EXPECT_EQ(applied.newest, journal[3].cursor);
}

TEST_P(StoreConformance, AWorkerWhoseTaskMovedOnIsRefused) {
    const ClaimedTask old = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(old, HandBack{})).value();
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, {}, {completed_step("a#1")}))), Errc::lease_lost)
        << "handed back and not claimed again";
    const ClaimedTask now = claim_one(*h);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, {}, {completed_step("a#1")}))), Errc::lease_lost);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, failure()))), Errc::lease_lost);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, Park{}))), Errc::lease_lost);
    EXPECT_TRUE(ask<Recorded>(*h, record(now, {}, {completed_step("a#1", "\"now\"")})));
    EXPECT_EQ(journal_of(*h, now.row.ref).back().result, "\"now\"");
}

TEST_P(StoreConformance, AWorkerOfAnOlderOpeningIsRefused) {
    const ClaimedTask old = submit_and_claim(*h, submit(1));
    h->crash();
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, Complete{"1"}))), Errc::lease_lost);
    const ClaimedTask now = claim_one(*h);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(old, Complete{"1"}))), Errc::lease_lost);
    EXPECT_TRUE(ask<Recorded>(*h, record(now, Complete{"2"})));
    EXPECT_EQ(row_of(*h, now.row.id).output, "2");
}

TEST_P(StoreConformance, ASecondEndByTheSameWorkerIsAlreadyFinal) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, Complete{"1"})).value();
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, Complete{"2"}))), Errc::already_final);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, {}, {completed_step("a#1")}))), Errc::already_final);
    EXPECT_EQ(row_of(*h, task.row.id).output, "1");
}

TEST_P(StoreConformance, ARefusedCommandLosesNoNeighbourAndChangesNothing) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    Record stale = record(task, Complete{"0"}, {completed_step("x#1")});
    stale.fence.claim += 7;
    const Applied applied =
        run(*h, {record(task, {}, {completed_step("a#1")}), stale, operate(submit(9).id, Operate::Verb::cancel),
                 record(task, {}, {completed_step("b#1")}), submit(2)});
    EXPECT_EQ(refusal_of(applied, 1), Errc::lease_lost);
    EXPECT_EQ(refusal_of(applied, 2), Errc::not_found);
    EXPECT_EQ(answer_of<Recorded>(applied, 3).first_no, 4);
    EXPECT_EQ(kinds_of(*h, task.row.ref), (std::vector{EntryKind::submitted, EntryKind::claimed,
                                                       EntryKind::step_completed, EntryKind::step_completed}));
    EXPECT_EQ(state_of(*h, submit(2).id), "pending(queued)");
}

TEST_P(StoreConformance, ABackOffIsPendingAndAWaitIsWaitingUntilTheirTime) {
    const ClaimedTask retried = submit_and_claim(*h, submit(1));
    const Applied parked = run(*h, {record(retried, Park{.reason = Reason::retry, .wake_at = {}, .wake_in = 2s})});
    EXPECT_EQ(parked.next_due, parked.now + 2s);
    const ClaimedTask slept = submit_and_claim(*h, submit(2));
    ask<Recorded>(*h, record(slept, Park{.reason = Reason::timer, .wake_at = parked.now + 9s, .wake_in = 1h})).value();
    EXPECT_EQ(state_of(*h, retried.row.id), "pending(retry)");
    EXPECT_EQ(state_of(*h, slept.row.id), "waiting(timer)");
    EXPECT_TRUE(ask<Claimed>(*h, claim(9)).value().tasks.empty());

    h->clock().advance(2s);
    EXPECT_EQ(claim_one(*h).row.id, retried.row.id);
    h->clock().advance(7s);
    EXPECT_EQ(claim_one(*h).row.id, slept.row.id) << "the earlier of two times counts";
    EXPECT_FALSE(tick(*h).next_due);
    EXPECT_EQ(kinds_of(*h, slept.row.ref), (std::vector{EntryKind::submitted, EntryKind::claimed, EntryKind::parked,
                                                        EntryKind::woken, EntryKind::claimed}));
    EXPECT_EQ(journal_of(*h, slept.row.ref)[2].due, parked.now + 9s);
}

TEST_P(StoreConformance, AWaitWithoutATimeIsNeverWokenByTime) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, Park{.reason = Reason::signal, .wake_at = {}, .wake_in = {}})).value();
    h->clock().advance(24h * 365);
    EXPECT_FALSE(tick(*h).next_due);
    EXPECT_EQ(state_of(*h, task.row.id), "waiting(signal)");
}

TEST_P(StoreConformance, AFailureIsKeptWithItsStep) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    EntryDraft failed = draft(EntryKind::step_failed, "a#1", 5);
    failed.error = encode_failure({ErrorClass::final, Errc::step_failed, "no"});
    ask<Recorded>(*h, record(task, failure("a#1"), {failed})).value();
    EXPECT_EQ(state_of(*h, task.row.id), "failed(error)");
    const TaskRow row = row_of(*h, task.row.id);
    EXPECT_EQ(decode_failure(row.error).message, "it broke");
    const Entry entry = journal_of(*h, task.row.ref).back();
    EXPECT_EQ(entry.kind, EntryKind::failed);
    EXPECT_EQ(entry.path, "a#1");
    EXPECT_EQ(entry.error, row.error);
}

TEST_P(StoreConformance, APolicyMayPauseATaskForAPerson) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    const Applied applied = run(*h, {record(task, Pause{Reason::exhausted, "five attempts"})});
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::stopped);
    EXPECT_EQ(state_of(*h, task.row.id), "paused(exhausted)");
    EXPECT_EQ(decode_failure(row_of(*h, task.row.id).error).message, "five attempts");
}

// A worker that meets an entry of a newer version hands the task back for those who know it.
TEST_P(StoreConformance, ATaskOfANewerFormatIsLeftToNewerWorkers) {
    Submit limited = submit(1);
    limited.deadline = 1h;
    const ClaimedTask task = submit_and_claim(*h, limited);
    run(*h, {submit(2)});
    const Applied back = run(*h, {record(task, HandBack{journal_format_max + 1})});
    EXPECT_EQ(answer_of<Recorded>(back, 0).state, TaskState::pending);
    EXPECT_EQ(claim_one(*h).row.id, submit(2).id) << "the others go on";
    EXPECT_FALSE(tick(*h).more_ready);
    h->crash();
    EXPECT_EQ(claim_one(*h).row.id, submit(2).id);
    EXPECT_EQ(row_of(*h, task.row.id).format_min, journal_format_max + 1);
    h->clock().advance(2h);
    const Applied later = tick(*h);
    EXPECT_EQ(state_of(*h, task.row.id), "pending(queued)") << "its deadline, too, is for those who know it";
    EXPECT_FALSE(later.next_deadline);
    EXPECT_FALSE(later.more_ready);
    ask<Operated>(*h, operate(task.row.id, Operate::Verb::cancel)).value();
    EXPECT_EQ(state_of(*h, task.row.id), "cancelled(user)") << "a person may still end it";
}

TEST_P(StoreConformance, TimeSpentRunningIsCountedOverClaims) {
    const ClaimedTask first = submit_and_claim(*h, submit(1));
    h->clock().advance(3s);
    ask<Recorded>(*h, record(first, Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1h})).value();
    h->clock().advance(1h);
    const ClaimedTask second = claim_one(*h);
    h->clock().advance(4s);
    ask<Recorded>(*h, record(second, Complete{"1"})).value();
    EXPECT_EQ(row_of(*h, first.row.id).active, 7s);
}

TEST_P(StoreConformance, TimeAfterTheDeathOfItsOwnerIsNotSpentRunning) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    h->clock().advance(3s);
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1")})).value();
    h->clock().advance(1h);  // the machine is off
    h->crash();
    EXPECT_EQ(row_of(*h, task.row.id).active, 3s) << "up to the last that is known of the owner";
    const ClaimedTask again = claim_one(*h);
    h->clock().advance(4s);
    ask<Recorded>(*h, record(again, Complete{"1"})).value();
    EXPECT_EQ(row_of(*h, task.row.id).active, 7s);
}

TEST_P(StoreConformance, LoadReadsTheJournalInPieces) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1"), completed_step("b#1"), completed_step("c#1")})).value();
    const Loaded first = ask<Loaded>(*h, Load{task.row.ref, 0, 3}).value();
    ASSERT_EQ(first.entries.size(), 3u);
    EXPECT_FALSE(first.end);
    const Loaded rest = ask<Loaded>(*h, Load{task.row.ref, 3, 2}).value();
    ASSERT_EQ(rest.entries.size(), 2u);
    EXPECT_TRUE(rest.end);
    EXPECT_EQ(rest.entries[1].path, "c#1");
    EXPECT_EQ(code_of(ask<Loaded>(*h, Load{task.row.ref + 1, 0, 3})), Errc::not_found);
}

TEST_P(StoreConformance, ALoadSeesWhatTheBatchWroteAndWaitsForItsFlush) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    Applied applied = run(*h, {record(task, {}, {completed_step("a#1")}), Load{task.row.ref, 2, 9}});
    EXPECT_EQ(answer_of<Loaded>(applied, 1).entries.size(), 1u);
    EXPECT_FALSE(applied.replies[1].early);
    applied = run(*h, {Load{task.row.ref, 2, 9}});
    EXPECT_TRUE(applied.replies[0].early);
}

// ---- the limit of one journal ------------------------------------------------------------------------------------

std::int64_t bytes_of(Harness& h, TaskRef task) {
    std::int64_t bytes = 0;
    for (const Entry& entry : journal_of(h, task))
        bytes += static_cast<std::int64_t>(entry.result.size() + entry.error.size());
    return bytes;
}

std::unique_ptr<LedgerBase> ledger_of_short_journals(Tables& tables, const StoreClock& clock, const Opening& opening) {
    Opening with_limit = opening;
    with_limit.journal_bytes_max = 1'000;
    return make_ledger<AllGuards>(tables, clock, with_limit);
}

TEST_P(StoreConformance, AWorkerIsToldThatTheJournalIsFullAndAParkBecomesAPause) {
    h = GetParam().make(ledger_of_short_journals);
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    const std::string result(300, '1');
    EXPECT_FALSE(ask<Recorded>(*h, record(task, {}, {completed_step("a#1", result)})).value().journal_full);
    EXPECT_FALSE(ask<Recorded>(*h, record(task, {}, {completed_step("b#1", result)})).value().journal_full);
    h->crash();
    EXPECT_EQ(row_of(*h, task.row.id).journal_bytes, bytes_of(*h, task.row.ref)) << "the owner never wrote the row";

    const ClaimedTask again = claim_one(*h);
    EXPECT_EQ(again.row.journal_bytes, 600);
    EXPECT_TRUE(ask<Recorded>(*h, record(again, {}, {completed_step("c#1", result), completed_step("d#1", result)}))
                    .value()
                    .journal_full);
    EXPECT_TRUE(ask<Recorded>(*h, record(again, {}, {completed_step("e#1")})).value().journal_full);
    Park park;
    park.wake_in = 1s;
    EXPECT_EQ(ask<Recorded>(*h, record(again, park)).value().state, TaskState::paused);
    EXPECT_EQ(state_of(*h, task.row.id), "paused(budget)");
    EXPECT_NE(row_of(*h, task.row.id).error.find("1 GiB"), std::string::npos);
    EXPECT_EQ(row_of(*h, task.row.id).journal_bytes, bytes_of(*h, task.row.ref));
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(task.row.id, Operate::Verb::resume))), Errc::refused);
    EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Operate::Verb::cancel)).value().state, TaskState::cancelled);
}

TEST_P(StoreConformance, ATaskMayEndWithAFullJournal) {
    h = GetParam().make(ledger_of_short_journals);
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    EXPECT_EQ(
        ask<Recorded>(*h, record(task, Complete{"1"}, {completed_step("a#1", std::string(2'000, '1'))})).value().state,
        TaskState::completed);
}

}  // namespace
}  // namespace pawl::test
