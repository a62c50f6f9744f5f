// What people ask of a task: cancel, kill, pause, resume (spec section 3).
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

using Verb = Operate::Verb;

Park sleep_for(Micros length) { return {.reason = Reason::timer, .wake_at = {}, .wake_in = length}; }

// ---- messages ----------------------------------------------------------------------------------------------------

Operate message(const TaskId& id, Verb verb) {
    Operate command = operate(id, verb);
    command.signal = "go";
    command.result = "1";
    return command;
}

EntryDraft wait_set(const std::string& path, bool is_approval) {
    EntryDraft made = draft(EntryKind::wait_set, path);
    made.number = is_approval ? 1 : 0;
    return made;
}

Park wait_for(Reason reason, int newest_message) {
    Park park;
    park.reason = reason;
    park.newest_message = newest_message;
    return park;
}

TEST_P(StoreConformance, WhoParksIsWokenByWhatItDoesNotKnowYet) {
    int n = 0;
    for (const Verb verb : {Verb::signal, Verb::approve}) {
        const bool is_approval = verb == Verb::approve;
        const ClaimedTask task = submit_and_claim(*h, submit(++n));
        ask<Recorded>(*h, record(task, {}, {wait_set(is_approval ? "approval#1" : "go#1", is_approval)})).value();
        const Reason reason = is_approval ? Reason::approval : Reason::signal;
        const Applied applied = run(*h, {message(task.row.id, verb), record(task, wait_for(reason, 0))});
        EXPECT_EQ(answer_of<Recorded>(applied, 1).state, TaskState::pending) << n;
        EXPECT_EQ(claim_one(*h).row.id, task.row.id) << n;
    }
}

TEST_P(StoreConformance, WhoParksWithAllMessagesKnownStaysParkedUntilTheNext) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {wait_set("other#1", false)})).value();
    ask<Operated>(*h, message(task.row.id, Verb::signal)).value();
    const int newest = h->reader()->get(task.row.id).value().memo.newest;
    EXPECT_EQ(ask<Recorded>(*h, record(task, wait_for(Reason::signal, newest))).value().state, TaskState::waiting);
    Operate other = message(task.row.id, Verb::signal);
    other.signal = "other";
    EXPECT_EQ(ask<Operated>(*h, other).value().state, TaskState::pending);
}

TEST_P(StoreConformance, APauseThatWaitedForItsWorkerForgetsNoMessage) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {wait_set("go#1", false)})).value();
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    run(*h, {message(task.row.id, Verb::signal), record(task, wait_for(Reason::signal, 0))});
    ask<Operated>(*h, operate(task.row.id, Verb::resume)).value();
    EXPECT_EQ(claim_one(*h).row.id, task.row.id);
}

// ---- cancel and kill ---------------------------------------------------------------------------------------------

TEST_P(StoreConformance, CancelOfATaskThatDoesNotRunIsFinalAtOnce) {
    run(*h, {submit(1)});
    const Applied applied = run(*h, {operate(submit(1).id, Verb::cancel)});
    EXPECT_EQ(answer_of<Operated>(applied, 0).state, TaskState::cancelled);
    EXPECT_EQ(state_of(*h, submit(1).id), "cancelled(user)");
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::final);
    EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty());

    const ClaimedTask slept = submit_and_claim(*h, submit(2));
    ask<Recorded>(*h, record(slept, sleep_for(1h))).value();
    ask<Operated>(*h, operate(submit(2).id, Verb::kill)).value();
    EXPECT_EQ(state_of(*h, submit(2).id), "cancelled(killed)");
    h->clock().advance(1h);
    EXPECT_FALSE(tick(*h).next_due);
}

