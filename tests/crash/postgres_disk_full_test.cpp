// The server's disk fills up under workers in the middle of their tasks, and has space again.
#include "crash/postgres_fleet.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

namespace pawl::crash {
namespace {

using core::EntryKind;
using test::TestCluster;

void expect_all_is_well(PostgresFleet& fleet, Producers& producers) {
    const std::string completed = fleet.value(entries_of(EntryKind::completed));
    EXPECT_TRUE(
        fleet.wait_until("select (" + entries_of(EntryKind::completed) + ") > " + completed + " + 10", "true", 30s));
    producers.stop();
    fleet.expect_all_final(60s);
    fleet.expect_alive();
    EXPECT_EQ(fleet.value("select count(*) from worker"), "3") << "the same as before";
    EXPECT_EQ(fleet.value("select count(*) from worker where ended is null"), "3");
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), "0") << "nobody had died";
    fleet.drain();
    fleet.expect_sound();
    producers.expect_completed(fleet);
    std::printf("%zu tasks acknowledged and completed, %d submits repeated, %d of them for want of space\n",
                producers.acknowledged(), producers.repeated(), producers.refused_for_space());
}

// The tables cannot grow: statements fail, one after the other.
TEST(PostgresDiskFull, WhatIsRecordedWaitsForSpaceAndSubmitsAreRefused) {
    PAWL_NEEDS_POSTGRES();
    const TestCluster cluster(TestCluster::OnDisk::data, "64m");
    if (!cluster.disk()) GTEST_SKIP() << "a file system of a test's own cannot be mounted here";
    PostgresFleet fleet(cluster.url(), {cluster.url(), cluster.url(), cluster.url()}, 2s);
    fleet.start_all();
    Producers producers(cluster.url(), 3, 40);
    EXPECT_TRUE(fleet.wait_until("select count(*) > 5 from task where line = 3", "true", 20s));

    cluster.disk()->fill();
    // A worker whose rows find room in the pages that are there goes on for a while.
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while ((producers.refused_for_space() == 0 || !fleet.has_anyone_said("wait for space")) &&
           std::chrono::steady_clock::now() < give_up)
        let_pass(20ms);
    EXPECT_GT(producers.refused_for_space(), 0);
    EXPECT_TRUE(fleet.has_anyone_said("wait for space"));
    cluster.disk()->free();
    // What was acknowledged does not depend on the server's memory.
    ASSERT_TRUE(cluster.stop("immediate"));
    ASSERT_TRUE(cluster.start());
    expect_all_is_well(fleet, producers);
}

// Nothing can be logged: the server itself gives up, and somebody starts it again when there is space.
TEST(PostgresDiskFull, AServerThatFallsOverForWantOfSpaceLosesNothing) {
    PAWL_NEEDS_POSTGRES();
    const TestCluster cluster(TestCluster::OnDisk::wal, "16m");
    if (!cluster.disk()) GTEST_SKIP() << "a file system of a test's own cannot be mounted here";
    PostgresFleet fleet(cluster.url(), {cluster.url(), cluster.url(), cluster.url()}, 2s);
    fleet.start_all();
    Producers producers(cluster.url(), 3, 40);
    EXPECT_TRUE(fleet.wait_until("select count(*) > 5 from task where line = 3", "true", 20s));

    cluster.disk()->fill();
    // Each piece that is there already is soon at its end.
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (cluster.said().find("PANIC") == std::string::npos && std::chrono::steady_clock::now() < give_up)
        test::ask_postgres(cluster.url(), "pg_switch_wal()");
    EXPECT_NE(cluster.said().find("PANIC"), std::string::npos);
    cluster.disk()->free();
    (void)cluster.stop("immediate");  // unless it has ended by itself: it tried to recover
    ASSERT_TRUE(cluster.start());
    expect_all_is_well(fleet, producers);
}

}  // namespace
}  // namespace pawl::crash
