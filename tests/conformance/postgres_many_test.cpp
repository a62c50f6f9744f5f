// Several stores on one schema: what they do at once, and what they hear of each other.
#include "conformance/postgres_members.hpp"
#include "store/postgres/connection.hpp"

#include <map>
#include <set>

namespace pawl::test {
namespace {

using store::PgConnection;

// ---- claims ------------------------------------------------------------------------------------------------------

TEST_F(PostgresMany, NoTaskIsClaimedTwiceUnderParallelClaims) {
    constexpr int tasks = 2'000;
    auto client = member();
    for (int first = 0; first < tasks; first += 200) {
        std::vector<Command> batch;
        for (int n = first; n < first + 200; ++n) batch.push_back(submit(n, n % 3 == 0 ? "print" : "mail"));
        client->run(batch);
    }
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 4; ++i) members.push_back(member());
    std::atomic<int> left{tasks};
    std::vector<std::vector<ClaimedTask>> claimed(members.size());

    in_parallel(members, [&](Member& m, int i) {
        Claim both = claim(16);
        both.types.push_back({"print", 1, 1});
        while (left > 0 && !HasFailure()) {
            for (ClaimedTask& task : m.ask<Claimed>(both).tasks) {
                claimed[static_cast<std::size_t>(i)].push_back(std::move(task));
                --left;
            }
        }
    });

    std::set<TaskRef> refs;
    for (std::size_t i = 0; i < members.size(); ++i) {
        for (const ClaimedTask& task : claimed[i]) {
            EXPECT_TRUE(refs.insert(task.row.ref).second) << "claimed twice";
            EXPECT_EQ(task.row.fence, (Fence{1, members[i]->worker()}));
        }
    }
    EXPECT_EQ(refs.size(), tasks);
    EXPECT_EQ(number("select count(*) from journal where kind = 2"), tasks);
}

TEST_F(PostgresMany, AQueuesLimitHoldsOverAllStores) {
    constexpr int tasks = 120, limit = 3;
    auto client = member();
    SetQueue set;
    set.concurrency = limit;
    client->run({set});
    for (int n = 0; n < tasks; ++n) client->run({submit(n, n % 2 == 0 ? "print" : "mail")});
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 3; ++i) members.push_back(member());
    std::atomic<int> left{tasks}, running{0}, most{0};

    in_parallel(members, [&](Member& m, int) {
        Claim both = claim(4);
        both.types.push_back({"print", 1, 1});
        while (left > 0 && !HasFailure()) {
            for (const ClaimedTask& task : m.ask<Claimed>(both).tasks) {
                const int now = ++running;
                for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
                --running;  // before the store may say so
                m.run({record(task, Complete{"1"})});
                --left;
            }
        }
    });

    EXPECT_LE(most, limit);
    EXPECT_EQ(number("select count(*) from task where state = 4"), tasks);
}

TEST_F(PostgresMany, AQueuesLimitCountsTasksOfKindsThatAreNewToTheClaimer) {
    auto first = still_member(), second = still_member();
    SetQueue set;
    set.concurrency = 1;
    first->run({set, submit(1, "print")});
    EXPECT_TRUE(first->claim_some(1, "mail").empty()) << "now it knows all kinds there are";
    EXPECT_EQ(second->claim_some(1, "print").size(), 1u) << "and this one is bound to a version: a new kind";
    first->run({submit(2, "print")});
    EXPECT_TRUE(first->claim_some(1, "print").empty());
}

TEST_F(PostgresMany, ASettingOfAQueueLeavesTheOthersAsOtherStoresSetThem) {
    auto first = still_member(), second = still_member();
    SetQueue concurrency, depth;
    concurrency.concurrency = 2;
    depth.depth_max = 7;
    first->run({concurrency});
    second->run({depth});
    const std::vector<QueueStatus> queues = first->store().queues().value();
    ASSERT_EQ(queues.size(), 1u);
    EXPECT_EQ(queues[0].concurrency, 2);
    EXPECT_EQ(queues[0].depth_max, 7);
}