TEST_P(StoreConformance, CancelOfARunningTaskAsksItsWorkerAndNothingNewStarts) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    const Applied applied = run(*h, {operate(task.row.id, Verb::cancel)});
    EXPECT_EQ(answer_of<Operated>(applied, 0).state, TaskState::running);
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::ending);
    EXPECT_EQ(applied.notices[0].ending, Ending::cancel);
    EXPECT_EQ(applied.notices[0].fence, task.row.fence);

    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, {}, {draft(EntryKind::step_started, "b#1")}))), Errc::stopping);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, {}, {draft(EntryKind::timer_set, "t#1")}))), Errc::stopping);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, sleep_for(1s)))), Errc::stopping);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, Complete{"1"}))), Errc::stopping);
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, failure()))), Errc::stopping);
    EXPECT_TRUE(ask<Recorded>(*h, record(task, {}, {completed_step("a#1")}))) << "what ran has happened";
    EXPECT_EQ(ask<Recorded>(*h, record(task, Cancelled{"stopped"})).value().state, TaskState::cancelled);
    EXPECT_EQ(state_of(*h, task.row.id), "cancelled(user)");
    EXPECT_EQ(kinds_of(*h, task.row.ref), (std::vector{EntryKind::submitted, EntryKind::claimed, EntryKind::ending,
                                                       EntryKind::step_completed, EntryKind::cancelled}));
}

TEST_P(StoreConformance, TheFirstCauseOfAnEndWinsButKillBeatsAll) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    EXPECT_TRUE(ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value().changed);
    EXPECT_FALSE(ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value().changed);
    EXPECT_TRUE(ask<Operated>(*h, operate(task.row.id, Verb::kill)).value().changed);
    EXPECT_FALSE(ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value().changed);
    EXPECT_FALSE(ask<Operated>(*h, operate(task.row.id, Verb::kill)).value().changed);
    ask<Recorded>(*h, record(task, Cancelled{})).value();
    EXPECT_EQ(state_of(*h, task.row.id), "cancelled(killed)");
}

TEST_P(StoreConformance, ACancelledTaskMayBeCancelledAgainAndAnEndedOneNot) {
    run(*h, {submit(1)});
    ask<Operated>(*h, operate(submit(1).id, Verb::cancel)).value();
    EXPECT_FALSE(ask<Operated>(*h, operate(submit(1).id, Verb::cancel)).value().changed);

    ask<Recorded>(*h, record(submit_and_claim(*h, submit(2)), Complete{"1"})).value();
    for (const Verb verb : {Verb::cancel, Verb::kill, Verb::pause, Verb::resume, Verb::retry, Verb::resolve})
        EXPECT_EQ(code_of(ask<Operated>(*h, operate(submit(2).id, verb))), Errc::already_final);
    EXPECT_EQ(state_of(*h, submit(2).id), "completed");
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(submit(9).id, Verb::cancel))), Errc::not_found);
}

TEST_P(StoreConformance, NobodyCanCancelInTheNameOfNobody) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    EXPECT_EQ(code_of(ask<Recorded>(*h, record(task, Cancelled{}))), Errc::refused);
    EXPECT_EQ(state_of(*h, task.row.id), "running");
}

TEST_P(StoreConformance, ACancelSurvivesItsWorker) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value();
    h->crash();
    EXPECT_EQ(state_of(*h, task.row.id), "cancelled(user)") << "nothing was left to stop or to undo";
    EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty());

    const ClaimedTask other = submit_and_claim(*h, submit(2));
    ask<Operated>(*h, operate(other.row.id, Verb::kill)).value();
    ask<Recorded>(*h, record(other, HandBack{})).value();
    EXPECT_EQ(state_of(*h, other.row.id), "cancelled(killed)");
}

// ---- pause and resume --------------------------------------------------------------------------------------------

TEST_P(StoreConformance, APausedTaskKeepsItsWaitAndGoesOnAfterResume) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, sleep_for(10s))).value();
    const Instant due = *row_of(*h, task.row.id).due;
    const Applied paused = run(*h, {operate(task.row.id, Verb::pause)});
    EXPECT_EQ(paused.notices.at(0).what, Notice::What::stopped);
    EXPECT_FALSE(paused.next_due) << "a paused task is not woken";
    EXPECT_EQ(state_of(*h, task.row.id), "paused(operator)");
    EXPECT_FALSE(ask<Operated>(*h, operate(task.row.id, Verb::pause)).value().changed);

    h->clock().advance(4s);
    EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().state, TaskState::waiting);
    EXPECT_EQ(row_of(*h, task.row.id).due, due);
    EXPECT_EQ(row_of(*h, task.row.id).error, "");
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    h->clock().advance(6s);
    EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().state, TaskState::pending);
    EXPECT_EQ(claim_one(*h).row.id, task.row.id);
    EXPECT_FALSE(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().changed) << "it is not paused";
}

