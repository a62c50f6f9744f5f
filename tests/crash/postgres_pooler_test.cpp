// A real pgbouncer in transaction mode between the workers and their server: no sessions, no notifications.
#include "crash/postgres_fleet.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace pawl::crash {
namespace {

using core::EntryKind;

TEST(PostgresPooler, ItsWorkersTakeOverFromOneThatWasKilledAndOutliveThePooler) {
    PAWL_NEEDS_POSTGRES();
    test::TestCluster cluster;
    ASSERT_TRUE(cluster.start_pooler());
    const std::string& url = cluster.pooler_url();
    PostgresFleet fleet(url, {url, url}, 2s);
    fleet.start(0, "10");
    constexpr int tasks = 10;
    for (int i = 0; i < tasks; ++i) EXPECT_EQ(fleet.run({"submit", "blocking", "0"}).exit, 0);
    const std::string running = "select count(*) from task where line = 3";
    EXPECT_TRUE(fleet.wait_until(running, std::to_string(tasks), 20s));
    fleet.start(1, "20");
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null and session is null", "2", 20s))
        << "through the pooler nobody has a session";
    const auto ask_server = [&](const std::string& query) { return *test::ask_postgres(cluster.url(), query); };
    EXPECT_EQ(ask_server("select count(*) from pg_stat_activity where query ilike 'listen%'"), "0");

    EXPECT_TRUE(fleet.wait_until_said(1, "a pooler is in between", 20s));

    fleet.kill(0);
    const std::string resumed = "select count(*) from task where line = 3 and (fence & 4294967295) = 2";
    EXPECT_TRUE(fleet.wait_until(resumed, std::to_string(tasks), 30s)) << "when its lease is over";

    ASSERT_TRUE(cluster.stop_pooler());
    EXPECT_EQ(fleet.run({"submit", "slow_steps", "0"}).exit, 9) << "there is no way to the server";
    ASSERT_TRUE(cluster.start_pooler());
    std::ofstream(fleet.path("ledger")) << "harmless\n";
    const auto submitted = fleet.run({"submit", "slow_steps", "0"});
    EXPECT_EQ(submitted.exit, 0) << submitted.err;
    fleet.expect_all_final(30s);
    fleet.expect_alive();
    EXPECT_EQ(fleet.value("select count(*) from worker"), "2");
    EXPECT_EQ(fleet.value("select count(*) from worker where ended is null"), "1") << "the same as before";
    EXPECT_EQ(fleet.value(entries_of(EntryKind::completed)), std::to_string(tasks + 2));
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), std::to_string(tasks));
    fleet.drain();
    fleet.expect_sound();
}

}  // namespace
}  // namespace pawl::crash