TEST_F(PostgresMany, TwoVersionsOfATypeShareAQueue) {
    auto older = still_member(), newer = still_member(), newest = still_member();
    const auto claim_as = [](Member& m, int version, int compatible_from) {
        Claim command = claim(8);
        command.types = {{"mail", version, compatible_from}};
        return m.ask<Claimed>(command).tasks;
    };
    older->run({submit(1)});
    const auto bound = claim_as(*older, 1, 1);
    ASSERT_EQ(bound.size(), 1u);
    older->run({record(bound[0], HandBack{})});
    older->run({submit(2)});
    const auto taken = claim_as(*newer, 2, 2);
    ASSERT_EQ(taken.size(), 1u) << "the other one is bound to a version that it cannot run";
    EXPECT_EQ(taken[0].row.id, submit(2).id);
    EXPECT_EQ(taken[0].row.lane.version, 2);
    newer->run({record(taken[0], HandBack{})});
    EXPECT_EQ(claim_as(*newest, 3, 1).size(), 2u) << "this one can run both";
}

TEST_F(PostgresMany, AWorkerOfAnOlderJournalFormatLeavesNewerTasks) {
    auto newer = still_member(), older = still_member();
    Submit limited = submit(1);
    limited.deadline = 1h;
    newer->run({limited});
    const auto task = newer->claim_some(1);
    ASSERT_EQ(task.size(), 1u);
    newer->run({record(task[0], HandBack{journal_format_max + 1})});
    clock.advance(2h);
    EXPECT_TRUE(older->claim_some(4).empty());
    EXPECT_EQ(row(limited.id).state, TaskState::pending) << "neither claimed nor ended at its deadline";
}

// ---- keys --------------------------------------------------------------------------------------------------------

