// A primary that is killed, and its synchronous standby in its place: what was acknowledged is there, the workers go on
// by themselves, and nobody's task is taken from him.
#include "crash/postgres_fleet.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

namespace pawl::crash {
namespace {

using core::EntryKind;

std::string both(const test::TestCluster& first, const test::TestCluster& second) {
    std::string url = first.url();
    const std::string port = ":" + std::to_string(port_of(url)) + "/";
    return url.replace(url.find(port), port.size(),
                       port.substr(0, port.size() - 1) + ",127.0.0.1:" + std::to_string(port_of(second.url())) + "/") +
           "?target_session_attrs=read-write";
}

// From now on the primary's commits wait, for ever.
void stop_following(const test::TestCluster& standby) {
    const auto done = test::run({"psql", "-X", "-q", "-d", standby.url(), "-c",
                                 "alter system set primary_conninfo = ''", "-c", "select pg_reload_conf()"});
    EXPECT_EQ(done.exit, 0) << done.err;
}

class PostgresFailovers : public testing::TestWithParam<bool> {};

// With `true` no commit reaches the standby any more before the primary dies: there those in doubt have not happened.
TEST_P(PostgresFailovers, AStandbyTakesThePlaceOfAPrimaryThatWasKilled) {
    PAWL_NEEDS_POSTGRES();
    const bool is_cut_off_before = GetParam();
    const test::TestCluster primary;
    const test::TestCluster standby = test::TestCluster::standby_of(primary);
    const std::string url = both(primary, standby);
    PostgresFleet fleet(url, {url, url, url}, 2s);
    fleet.start_all();
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null", "3", 20s));
    Producers producers(url, 3, 100);
    EXPECT_TRUE(fleet.wait_until("select count(*) > 5 from task where line = 3", "true", 20s));

    if (is_cut_off_before) {
        stop_following(standby);
        // Those that call others commit one after the other.
        const std::string waiting =
            "select count(*) >= 3 from pg_stat_activity where query = 'commit' and wait_event in ('SyncRep', 'object')";
        EXPECT_TRUE(fleet.wait_until(waiting, "true", 20s)) << "each worker has a commit in doubt";
    }
    primary.kill();
    ASSERT_TRUE(standby.promote());
    const std::string completed = fleet.value(entries_of(EntryKind::completed));
    EXPECT_TRUE(
        fleet.wait_until("select (" + entries_of(EntryKind::completed) + ") > " + completed + " + 20", "true", 30s));
    producers.stop();
    fleet.expect_all_final(60s);
    fleet.expect_alive();
    EXPECT_EQ(fleet.value("select count(*) from worker"), "3") << "the same as before";
    EXPECT_EQ(fleet.value("select count(*) from worker where ended is null"), "3");
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), "0") << "nobody had died";
    EXPECT_EQ(fleet.value(entries_of(EntryKind::handed_back)), "0");
    fleet.drain();
    fleet.expect_sound();
    producers.expect_completed(fleet);
    std::printf("%zu tasks acknowledged and completed, %d submits repeated, takeovers %s\n", producers.acknowledged(),
                producers.repeated(), fleet.value(entries_of(EntryKind::taken_over)).c_str());
}

// A primary that ended in the middle of a commit shows it when it is back, whether the standby has it or not.
TEST(PostgresFailover, NobodyIsToldOfATaskThatTheStandbyDoesNotHave) {
    PAWL_NEEDS_POSTGRES();
    const test::TestCluster primary;
    const test::TestCluster standby = test::TestCluster::standby_of(primary);
    const PostgresFleet fleet(primary.url(), {}, 2s);  // makes the tables
    const std::vector<std::string> submit{CRASH_PROGRAM, "--store", primary.url(), "submit",
                                          "slow_steps",  "1",       "--key",       "k"};
    stop_following(standby);
    const std::string waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    {
        const test::Background client(submit);
        EXPECT_TRUE(fleet.wait_until(waiting, "1", 20s));
    }
    primary.kill();
    ASSERT_TRUE(primary.start());
    EXPECT_EQ(fleet.value("select count(*) from key"), "1") << "it is there, on the primary alone";
    const test::Background again(submit);
    EXPECT_TRUE(fleet.wait_until(waiting, "1", 20s)) << "no answer before the standby has what it tells of";
    EXPECT_FALSE(again.has_ended());

    primary.kill();
    ASSERT_TRUE(standby.promote());
    EXPECT_EQ(test::ask_postgres(standby.url(), "select count(*) from key"), "0");
}

INSTANTIATE_TEST_SUITE_P(CutOffBefore, PostgresFailovers, testing::Bool());

}  // namespace
}  // namespace pawl::crash
