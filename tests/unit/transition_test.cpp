// The states of a task under random transitions: what always holds, whatever happens.
#include "core/transition.hpp"

#include "core/limits.hpp"

#include <gtest/gtest.h>

#include <random>

namespace pawl::core {
namespace {

using namespace std::chrono_literals;

class Recorder final : public transition::Sink {
public:
    void entry(const TaskRow& row, const transition::NewEntry& e) override {
        EXPECT_EQ(row.last_no, static_cast<int>(kinds.size()) + 1) << "numbers have no gap";
        kinds.push_back(e.kind);
        bytes += static_cast<std::int64_t>(e.result.size() + e.error.size());
        EXPECT_EQ(row.journal_bytes, bytes);
        facts.see({row.last_no, e.kind, std::string(e.path), e.number});
    }
    void notice(Notice::What what, const TaskRow&) override { notices.push_back(what); }

    std::vector<EntryKind> kinds;
    std::int64_t bytes = 0;
    std::vector<Notice::What> notices;
    JournalFacts facts;
};

class OneTask {
public:
    OneTask() {
        Submit command;
        command.lane.type = "mail";
        command.deadline = Micros(1h);
        command.queue_timeout = 30min;
        row = transition::submit(stage(), command, 1, std::nullopt).value();
    }
    transition::Stage stage() { return {now, wall, sink}; }

    Instant now = instant(1'000'000);
    WallInstant wall = wall_instant(5'000'000);
    Recorder sink;
    TaskRow row;
};

class RandomLife {
public:
    explicit RandomLife(std::uint64_t seed) : random_(seed) {}

    /// One random transition that the ledger could ask for.
    void step(OneTask& task) {
        task.now += Micros(1s) * below(100);
        task.wall += Micros(1s) * below(100);
        const auto stage = task.stage();
        TaskRow& row = task.row;
        switch (below(8)) {
            case 0:
                if (transition::wakes_by_itself(row)) transition::wake(stage, row);
                break;
            case 1:
                if (row.expires && row.state != TaskState::running) transition::expire(stage, row, task.sink.facts);
                break;
            case 2:
                if (transition::has_open_deadline(row) && below(4) == 0)
                    transition::reach_deadline(stage, row, task.sink.facts);
                break;
            case 3:
                if (row.state == TaskState::running)
                    transition::take_over(stage, row, below(2) == 0, task.now, task.sink.facts);
                break;
            case 4:
                if (row.state == TaskState::running) transition::hand_back(stage, row, task.sink.facts);
                break;
            case 5:
                if (transition::is_ready(row)) transition::claim(stage, row, {1, ++claims_}, 1 + below(2));
                break;
            case 6:
                if (row.state == TaskState::running || is_final(row.state))
                    (void)transition::record(stage, row, record(), task.sink.facts);
                break;
            default:
                (void)transition::operate(stage, row, operate(), task.sink.facts);
        }
    }

private:
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

    Operate operate() {
        Operate command;
        command.verb = static_cast<Operate::Verb>(below(6));
        command.outcome = static_cast<Operate::Outcome>(below(3));
        return command;
    }
    Record record() {
        static const std::vector<EntryKind> kinds{EntryKind::step_started, EntryKind::step_completed,
                                                  EntryKind::step_unknown, EntryKind::step_failed};
        Record command;
        for (int i = below(3); i > 0; --i) {
            EntryDraft draft;
            draft.kind = kinds[static_cast<std::size_t>(below(4))];
            draft.path = "a#" + std::to_string(below(3));
            command.entries.push_back(draft);
        }
        switch (below(8)) {
            case 0:
                command.next = Park{below(2) ? Reason::retry : Reason::timer, {}, Micros(10s)};
                break;
            case 1:
                if (below(4) == 0) command.next = Complete{"1"};
                break;
            case 2:
                command.next = Fail{below(2) ? Reason::error : Reason::deadline, {}, below(2) ? "a#1" : ""};
                break;
            case 3:
                command.next = Cancelled{};
                break;
            case 4:
                command.next = Pause{below(2) ? Reason::by_operator : Reason::outcome_unknown, ""};
                break;
            case 5:
                command.next = HandBack{};
                break;
            default:
                break;
        }
        return command;
    }