TEST_P(StoreConformance, APausedBackOffAndDelayGoOnAsTheyWere) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, Park{.reason = Reason::retry, .wake_at = {}, .wake_in = 10s})).value();
    Submit later = submit(2);
    later.delay = 10s;
    run(*h, {later, operate(task.row.id, Verb::pause), operate(later.id, Verb::pause)});
    run(*h, {operate(task.row.id, Verb::resume), operate(later.id, Verb::resume)});
    EXPECT_EQ(state_of(*h, task.row.id), "pending(retry)");
    EXPECT_EQ(state_of(*h, later.id), "pending(scheduled)");
    h->clock().advance(10s);
    EXPECT_EQ(ask<Claimed>(*h, claim(9)).value().tasks.size(), 2u);
}

TEST_P(StoreConformance, PauseOfARunningTaskLetsItSettle) {
    for (const Transition& settled : {Transition{Pause{Reason::by_operator, ""}}, Transition{HandBack{}}}) {
        const ClaimedTask task = submit_and_claim(*h, submit(std::holds_alternative<HandBack>(settled) ? 1 : 2));
        const Applied applied = run(*h, {operate(task.row.id, Verb::pause)});
        EXPECT_EQ(answer_of<Operated>(applied, 0).state, TaskState::running);
        EXPECT_EQ(applied.notices.at(0).what, Notice::What::pause_requested);
        EXPECT_TRUE(ask<Recorded>(*h, record(task, {}, {completed_step("a#1")})));
        EXPECT_EQ(ask<Recorded>(*h, record(task, settled)).value().state, TaskState::paused);
        EXPECT_EQ(state_of(*h, task.row.id), "paused(operator)");
        EXPECT_TRUE(ask<Claimed>(*h, claim()).value().tasks.empty());
        EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().state, TaskState::pending);
        claim_one(*h);
    }
}

TEST_P(StoreConformance, AParkWhileAPauseIsAskedForPausesAndKeepsTheWait) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    EXPECT_EQ(ask<Recorded>(*h, record(task, sleep_for(10s))).value().state, TaskState::paused);
    h->clock().advance(1s);
    EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().state, TaskState::waiting);
    h->clock().advance(9s);
    EXPECT_EQ(claim_one(*h).row.id, task.row.id);
}

TEST_P(StoreConformance, ACompletionBeatsAPauseThatWasAskedFor) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    EXPECT_EQ(ask<Recorded>(*h, record(task, Complete{"1"})).value().state, TaskState::completed);
    EXPECT_FALSE(row_of(*h, task.row.id).pause_requested);
}

TEST_P(StoreConformance, AResumeTakesARequestedPauseBack) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    EXPECT_TRUE(ask<Operated>(*h, operate(task.row.id, Verb::resume)).value().changed);
    EXPECT_EQ(ask<Recorded>(*h, record(task, Pause{Reason::by_operator, ""})).value().state, TaskState::pending)
        << "the worker settled on a request that is no more";
}

TEST_P(StoreConformance, ARequestedPauseSurvivesACrash) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Operated>(*h, operate(task.row.id, Verb::pause)).value();
    h->crash();
    EXPECT_EQ(state_of(*h, task.row.id), "paused(operator)");
}

TEST_P(StoreConformance, ACancelEndsAPausedTask) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, Pause{Reason::diverged, "no step a#1"})).value();
    EXPECT_EQ(ask<Operated>(*h, operate(task.row.id, Verb::cancel)).value().state, TaskState::cancelled);
}