TEST_F(PostgresMany, AKeySubmittedByManyAtOnceMakesOneTask) {
    constexpr int threads_of_each = 2, keys = 12;
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 4; ++i) members.push_back(member());
    std::vector<std::mutex> mutexes(members.size());
    std::mutex answers_mutex;
    std::map<int, std::vector<Submitted>> answers;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4 * threads_of_each; ++t) {
        threads.emplace_back([&, t] {
            const auto own = static_cast<std::size_t>(t) % members.size();
            for (int key = 0; key < keys && !HasFailure(); ++key) {
                Submit command = submit(1'000 * t + key);
                command.fingerprint = {};
                command.key = "k" + std::to_string(key);
                for (bool again = true; again && !HasFailure();) {
                    std::lock_guard lock(mutexes[own]);
                    const Applied applied = members[own]->run({command});
                    again = !applied.replies.empty() && applied.replies[0].again;
                    if (again || applied.replies.empty()) continue;
                    std::lock_guard answers_lock(answers_mutex);
                    answers[key].push_back(answer_of<Submitted>(applied, 0));
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();

    EXPECT_EQ(number("select count(*) from task"), keys);
    for (const auto& [key, all] : answers) {
        ASSERT_EQ(all.size(), threads.size());
        int made = 0;
        for (const Submitted& one : all) {
            EXPECT_EQ(one.id, all[0].id);
            made += one.replayed ? 0 : 1;
        }
        EXPECT_EQ(made, 1);
    }
}

TEST_F(PostgresMany, AUsersOpenTransactionWithAKeyHoldsNothingElseUp) {
    auto m = still_member();
    PgConnection user;
    ASSERT_TRUE(user.open(store::parse_postgres_url(schema->url()).value(), 60s));
    ASSERT_TRUE(
        user.exec("begin; select pg_advisory_xact_lock(hashtextextended(current_schema() || chr(31) || 'default' || "
                  "chr(31) || 'mail' || "
                  "chr(31) || 'busy', 7261))",
                  60s));
    Submit keyed = submit(1), other = submit(2);
    keyed.key = "busy";
    other.key = "free";
    const Applied applied = m->run({keyed, other, submit(3)});
    ASSERT_EQ(applied.replies.size(), 3u);
    EXPECT_TRUE(applied.replies[0].again);
    EXPECT_FALSE(applied.replies[1].again);
    EXPECT_EQ(number("select count(*) from task"), 2);
    ASSERT_TRUE(user.exec("commit", 60s));
    EXPECT_EQ(m->ask<Submitted>(keyed).id, keyed.id);
}

// ---- what others do to a task that is held -----------------------------------------------------------------------

TEST_F(PostgresMany, TheHolderHearsOfACancelAndOfAPause) {
    auto holder = member(), other = member();
    other->run({submit(1), submit(2)});
    const auto tasks = holder->claim_some(2);
    ASSERT_EQ(tasks.size(), 2u);
    other->run({operate(tasks[0].row.id, Operate::Verb::cancel)});
    const Notice ending = holder->hear_of(tasks[0].row.ref);
    EXPECT_EQ(ending.what, Notice::What::ending);
    EXPECT_EQ(ending.ending, Ending::cancel);
    EXPECT_EQ(ending.fence, tasks[0].row.fence);
    other->run({operate(tasks[1].row.id, Operate::Verb::pause)});
    EXPECT_EQ(holder->hear_of(tasks[1].row.ref).what, Notice::What::pause_requested);
}

TEST_F(PostgresMany, ATaskThatWasTakenAwayIsLostToItsHolder) {
    auto holder = member();
    holder->run({submit(1), submit(2)});
    const auto tasks = holder->claim_some(2);
    ASSERT_EQ(tasks.size(), 2u);
    const std::string taken = std::to_string(tasks[0].row.ref);
    schema->exec("update task set state = 0, line = 1, revision = revision + 1 where id = " + taken +
                 "; select pg_notify('" + schema->name() + "', '0:" + std::to_string(holder->worker()) + "')");
    EXPECT_EQ(holder->hear_of(tasks[0].row.ref).what, Notice::What::lost);
    const Applied late = holder->run({record(tasks[0], Complete{"1"}), record(tasks[1], Complete{"2"})});
    EXPECT_EQ(refusal_of(late, 0), Errc::lease_lost);
    EXPECT_EQ(answer_of<Recorded>(late, 1).state, TaskState::completed);
    EXPECT_EQ(row(tasks[0].row.id).state, TaskState::pending);
}

// A batch that had to be tried again: the holder still knows what it holds.
class PostgresTriedAgain : public PostgresMany {
protected:
    void fail_next_batch() {
        schema->exec(R"(
            create sequence fault_calls;
            create function fault() returns trigger language plpgsql as $$
            begin
                if nextval('fault_calls') = 1 then raise exception 'injected' using errcode = '40001'; end if;
                return null;
            end $$;
            create trigger fault after insert on journal for each statement execute function fault();)");
    }
    bool has_failed() { return number("select last_value from fault_calls") > 1; }
};

TEST_F(PostgresTriedAgain, TheHolderStillHearsOfACancel) {
    auto holder = member(), other = member();
    holder->run({submit(1), submit(2)});
    const auto tasks = holder->claim_some(2);
    ASSERT_EQ(tasks.size(), 2u);
    fail_next_batch();
    holder->run({record(tasks[1], Complete{"1"})});
    ASSERT_TRUE(has_failed());
    other->run({operate(tasks[0].row.id, Operate::Verb::cancel)});
    EXPECT_EQ(holder->hear_of(tasks[0].row.ref).what, Notice::What::ending);
}

TEST_F(PostgresTriedAgain, TheHolderHandsEverythingBackAtItsEnd) {
    auto holder = member();
    holder->run({submit(1), submit(2)});
    const auto tasks = holder->claim_some(2);
    ASSERT_EQ(tasks.size(), 2u);
    fail_next_batch();
    holder->run({submit(3)});
    ASSERT_TRUE(has_failed());
    ASSERT_TRUE(holder->store().close());
    EXPECT_EQ(number("select count(*) from task where state = 0"), 3);
}

// ---- the dead ----------------------------------------------------------------------------------------------------

TEST_F(PostgresMany, AProcessThatWasDeclaredDeadStoresNothing) {
    auto former = still_member();
    former->run({submit(1), submit(2)});
    const auto tasks = former->claim_some(2);
    ASSERT_EQ(tasks.size(), 2u);
    let_lease_end(*former);
    auto next = still_member({former->worker()});
    const auto taken = next->claim_some(1);
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].row.fence.epoch, tasks[0].row.fence.epoch + 1);

    const std::int64_t entries = number("select count(*) from journal");
    const std::vector<Command> batch{record(tasks[0], Complete{"1"}), submit(3)};
    const Result<Applied> late = former->store().apply(batch);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::store_unavailable);
    EXPECT_FALSE(former->store().keeps_batch()) << "it can only be opened anew";
    const Result<void> closed = former->store().close();
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().code, Errc::store_unavailable);
    EXPECT_EQ(number("select count(*) from journal"), entries) << "nothing of it, nor of its end";
    EXPECT_EQ(row(taken[0].row.id).state, TaskState::running);
}

TEST_F(PostgresMany, ADeadWorkersTasksAreTakenOverOnce) {
    constexpr int tasks = 40;
    auto dead = still_member();
    std::vector<Command> batch;
    for (int n = 0; n < tasks; ++n) batch.push_back(submit(n));
    dead->run(batch);
    ASSERT_EQ(dead->claim_some(tasks).size(), tasks);
    let_lease_end(*dead);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { still_member({dead->worker()}); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(number("select count(*) from journal where kind = 6"), tasks);
    EXPECT_EQ(number("select count(*) from task where state = 0 and crash_count = 1"), tasks);
}

TEST_F(PostgresMany, TwoDeathsMakeASuspectAndFiveAloneMakePoison) {
    auto m = still_member();
    m->run({submit(1), submit(2)});
    const TaskId poison = submit(1).id, sound = submit(2).id;
    for (int death = 1; death <= 5; ++death) {
        const auto tasks = m->claim_some(4);
        ASSERT_EQ(tasks.size(), 2u) << "death " << death;
        // One of them gets on with its work before its process dies.
        for (const ClaimedTask& task : tasks)
            if (task.row.id == sound) m->run({record(task, {}, {completed_step("a#" + std::to_string(death))})});
        let_lease_end(*m);
        m = still_member({m->worker()});
        EXPECT_EQ(row(poison).crash_count, death);
        EXPECT_EQ(row(poison).suspect, death >= 2);
        EXPECT_EQ(row(sound).crash_count, 0);
    }
    EXPECT_EQ(row(poison).state, TaskState::paused);
    EXPECT_EQ(row(poison).reason, Reason::poison);
}

// ---- time and retention ------------------------------------------------------------------------------------------

TEST_F(PostgresMany, WhatIsDueIsWokenOnceByStoresThatTickTogether) {
    constexpr int tasks = 300;
    auto client = still_member();
    std::vector<Command> batch;
    for (int n = 0; n < tasks; ++n) {
        Submit command = submit(n);
        if (n % 3 == 0) command.delay = Micros(1s) * (n % 5 + 1);
        if (n % 3 == 1) command.deadline = Micros(1s) * (n % 5 + 1);
        if (n % 3 == 2) command.queue_timeout = Micros(1s) * (n % 5 + 1);
        batch.push_back(command);
    }
    client->run(batch);
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 3; ++i) members.push_back(still_member());
    clock.advance(1min);
    in_parallel(members, [&](Member& m, int) {
        for (int n = 0; n < 20; ++n) m.run({Tick{}});
    });
    EXPECT_EQ(number("select count(*) from task where state = 0 and due is null"), tasks / 3);
    EXPECT_EQ(number("select count(*) from task where state = 5"), tasks / 3 * 2);
    EXPECT_EQ(number("select count(*) from journal"), tasks * 2) << "submitted, and one entry of its time";
}

TEST_F(PostgresMany, TwoStoresPurgeTogether) {
    constexpr int tasks = 300;
    auto client = still_member();
    std::vector<Command> batch;
    for (int n = 0; n < tasks; ++n) {
        Submit command = submit(n);
        command.definition = "{\"agent\":" + std::to_string(n % 4) + "}";
        command.key = "k" + std::to_string(n);
        command.tags = {"blue"};
        batch.push_back(command);
        batch.push_back(operate(command.id, Operate::Verb::cancel, "r"));
    }
    client->run(batch);
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 2; ++i) members.push_back(still_member());
    clock.advance(24h * 40);
    std::atomic<int> purged{0};
    in_parallel(members, [&](Member& m, int) {
        for (bool more = true; more && !HasFailure();) {
            const Purged answer = m.ask<Purged>(Purge{24h, 20});
            purged += answer.tasks;
            more = answer.more;
        }
    });
    members[0]->ask<Purged>(Purge{24h, 20});  // what the other one had locked to the last
    EXPECT_EQ(purged, tasks);
    for (const char* table : {"task", "journal", "key", "request", "tag", "blob", "leftover"})
        EXPECT_EQ(number(std::string("select count(*) from ") + table), 0) << table;
}

}  // namespace
}  // namespace pawl::test
