// A server that was good enough when the store was opened, and refuses it for a while: as in a failover.
#include "conformance/postgres_members.hpp"
#include "store/postgres/connection.hpp"

namespace pawl::test {
namespace {

using namespace core;
using namespace std::chrono_literals;

TEST(PostgresAway, AServerThatTurnsReadOnlyForAWhileTakesNothingAway) {
    PAWL_NEEDS_POSTGRES();
    const TestCluster cluster;
    Member member(cluster.url());
    member.run({submit(1)});
    const std::vector<ClaimedTask> held = member.claim_some(1);
    ASSERT_EQ(held.size(), 1u);

    store::PgConnection operator_session;
    ASSERT_TRUE(operator_session.open(store::parse_postgres_url(cluster.url()).value(), 60s));
    ASSERT_TRUE(operator_session.exec(
        "alter database pawl_test set default_transaction_read_only = on; select pg_terminate_backend(pid) from "
        "pg_stat_activity where usename = 'pawl' and pid <> pg_backend_pid()",
        60s));
    const std::vector<Command> batch{record(held.front(), Complete{"1"})};
    const Result<Applied> refused = member.store().apply(batch);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(member.store().keeps_batch()) << refused.error().message;

    ASSERT_TRUE(operator_session.exec("alter database pawl_test reset default_transaction_read_only", 60s));
    member.run(batch);
    EXPECT_EQ(member.store().get(held.front().row.id).value().state, TaskState::completed);
}

}  // namespace
}  // namespace pawl::test
