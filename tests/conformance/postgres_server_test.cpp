// Servers that end, come back, or confirm less than they should: each test has one of its own.
#include "store/postgres/connection.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <future>

namespace pawl::store {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 60s;  // never reached: where it is, the test has failed

class PostgresServer : public ::testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        cluster.emplace();
        ASSERT_TRUE(open(connection));
        ASSERT_TRUE(connection.exec("create schema pawl; create table thing(id int8)", limit));
    }

    Result<void> open(PgConnection& opened) { return opened.open(parse_postgres_url(cluster->url()).value(), limit); }

    std::int64_t number(PgConnection& asked, const std::string& query) {
        std::int64_t found = -1;
        PgPipeline pipeline(asked);
        pipeline.add_text("number", query, [&found](PgRows& rows) { found = rows.integer(0, 0); });
        const auto done = pipeline.run(limit);
        EXPECT_TRUE(done) << done.error().message;
        return found;
    }

    std::optional<test::TestCluster> cluster;
    PgConnection connection;
};

TEST_F(PostgresServer, ACrashOfTheServerIsALostConnectionAndWhatWasCommittedIsThere) {
    ASSERT_TRUE(connection.exec("insert into thing values (1)", limit));
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add_text("insert", "insert into thing values (2)");
    ASSERT_TRUE(pipeline.run(limit));
    ASSERT_TRUE(cluster->stop("immediate"));

    pipeline.commit();
    const auto done = pipeline.run(limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::connection_lost) << done.error().message;
    EXPECT_FALSE(connection.is_open());
    const auto down = open(connection);
    ASSERT_FALSE(down);
    EXPECT_EQ(down.error().code, Errc::store_unavailable) << down.error().message;

    ASSERT_TRUE(cluster->start());
    const auto up = open(connection);
    ASSERT_TRUE(up) << up.error().message;
    EXPECT_EQ(number(connection, "select sum(id)::int8 from thing"), 1);
}

// PostgreSQL confirms the commit all the same, with a warning: taken for success, a failover would lose it.
TEST_F(PostgresServer, ACommitWhoseStandbyDidNotConfirmIsNotReported) {
    ASSERT_TRUE(connection.exec("alter system set synchronous_standby_names = 'nobody'", limit));
    ASSERT_TRUE(connection.exec("select pg_reload_conf()", limit));
    PgConnection other;
    ASSERT_TRUE(open(other));
    const auto give_up = std::chrono::steady_clock::now() + limit;
    while (number(other,
                  "select count(*) from pg_settings where name = 'synchronous_standby_names' and setting <> ''") < 1) {
        ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    }
    auto ended = std::async(std::launch::async, [&, pid = std::to_string(connection.backend_pid())] {
        const std::string waiting =
            "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and pid = " + pid;
        while (number(other, waiting) != 1) {
            if (std::chrono::steady_clock::now() > give_up) return;
        }
        number(other, "select pg_cancel_backend(" + pid + ")::int");
    });
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add_text("insert", "insert into thing values (3)");
    pipeline.commit();
    const auto done = pipeline.run(limit);
    ended.get();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::not_replicated);
    EXPECT_TRUE(is_outcome_unknown(done.error().fault));
    EXPECT_FALSE(connection.is_open());
    EXPECT_EQ(number(other, "select count(*) from thing"), 1) << "it has happened, here";
}

}  // namespace
}  // namespace pawl::store