    std::mt19937_64 random_;
    int claims_ = 0;
};

void expect_invariants(const TaskRow& row) {
    if (row.state == TaskState::running) {
        EXPECT_FALSE(row.due);
        EXPECT_FALSE(row.expires);
        EXPECT_GT(row.claimed_no, 0);
        EXPECT_EQ(row.reason, Reason::none);
    }
    if (is_final(row.state)) {
        EXPECT_FALSE(row.due);
        EXPECT_FALSE(row.expires);
        EXPECT_FALSE(transition::has_open_deadline(row));
    }
    if (row.state != TaskState::running) { EXPECT_FALSE(row.pause_requested) << "it has had its effect"; }
    if (row.ending != Ending::none) { EXPECT_TRUE(row.state == TaskState::running || is_final(row.state)); }
    EXPECT_EQ(row.reason_before != Reason::none, row.state == TaskState::paused);
    const bool is_told = row.state == TaskState::running && (row.ending != Ending::none || row.pause_requested);
    EXPECT_EQ(row.state == TaskState::paused || row.state == TaskState::failed || row.state == TaskState::cancelled ||
                  is_told,
              !row.error.empty());
    EXPECT_EQ(row.suspect, row.crash_count >= limits::suspect_crashes);
    EXPECT_LE(row.crash_count, limits::poison_crashes);
    EXPECT_LE(row.claimed_no, row.last_no);
    if (row.state == TaskState::pending && !row.due) {
        EXPECT_TRUE(transition::is_ready(row)) << "else nobody moves it";
    }
}

TEST(Transition, WhateverHappensStatesMoveOnlyAlongTheGraph) {
    for (std::uint64_t seed = 1; seed <= 2'000 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        OneTask task;
        RandomLife life(seed);
        for (int i = 0; i < 60; ++i) {
            const TaskRow before = task.row;
            const std::size_t entries = task.sink.kinds.size();
            life.step(task);
            const TaskRow& after = task.row;
            expect_invariants(after);
            if (after.state != before.state) { EXPECT_TRUE(transition::is_allowed(before.state, after.state)); }
            if (after.state != before.state) {
                EXPECT_GT(task.sink.kinds.size(), entries) << "each transition has an entry";
            }
            if (before.state == TaskState::completed) {
                EXPECT_EQ(task.sink.kinds.size(), entries) << "fixed for ever";
            }
            EXPECT_GE(after.fence, before.fence);
            EXPECT_GE(after.updated, before.updated);
            EXPECT_GE(after.active, before.active);
            EXPECT_EQ(after.sort_key, before.sort_key);
            EXPECT_EQ(after.last_no, static_cast<int>(task.sink.kinds.size()));
        }
    }
}

TEST(Transition, ARefusedCommandChangesNothing) {
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        OneTask task;
        RandomLife life(seed);
        for (int i = 0; i < 40; ++i) {
            life.step(task);
            for (int verb = 0; verb < 6; ++verb) {
                Operate command;
                command.verb = static_cast<Operate::Verb>(verb);
                TaskRow row = task.row;
                Recorder fresh;
                fresh.kinds.resize(static_cast<std::size_t>(row.last_no));
                fresh.bytes = row.journal_bytes;
                const auto done = transition::operate({task.now, task.wall, fresh}, row, command, task.sink.facts);
                if (done) continue;
                ++refused;
                EXPECT_EQ(row.state, task.row.state);
                EXPECT_EQ(row.last_no, task.row.last_no);
                EXPECT_EQ(row.ending, task.row.ending);
                EXPECT_EQ(row.updated, task.row.updated);
                EXPECT_EQ(row.deadline, task.row.deadline);
                EXPECT_EQ(row.crash_count, task.row.crash_count);
                EXPECT_TRUE(fresh.notices.empty());
                EXPECT_NE(done.error().message.find(to_string(row.id)), std::string::npos);
            }
        }
    }
    EXPECT_GT(refused, 1'000);
}

TEST(Transition, OnlyDeathsAloneMakeASuspectPoison) {
    OneTask task;
    int claims = 0;
    const auto die = [&](bool alone) {
        transition::claim(task.stage(), task.row, {1, ++claims}, 1);
        transition::take_over(task.stage(), task.row, alone, task.now, task.sink.facts);
    };
    die(false);
    die(false);
    EXPECT_TRUE(task.row.suspect);
    EXPECT_EQ(task.row.crash_count, 2);
    for (int i = 0; i < 10; ++i) die(false);
    EXPECT_EQ(task.row.crash_count, 2) << "another suspect beside it may have been the cause";
    die(true);
    die(true);
    EXPECT_EQ(task.row.state, TaskState::pending);
    die(true);
    EXPECT_EQ(task.row.state, TaskState::paused);
    EXPECT_EQ(task.row.reason, Reason::poison);
}

TEST(Transition, TheSortKeyWeighsPriorityAgainstAge) {
    Recorder sink;
    const transition::Stage stage{instant(0), wall_instant(0), sink};
    Submit command;
    command.priority = 3;
    command.delay = 10s;
    const TaskRow row = transition::submit(stage, command, 1, std::nullopt).value();
    EXPECT_EQ(row.sort_key, Micros(10s).count() - 3 * Micros(60s).count());
}

}  // namespace
}  // namespace pawl::core
