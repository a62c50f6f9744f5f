// Submits in transactions of users that see the past, or stay open for long: nobody decides by what was, and nobody
// waits.
#include "conformance/postgres_inbox.hpp"

#include <set>

namespace pawl::test {
namespace {

using namespace store;

TEST_F(PostgresInbox, ATransactionThatSeesThePastDoesNotDecideByIt) {
    auto w = worker();
    for (const bool is_taken_in : {false, true}) {
        const std::string submit = "'mail', '1', key => '" + std::to_string(is_taken_in) + "'";
        User first = user(), second = user();
        second.exec("begin isolation level repeatable read; select 1 from meta");
        first.submitted(submit);
        if (is_taken_in) take_all(*w);
        EXPECT_EQ(second.refusal(submit), "40001") << "to be repeated";
        second.exec("rollback; begin isolation level serializable");
        EXPECT_EQ(second.submitted(submit), first.submitted(submit));
        const TaskId fresh = second.submitted("'mail', '1', key => 'fresh" + std::to_string(is_taken_in) + "'");
        second.exec("commit");
        EXPECT_EQ(row(fresh).state, TaskState::pending);
    }
}

TEST_F(PostgresInbox, SerializableTransactionsThatShareNoKeyDoNotDependOnEachOther) {
    User first = user(), second = user();
    first.submitted("'mail', '1'");
    for (User* u : {&first, &second}) {
        u->exec("begin isolation level serializable");
        u->submitted("'mail', '1'");
    }
    first.exec("commit");
    second.exec("commit");
}

// Both want the inbox's row and the key: in the same order.
TEST_F(PostgresInbox, ATransactionThatSeesThePastAndABatchDoNotWaitForEachOther) {
    User first = user(), second = user(), batch = user();
    const std::string submit = "'mail', '1', key => 'k'";
    second.exec("begin isolation level repeatable read; select 1 from meta");
    first.submitted(submit);
    batch.exec("begin; delete from inbox");
    std::thread waits([&] { EXPECT_EQ(second.refusal(submit), "40001"); });
    wait_until_blocked(second.pid());
    batch.exec("insert into key values ('default', 'mail', 'k', 0, '')");
    batch.exec("commit");
    waits.join();
    schema->exec("delete from key");  // its task was never made
}

// A transaction that has written something, and is not done; and so many others since that it tells.
class OldTransaction {
public:
    explicit OldTransaction(const TestSchema& schema) : user_(schema.url()) {
        user_.exec("begin; select pg_current_xact_id()");
        schema.exec("do $$ begin for i in 1..400 loop perform pg_current_xact_id(); commit; end loop; end $$");
    }

private:
    User user_;
};

TEST_F(PostgresInbox, AnOpenTransactionHidesNothingFromTheFeed) {
    const OldTransaction old(*schema);
    auto w = worker();
    User u = user();
    u.submitted("'mail', '1'");
    w->run({record(claim_all(*w, 1).at(0), Complete{"1"})});
    const auto reader = open_postgres_reader(schema->url()).value();
    std::vector<EntryKind> kinds;
    // Other tests on this server, which write as well, may hold its end back for a moment.
    while (kinds.size() < 3 && !HasFailure()) {
        kinds.clear();
        for (const auto& [entry, id] : reader->feed({}, 9).value()) kinds.push_back(entry.kind);
    }
    EXPECT_EQ(kinds, (std::vector{EntryKind::submitted, EntryKind::claimed, EntryKind::completed}));
}

TEST_F(PostgresInbox, WhileATransactionIsOpenForLongOlderWorkIsStillFound) {
    const OldTransaction old(*schema);
    auto w = worker();
    client->run({submit(1), submit(2), submit(3), submit(4)});
    EXPECT_EQ(claim_all(*w, 2).size(), 2u);
    EXPECT_LE(*w->run({claim(0)}).look_again, 1s)
        << "it does not search from the start each time, and says when it will";
    Submit first = submit(5);
    first.priority = 9;
    client->run({first, submit(6)});
    std::set<TaskId> claimed;
    for (const ClaimedTask& task : claim_all(*w, 4)) claimed.insert(task.row.id);
    EXPECT_TRUE(claimed.contains(first.id));
    EXPECT_EQ(number("select count(*) from task where line = 1"), 0);
}

// A claim looks for queues without a limit sooner than for those with one; it must not be the only look at all of them.
TEST_F(PostgresInbox, WhileATransactionIsOpenForLongOlderWorkOfALimitedQueueIsStillFound) {
    const OldTransaction old(*schema);
    auto w = worker();
    SetQueue limited;
    limited.name = "limited";
    limited.concurrency = 100;
    client->run({limited});
    const auto to = [](const char* queue, int number, int priority = 0) {
        Submit made = submit(number);
        made.lane.queue = queue;
        made.priority = priority;
        return made;
    };
    client->run({to("default", 1), to("limited", 2), to("limited", 3), to("limited", 4)});
    EXPECT_EQ(claim_all(*w, 2).size(), 2u);
    const Submit first = to("limited", 5, 9);
    client->run({first, to("default", 6)});
    std::size_t claimed = claim_all(*w, 3).size();
    // Until a search from the start is due for all of them.
    while (w->run({Tick{}}).look_again != Micros{1s} && !HasFailure()) {}
    w->run({claim(0)});  // asks for new groups, which the next one then need not
    claimed += w->claim_some(4).size();
    EXPECT_EQ(claimed, 4u) << "the older one is passed over";
}

TEST_F(PostgresInbox, AKeyThatIsHeldOpenStopsNobodyElse) {
    auto w = worker();
    User u = user();
    u.exec("begin");
    const TaskId id = u.submitted("'mail', '1', key => 'held'");
    const Applied busy = client->run({keyed("held", "1", 1), keyed("free", "1", 2)});
    EXPECT_TRUE(busy.replies.at(0).again) << "put off, not answered";
    EXPECT_FALSE(busy.replies.at(1).again);
    for (int n = 3; n < 30; ++n) client->run({submit(n)});
    for (const ClaimedTask& task : claim_all(*w, 28)) w->run({record(task, Complete{"1"})});
    EXPECT_EQ(w->ask<Purged>(Purge{0us, 100}).tasks, 27) << "all but the one that has a key";
    EXPECT_EQ(number("select count(*) from pg_locks where not granted"), 0);
    u.exec("commit");
    EXPECT_EQ(client->ask<Submitted>(keyed("held", "1", 1)).id, id);
}

}  // namespace
}  // namespace pawl::test
