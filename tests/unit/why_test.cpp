// `pawl why`: each situation has one machine-readable reason and names what to do.
#include "server/why.hpp"

#include <gtest/gtest.h>

namespace pawl::server {
namespace {

using namespace std::chrono_literals;
using core::EntryKind;

const core::Instant now = core::instant(1'700'000'000'000'000);

class WhyTest : public testing::Test {
protected:
    WhyTest() {
        facts.row.id = core::make_task_id(core::wall_instant(1'700'000'000'000'000), 0, 1, 2);
        facts.row.lane.type = "deploy";
        facts.row.lane.queue = "deploys";
        facts.row.state = TaskState::pending;
        facts.row.reason = Reason::queued;
        facts.row.last_no = 1;
        facts.now = now;
        serve("deploy");
    }

    void serve(const std::string& type) {
        facts.worker = WorkerStatus{};
        facts.worker->types = {{type, 2, 1}};
        facts.worker->slots = 4;
    }

    void set(TaskState state, Reason reason) {
        facts.row.state = state;
        facts.row.reason = reason;
    }

    core::Entry& entry(EntryKind kind, std::string path = {}, std::int64_t number = 0, std::string message = {}) {
        core::Entry e;
        e.no = static_cast<int>(facts.recent.size()) + 1;
        e.kind = kind;
        e.path = std::move(path);
        e.number = number;
        e.at = now - 5s;
        if (!message.empty()) e.error = core::encode_failure({ErrorClass::retryable, Errc::step_failed, message});
        return facts.recent.emplace_back(std::move(e));
    }

    void fail_row(const std::string& message) {
        facts.row.error = core::encode_failure({ErrorClass::final, Errc::step_failed, message});
    }

    std::string command(const std::string& verb) const { return "pawl " + verb + " " + core::to_string(facts.row.id); }

    void expect(const std::string& reason, const std::string& text_part, const std::string& next_part) const {
        const Why answer = why(facts);
        EXPECT_EQ(answer.reason, reason) << answer.text;
        EXPECT_NE(answer.text.find(text_part), std::string::npos) << answer.text;
        ASSERT_FALSE(answer.next.empty());
        EXPECT_NE(answer.next.front().find(next_part), std::string::npos) << answer.next.front();
    }

    WhyFacts facts;
};

TEST_F(WhyTest, ALimitThatPassedWithNoWorkerIsToldWhateverTheState) {
    facts.wall = core::wall_instant(1'700'000'000'000'000);
    facts.row.deadline = facts.wall - 5s;
    for (const TaskState state : {TaskState::pending, TaskState::running, TaskState::waiting}) {
        serve("deploy");
        set(state, Reason::timer);
        EXPECT_EQ(why(facts).text.find("deadline passed"), std::string::npos) << "a worker is about to end it";
        facts.worker.reset();
        expect("no_worker", "its deadline passed at 2023-11-14T22:13:15", "pawl worker");
        expect("no_worker", "ends the task as failed (deadline)", "pawl worker");
    }
    facts.row.deadline = facts.wall + 5s;
    facts.row.expires = now - 1s;
    expect("no_worker", "its queue timeout passed at 2023-11-14T22:13:19", "pawl worker");
    facts.row.expires = now + 1s;
    EXPECT_EQ(why(facts).text.find("passed"), std::string::npos);
}

TEST_F(WhyTest, ATaskOfAUsersTransactionWaitsToBeTakenIn) {
    facts.row.last_no = 0;
    expect("queued", "committed in a transaction of the database; a worker takes it in", "");
    facts.worker.reset();
    expect("no_worker", "waits to be taken in", "pawl worker");
}

TEST_F(WhyTest, NoProcessWorksTheFile) {
    facts.worker.reset();
    expect("no_worker", "no worker process works this store", "pawl worker");
}

TEST_F(WhyTest, ATaskOfANewerFormatWaitsForANewerWorker) {
    facts.row.format_min = core::journal_format_max + 1;
    expect("no_worker", "a newer Pawl", "start a worker");
}

TEST_F(WhyTest, NoWorkerKnowsTheType) {
    serve("mail");
    expect("no_worker", "no worker knows the type \"deploy\"", "start a worker that serves type \"deploy\"");
}

TEST_F(WhyTest, NoWorkerHasTheBoundVersion) {
    facts.row.lane.version = 3;
    expect("no_worker", "version 3", "start a worker");
}

TEST_F(WhyTest, NoWorkerServesTheQueue) {
    facts.worker->queues = {"mails"};
    expect("no_worker", "no worker serves the queue \"deploys\"", "start a worker");
}

TEST_F(WhyTest, TheWorkerIsToldToStop) {
    facts.worker->draining = true;
    expect("no_worker", "told to stop", "start a worker");
}

TEST_F(WhyTest, TheQueueIsPaused) {
    facts.queue = core::QueueStatus{};
    facts.queue->paused = true;
    expect("queue_paused", "\"deploys\" is paused", "pawl queue set deploys --resume");
}

TEST_F(WhyTest, TheQueueRunsAsManyTasksAsItMay) {
    facts.queue = core::QueueStatus{};
    facts.queue->concurrency = facts.queue->running = 2;
    facts.ahead = 7;
    expect("queue_full", "runs 2 tasks, as many as its limit allows; 7 tasks go before it", "--concurrency");
}

TEST_F(WhyTest, TasksGoBeforeIt) {
    facts.ahead = 1;
    facts.worker->busy = 4;
    expect("queued", "4 slots are in use; 1 task goes before it", "pawl list");
    EXPECT_EQ(why(facts).ahead, 1);
    facts.ahead = 0;
    expect("queued", "it is next", "pawl list");
}

TEST_F(WhyTest, ALimitHoldsItBack) {
    set(TaskState::pending, Reason::throttled);
    expect("throttled", "a limit", "pawl list");
}

TEST_F(WhyTest, ASuspectRunsAlone) {
    facts.row.suspect = true;
    facts.row.crash_count = 2;
    expect("queued", "2 workers died with it", "pawl list");
}

TEST_F(WhyTest, TheStartIsScheduled) {
    set(TaskState::pending, Reason::scheduled);
    facts.row.due = now + 90s;
    expect("scheduled", "in 1 min 30 s", "pawl cancel");
    EXPECT_EQ(why(facts).until, now + 90s);
}

TEST_F(WhyTest, AScheduledTaskWithoutWorkerSaysBoth) {
    set(TaskState::pending, Reason::scheduled);
    facts.row.due = now + 90s;
    facts.worker.reset();
    expect("scheduled", "no worker process works this store", "pawl worker");
}

TEST_F(WhyTest, AStepBacksOff) {
    set(TaskState::pending, Reason::retry);
    facts.row.due = now + 4s;
    entry(EntryKind::step_attempt_failed, "/call api#1", 3, "connection refused");
    expect("retry", "attempt 3 of step \"/call api#1\" failed: connection refused; the next attempt starts in 4 s",
           "pawl events");
    const Why answer = why(facts);
    EXPECT_EQ(answer.attempt, 3);
    EXPECT_EQ(answer.step, "/call api#1");
    EXPECT_EQ(answer.error->message, "connection refused");
}

TEST_F(WhyTest, ABackOffThatIsOverWaitsForAWorker) {
    set(TaskState::pending, Reason::retry);
    facts.row.due = now - 1s;
    facts.worker.reset();
    expect("no_worker", "no worker process", "pawl worker");
}

TEST_F(WhyTest, AStepRuns) {
    set(TaskState::running, Reason::none);
    facts.live = {{"/migrate#1", 2, now - 65s, false}};
    expect("running", "step \"/migrate#1\" runs since 1 min 5 s, attempt 2", "pawl events");
}

TEST_F(WhyTest, AStartedOnceStepIsKnownFromTheJournal) {
    set(TaskState::running, Reason::none);
    entry(EntryKind::claimed, {}, 1);
    entry(EntryKind::step_started, "/migrate#1", 1);
    expect("running", "step \"/migrate#1\" runs since 5 s", "pawl events");
    entry(EntryKind::step_completed, "/migrate#1", 1);
    EXPECT_EQ(why(facts).step, "");
}

TEST_F(WhyTest, TheProcessThatRanItIsGone) {
    set(TaskState::running, Reason::none);
    facts.worker.reset();
    expect("no_worker", "the next worker takes it over", "pawl worker");
}

TEST_F(WhyTest, ARequestedPauseWaitsForRunningSteps) {
    set(TaskState::running, Reason::none);
    facts.row.pause_requested = true;
    expect("pause_requested", "it pauses once running steps have ended", "pawl events");
}

TEST_F(WhyTest, ATaskIsBeingEnded) {
    set(TaskState::running, Reason::none);
    facts.row.ending = core::Ending::deadline;
    expect("ending", "its deadline passed", "pawl kill");
}

TEST_F(WhyTest, AStepIgnoresStop) {
    set(TaskState::running, Reason::none);
    facts.row.ending = core::Ending::cancel;
    facts.live = {{"/deaf#1", 1, now - 20s, true}};
    expect("step_ignores_stop", "it was cancelled, and step \"/deaf#1\" ignores stop: it has run for 20 s",
           "pawl kill");
}

TEST_F(WhyTest, ATimerRuns) {
    set(TaskState::waiting, Reason::timer);
    facts.row.due = now + 2h;
    entry(EntryKind::timer_set, "/sleep#1");
    expect("timer", "it waits for a timer; it goes on in 2 h", "pawl cancel");
    EXPECT_EQ(why(facts).step, "/sleep#1");
}

TEST_F(WhyTest, OtherWaitsAreNamed) {
    set(TaskState::waiting, Reason::signal);
    expect("signal", "waits for a signal", "pawl cancel");
    set(TaskState::waiting, Reason::approval);
    expect("approval", "waits for an approval", "pawl cancel");
    set(TaskState::waiting, Reason::child);
    expect("child", "child tasks", "pawl cancel");
    set(TaskState::waiting, Reason::rate_limit);
    expect("rate_limit", "rate limit", "pawl cancel");
}

TEST_F(WhyTest, AnOperatorPausedIt) {
    set(TaskState::paused, Reason::by_operator);
    fail_row("by ann: wait for the audit");
    expect("paused_by_operator", "by ann: wait for the audit", command("resume"));
}

TEST_F(WhyTest, AStepUsedUpItsAttempts) {
    set(TaskState::paused, Reason::exhausted);
    entry(EntryKind::step_attempt_failed, "/call#1", 5, "503");
    expect("exhausted", "step \"/call#1\" used up its attempts: 503", command("resume"));
}

TEST_F(WhyTest, APoisonTaskIsKeptAway) {
    set(TaskState::paused, Reason::poison);
    facts.row.crash_count = 5;
    expect("poison", "5 workers died", command("resume"));
}

TEST_F(WhyTest, TheHistoryDoesNotFitTheCode) {
    set(TaskState::paused, Reason::diverged);
    fail_row("entry 4 is \"a\", the code asks for \"b\"");
    expect("diverged", "entry 4", command("resume"));
}

TEST_F(WhyTest, AnUnknownOutcomeNeedsResolve) {
    set(TaskState::paused, Reason::outcome_unknown);
    entry(EntryKind::step_unknown, "/it's#1", 1, "worker died");
    expect("outcome_unknown", "may or may not have happened: worker died", command("resolve"));
    EXPECT_NE(why(facts).next[0].find("'/it'\\''s#1' --happened --result JSON"), std::string::npos)
        << why(facts).next[0];
}

TEST_F(WhyTest, ACancelledTaskSaysWhoAskedAndWhatIsLeftUnknown) {
    set(TaskState::cancelled, Reason::user);
    fail_row("by ann (request r1)");
    entry(EntryKind::step_unknown, "/pay#1", 1, "ignored its stop");
    expect("cancelled", "it was cancelled: by ann (request r1); step \"/pay#1\" may or may not have happened",
           command("retry"));
}

TEST_F(WhyTest, ABudgetIsSpent) {
    set(TaskState::paused, Reason::budget);
    expect("budget", "a budget is spent", command("cancel"));
}

TEST_F(WhyTest, AStepFailedForGood) {
    set(TaskState::failed, Reason::error);
    fail_row("no such image");
    entry(EntryKind::failed, "/start host#1");
    expect("failed", "step \"/start host#1\" failed: no such image", command("retry"));
}

TEST_F(WhyTest, TimeWasUp) {
    set(TaskState::failed, Reason::deadline);
    expect("deadline", "deadline passed", command("retry"));
    set(TaskState::failed, Reason::expired);
    expect("expired", "queue timeout", command("retry"));
}

TEST_F(WhyTest, CancelledAndKilledAreTold) {
    set(TaskState::cancelled, Reason::user);
    expect("cancelled", "it was cancelled", command("retry"));
    set(TaskState::cancelled, Reason::killed);
    expect("cancelled", "it was killed", command("retry"));
}

TEST_F(WhyTest, ACompletedTaskHasAResult) {
    set(TaskState::completed, Reason::none);
    expect("completed", "it is done", command("result"));
}

}  // namespace
}  // namespace pawl::server
