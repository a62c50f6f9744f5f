// The same with Patroni, which decides who leads: ./dev failover starts its cluster and runs this.
#include "crash/postgres_fleet.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace pawl::crash {
namespace {

using core::EntryKind;

// What tools/dev/patroni.sh does to the cluster of ./dev failover.
bool patroni(const std::string& command) {
    const std::string line =
        PAWL_SOURCE_DIR "/tools/dev/patroni.sh " + command + " '" + std::getenv("PAWL_TEST_PATRONI") + "' </dev/null";
    return std::system(line.c_str()) == 0;
}

TEST(PatroniFailover, WhoeverLeadsNothingIsLostRepeatedOrTakenOver) {
    const char* folder = std::getenv("PAWL_TEST_PATRONI");
    if (!folder) GTEST_SKIP() << "no Patroni: PAWL_TEST_PATRONI is not set (./dev failover does)";
    std::string url;
    std::ifstream(std::string(folder) + "/url") >> url;
    PostgresFleet fleet(url, {url, url, url}, 15s);
    fleet.start_all();
    EXPECT_TRUE(fleet.wait_until("select count(*) from worker where ended is null", "3", 30s));
    Producers producers(url, 3, 100);
    for (const char* change : {"kill_leader", "switch_leader", "kill_leader"}) {
        EXPECT_TRUE(fleet.wait_until("select count(*) > 5 from task where line = 3", "true", 30s));
        const std::string begun = fleet.value("select pawl_now()");
        ASSERT_TRUE(patroni(change)) << change;
        const std::string completed = fleet.value(entries_of(EntryKind::completed));
        EXPECT_TRUE(fleet.wait_until("select (" + entries_of(EntryKind::completed) + ") > " + completed + " + 20",
                                     "true", 60s));
        std::printf("%s: the longest time without an entry %ld ms\n", change,
                    fleet.number("select max(at - before) / 1000 from (select at, lag(at) over (order by at) as before "
                                 "from journal where at >= " +
                                 begun + " - 1000000) gaps"));
        std::fflush(stdout);
        ASSERT_TRUE(patroni("await_order"));
    }
    producers.stop();
    fleet.expect_all_final(60s);
    fleet.expect_alive();
    EXPECT_EQ(fleet.value("select count(*) from worker where ended is null"), "3");
    EXPECT_EQ(fleet.value("select count(*) from worker"), "3") << "the same as before";
    EXPECT_EQ(fleet.value(entries_of(EntryKind::taken_over)), "0") << "nobody had died";
    fleet.drain();
    fleet.expect_sound();
    producers.expect_completed(fleet);
    std::printf("%zu tasks acknowledged and completed, %d submits repeated, takeovers %s\n", producers.acknowledged(),
                producers.repeated(), fleet.value(entries_of(EntryKind::taken_over)).c_str());
    if (!testing::Test::HasFailure()) std::printf("verdict: 0 lost, 0 recorded twice, 0 stuck, 0 taken over\n");
}

}  // namespace
}  // namespace pawl::crash
