// Servers that are away and machines that vanish: who lives keeps what is his, and what a dead one had goes on
// elsewhere.
#include "crash/postgres_fleet.hpp"
#include "support/cut_proxy.hpp"
#include "support/postgres.hpp"

#include <pawl/pawl.hpp>

#include <gtest/gtest.h>

#include <fstream>

namespace pawl::crash {
namespace {

using core::EntryKind;

TEST(PostgresOutage, AServerThatIsAwayForLongerThanTheLeaseTakesNoTaskFromThreeLivingWorkers) {
    PAWL_NEEDS_POSTGRES();
    const ChaosLength length = ChaosLength::from_environment();
    const auto outage = length.is_long ? 60s : 4s;
    const test::TestCluster cluster;
    PostgresFleet fleet(cluster.url(), {cluster.url(), cluster.url(), cluster.url()}, length.lease);
    fleet.start_all();
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null", "3", 20s));
    Producers producers(cluster.url(), 3, 200);
    for (const bool is_short : {true, false}) {
        EXPECT_TRUE(fleet.wait_until("select count(*) > 20 from task where line = 3", "true", 20s));
        ASSERT_TRUE(cluster.stop(is_short ? "immediate" : "fast"));
        if (!is_short) let_pass(outage);
        ASSERT_TRUE(cluster.start());
        const std::string completed = fleet.value(entries_of(EntryKind::completed));
        EXPECT_TRUE(fleet.wait_until("select (" + entries_of(EntryKind::completed) + ") > " + completed, "true", 20s));
    }
    producers.stop();
    fleet.expect_all_final(60s);
    fleet.expect_alive();
    EXPECT_EQ(fleet.value("select count(*) from worker where ended is null"), "3") << "the same as before";
    EXPECT_EQ(fleet.value("select count(*) from worker"), "3");
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), "0") << "nobody had died";
    EXPECT_EQ(fleet.value(entries_of(EntryKind::handed_back)), "0");
    fleet.drain();
    fleet.expect_sound();
    producers.expect_completed(fleet);
    std::printf("a restart and an outage of %ld s: %zu tasks acknowledged and completed, takeovers %s\n",
                static_cast<long>(outage.count()), producers.acknowledged(),
                fleet.value(entries_of(EntryKind::taken_over)).c_str());
}

Workflow<int> never_submitted(Context&, int number) { co_return number; }

TEST(PostgresOutage, AWorkerIsReadyWhileItCanClaim) {
    PAWL_NEEDS_POSTGRES();
    const test::TestCluster cluster;
    Program program;
    program.workflow("never_submitted", never_submitted);
    Worker worker(program, cluster.url());
    EXPECT_FALSE(worker.is_ready());
    ASSERT_TRUE(worker.start());
    const auto becomes = [&](bool is_ready) {
        const auto give_up = std::chrono::steady_clock::now() + 30s;
        while (worker.is_ready() != is_ready && std::chrono::steady_clock::now() < give_up) let_pass(10ms);
        return worker.is_ready() == is_ready;
    };
    EXPECT_TRUE(becomes(true));
    ASSERT_TRUE(cluster.stop("fast"));
    EXPECT_TRUE(becomes(false));
    ASSERT_TRUE(cluster.start());
    EXPECT_TRUE(becomes(true));
    worker.drain();
    EXPECT_FALSE(worker.is_ready());
}

// Nothing comes from it, and nothing says that it is gone: only its lease does.
TEST(PostgresOutage, AVanishedMachinesTasksAreTakenOverWhenItsLeaseIsOver) {
    PAWL_NEEDS_POSTGRES();
    const ChaosLength length = ChaosLength::from_environment();
    const test::TestCluster cluster;
    test::CutProxy proxy(port_of(cluster.url()));
    PostgresFleet fleet(cluster.url(), {with_port(cluster.url(), proxy.port()), cluster.url(), cluster.url()},
                        length.lease);
    fleet.start(0, "10");
    constexpr int tasks = 10;
    for (int i = 0; i < tasks; ++i) EXPECT_EQ(fleet.run({"submit", "blocking", "0"}).exit, 0);
    const std::string running = "select count(*) from task where line = 3";
    EXPECT_TRUE(fleet.wait_until(running, std::to_string(tasks), 20s));
    fleet.start(1, "20");
    fleet.start(2, "20");
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null", "3", 20s));
    let_pass(length.lease);  // all have renewed, and have seen the others do so

    const long frozen = fleet.number("select pawl_now()");
    proxy.freeze();
    const std::string resumed =
        "from journal j where j.kind = " + std::to_string(static_cast<int>(EntryKind::claimed)) +
        " and exists (select 1 from journal t where t.task = j.task and t.no < j.no and t.kind = " +
        std::to_string(static_cast<int>(EntryKind::taken_over)) + ")";
    EXPECT_TRUE(fleet.wait_until("select count(*) " + resumed, std::to_string(tasks), 60s));
    const auto first_ms = (fleet.number("select min(at) " + resumed) - frozen) / 1'000;
    const auto last_ms = (fleet.number("select max(at) " + resumed) - frozen) / 1'000;
    std::printf("lease %ld ms: from the last packet to the first task resumed %ld ms, to all %d %ld ms\n",
                static_cast<long>(length.lease.count()), first_ms, tasks, last_ms);
    // On a machine that does nothing else.
    if (length.is_long) { EXPECT_LE(last_ms, (length.lease + 1s).count()); }

    std::ofstream(fleet.path("ledger")) << "harmless\n";
    fleet.expect_all_final(30s);
    proxy.thaw();  // what the old one has to say is not taken
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null", "3", 30s)) << "it begins anew";
    fleet.expect_alive();
    fleet.drain();
    EXPECT_EQ(fleet.value(entries_of(EntryKind::completed)), std::to_string(tasks + 1));
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), std::to_string(tasks));
    fleet.expect_sound();
}

}  // namespace
}  // namespace pawl::crash