TEST_P(StoreConformance, ResumeIsRefusedWhereAPersonMustDecideMore) {
    const ClaimedTask unknown = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(unknown, Pause{Reason::outcome_unknown, ""}, {draft(EntryKind::step_unknown, "a#1")}))
        .value();
    const Result<Operated> refused = ask<Operated>(*h, operate(unknown.row.id, Verb::resume));
    EXPECT_EQ(code_of(refused), Errc::refused);
    EXPECT_NE(refused.error().message.find("resolve"), std::string::npos);
    const ClaimedTask spent = submit_and_claim(*h, submit(2));
    ask<Recorded>(*h, record(spent, Pause{Reason::budget, ""})).value();
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(spent.row.id, Verb::resume))), Errc::refused);

    const ClaimedTask exhausted = submit_and_claim(*h, submit(3));
    ask<Recorded>(*h, record(exhausted, Pause{Reason::exhausted, ""})).value();
    EXPECT_EQ(ask<Operated>(*h, operate(exhausted.row.id, Verb::resume)).value().state, TaskState::pending);
    const Entry resumed = journal_of(*h, exhausted.row.ref).back();
    EXPECT_EQ(resumed.kind, EntryKind::resumed);
    EXPECT_EQ(resumed.number, static_cast<std::int64_t>(Reason::exhausted)) << "it tells that attempts start anew";
}

// ---- request ids -------------------------------------------------------------------------------------------------

TEST_P(StoreConformance, ARepeatedRequestGetsTheFirstAnswerAndChangesNothing) {
    run(*h, {submit(1)});
    const Operated first = ask<Operated>(*h, operate(submit(1).id, Verb::pause, "r1")).value();
    ask<Operated>(*h, operate(submit(1).id, Verb::resume, "r2")).value();
    const Operated again = ask<Operated>(*h, operate(submit(1).id, Verb::pause, "r1")).value();
    EXPECT_EQ(again.state, first.state);
    EXPECT_EQ(again.reason, first.reason);
    EXPECT_EQ(again.changed, first.changed);
    EXPECT_EQ(state_of(*h, submit(1).id), "pending(queued)") << "the late repetition paused nothing";
    EXPECT_EQ(code_of(ask<Operated>(*h, operate(submit(1).id, Verb::cancel, "r1"))), Errc::idempotency_key_reused);
    h->crash();
    EXPECT_EQ(ask<Operated>(*h, operate(submit(1).id, Verb::pause, "r1")).value().state, TaskState::paused);
    EXPECT_EQ(state_of(*h, submit(1).id), "pending(queued)");
}

TEST_P(StoreConformance, ARequestIdWithOtherArgumentsIsRefused) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, Pause{Reason::outcome_unknown, "?"},
                             {draft(EntryKind::step_unknown, "a#1"), draft(EntryKind::step_unknown, "b#1")}))
        .value();
    Operate first = operate(task.row.id, Verb::resolve, "r1");
    first.step = "a#1";
    first.result = "1";
    ASSERT_TRUE(ask<Operated>(*h, first));
    const std::size_t entries = journal_of(*h, task.row.ref).size();
    std::vector<Operate> others(5, first);
    others[0].step = "b#1";
    others[1].result = "2";
    others[2].outcome = Operate::Outcome::not_happened;
    others[3].reason = "because";
    others[4].deadline = 1s;
    for (const Operate& other : others) {
        const Result<Operated> answer = ask<Operated>(*h, other);
        EXPECT_EQ(code_of(answer), Errc::idempotency_key_reused) << answer.error().message;
    }
    first.who = "bob";
    EXPECT_TRUE(ask<Operated>(*h, first)) << "who asks is no argument";
    EXPECT_EQ(journal_of(*h, task.row.ref).size(), entries);
}

TEST_P(StoreConformance, TheJournalKeepsWhoAskedAndUnderWhichRequest) {
    run(*h, {submit(1)});
    Operate pause = operate(submit(1).id, Verb::pause, "r1");
    pause.reason = "too hot";
    const TaskRef ref = ask<Operated>(*h, pause).value().ref;
    const std::string text = decode_failure(journal_of(*h, ref).back().error).message;
    for (const char* part : {"ann", "r1", "too hot"}) EXPECT_NE(text.find(part), std::string::npos) << text;
}

}  // namespace
}  // namespace pawl::test
