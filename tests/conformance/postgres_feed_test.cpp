// The feed of a store that many write to: a follower misses nothing, sees nothing twice, and each task's entries in
// their order.
#include "conformance/postgres_members.hpp"
#include "store/postgres/connection.hpp"

#include <map>
#include <random>

namespace pawl::test {
namespace {

class PostgresFeed : public PostgresMany {
protected:
    // Some commits take a while: transactions end in another order than they began.
    void hold_commits_back() {
        schema->exec(R"(
            create function hold_back() returns trigger language plpgsql as $$
            begin
                if random() < 0.1 then perform pg_sleep(random() * 0.02); end if;
                return null;
            end $$;
            create constraint trigger hold_back after insert on journal deferrable initially deferred
                for each row execute function hold_back();)");
    }

    // Tasks of its own and of others: claimed, recorded, handed back, operated on.
    static void write(Member& m, int writer, int rounds) {
        std::mt19937 random(static_cast<unsigned>(writer));
        const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
        for (int n = 0; n < rounds && !HasFailure(); ++n) {
            m.run({submit(writer * 1'000 + n)});
            for (const ClaimedTask& task : m.claim_some(1 + below(3))) {
                m.run({record(task, {}, {completed_step("a#1")})});
                Transition next = HandBack{};
                if (below(3) != 0) next = Complete{"1"};
                m.run({record(task, next)});
            }
            const TaskId any = submit(1'000 * below(8) + below(n + 1)).id;
            static const std::vector verbs{Operate::Verb::pause, Operate::Verb::resume, Operate::Verb::retry,
                                           Operate::Verb::cancel};
            m.run({operate(any, verbs[static_cast<std::size_t>(below(4))])});
        }
    }

    std::map<TaskRef, int> newest;
    std::int64_t seen = 0;
    FeedCursor cursor;

    // One page.
    void follow(Reader& reader, int entries_max) {
        const auto page = reader.feed(cursor, entries_max);
        ASSERT_TRUE(page) << page.error().message;
        for (const auto& [entry, id] : *page) {
            EXPECT_EQ(entry.no, ++newest[entry.task]) << to_string(id) << " at " << to_string(entry.cursor);
            EXPECT_LT(cursor, entry.cursor);
            cursor = entry.cursor;
            ++seen;
        }
    }
};

TEST_F(PostgresFeed, AFollowerOfEightWritersMissesAndRepeatsNothing) {
    constexpr int rounds = 25;
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 8; ++i) members.push_back(member());
    hold_commits_back();
    std::atomic<bool> is_over{false};
    std::thread writers([&] {
        in_parallel(members, [&](Member& m, int i) { write(m, i, rounds); });
        is_over = true;
    });

    const auto reader = store::open_postgres_reader(schema->url()).value();
    int page = 0;
    while (!is_over && !HasFailure()) follow(*reader, 1 + page++ % 40);
    writers.join();
    // A transaction of another test on this server may hold the feed's end back for a while.
    const std::int64_t all = number("select count(*) from journal");
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (seen < all && !HasFailure() && std::chrono::steady_clock::now() < give_up) follow(*reader, 100);

    EXPECT_EQ(seen, all);
    EXPECT_GT(all, 8 * rounds * 3) << "too little happened to show anything";
}

TEST_F(PostgresFeed, AnEntryOfATransactionThatBeganEarlierStandsBehindThoseItSaw) {
    auto holder = still_member(), client = still_member();
    holder->run({submit(1)});
    const auto tasks = holder->claim_some(1);
    ASSERT_EQ(tasks.size(), 1u);
    store::PgConnection blocker;
    ASSERT_TRUE(blocker.open(store::parse_postgres_url(schema->url()).value(), 60s));
    ASSERT_TRUE(blocker.exec("begin; select 1 from task for update", 60s));
    std::thread early([&] { client->run({operate(tasks[0].row.id, Operate::Verb::cancel)}); });
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (number("select count(*) from pg_locks where not granted and locktype = 'transactionid'") == 0)
        ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    // It has its number and waits for the row; an entry with a higher number comes before its own.
    schema->exec("insert into journal(task, no, kind, format, at, number, cost_uusd, seq) values(" +
                 std::to_string(tasks[0].row.ref) + ", 3, 44, 1, 1, 1, 0, 1)");
    ASSERT_TRUE(blocker.exec("commit", 60s));
    early.join();
    const auto reader = store::open_postgres_reader(schema->url()).value();
    while (seen < 4 && !HasFailure() && std::chrono::steady_clock::now() < give_up) follow(*reader, 1);
    EXPECT_EQ(seen, 4);
}

}  // namespace
}  // namespace pawl::test
