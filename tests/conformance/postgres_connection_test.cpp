#include "store/postgres/connection.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace pawl::store {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 60s;  // never reached: where it is, the test has failed

const PgStatement one_sql{"test_one", "select $1::int8 + 1, $2::text, $3::bytea, $4::bool"};
const PgStatement divide_sql{"test_divide", "select 10 / $1::int4"};
const PgStatement insert_sql{"test_insert", "insert into thing select * from unnest($1::int8[], $2::bytea[])"};
const PgStatement count_sql{"test_count", "select count(*) from thing"};
const PgStatement read_sql{"test_read", "select body from thing order by id"};
const PgStatement sleep_sql{"test_sleep", "select pg_sleep(600)"};

class PostgresConnection : public ::testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        schema.emplace();
        ASSERT_TRUE(open(connection));
    }

    bool open(PgConnection& opened, const PgSettings& more = {}) {
        const auto url = parse_postgres_url(schema->url());
        EXPECT_TRUE(url);
        const auto done = opened.open(url.value(), limit, more);
        EXPECT_TRUE(done) << done.error().message;
        return done.has_value();
    }

    void make_table() { ASSERT_TRUE(connection.exec("create table thing(id int8, body bytea)", limit)); }

    std::int64_t things() {
        auto rows = connection.query(count_sql, PgParameters(), limit);
        EXPECT_TRUE(rows) << rows.error().message;
        return rows ? rows->integer(0, 0) : -1;
    }

    // Until the server shows the session of that process in the state asked for.
    void wait_for_session(int pid, const std::string& condition) {
        const std::string query = "select count(*) from pg_stat_activity where pid = " + std::to_string(pid);
        const auto give_up = std::chrono::steady_clock::now() + limit;
        while (schema->value(query + " and " + condition) != "1") {
            ASSERT_LT(std::chrono::steady_clock::now(), give_up) << condition;
        }
    }

    void wait_until_gone(int pid) {
        const std::string query = "select count(*) from pg_stat_activity where pid = " + std::to_string(pid);
        const auto give_up = std::chrono::steady_clock::now() + limit;
        while (schema->value(query) != "0") ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    }

    std::optional<test::TestSchema> schema;
    PgConnection connection;
};

TEST_F(PostgresConnection, ParametersAndRowsAreBinaryBothWays) {
    using namespace std::string_literals;
    const std::string body = "\0a\xff\0"s;
    PgParameters parameters;
    parameters.int8(41).text("Grüße").bytes(body).boolean(true);
    const auto rows = connection.query(one_sql, parameters, limit);
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), 1);
    EXPECT_EQ(rows->columns(), 4);
    EXPECT_EQ(rows->integer(0, 0), 42);
    EXPECT_EQ(rows->text(0, 1), "Grüße");
    EXPECT_EQ(rows->bytes(0, 2), body);
    EXPECT_TRUE(rows->boolean(0, 3));
    EXPECT_TRUE(rows->is_well_formed());
    rows->boolean(0, 1);
    EXPECT_FALSE(rows->is_well_formed());
}

TEST_F(PostgresConnection, NullsArriveAsNulls) {
    PgParameters parameters;
    parameters.null(PgType::int8).optional_text(std::nullopt).bytes(std::string_view()).null(PgType::boolean);
    const auto rows = connection.query(one_sql, parameters, limit);
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_TRUE(rows->is_null(0, 0));
    EXPECT_EQ(rows->optional_integer(0, 0), std::nullopt);
    EXPECT_TRUE(rows->is_null(0, 1));
    EXPECT_FALSE(rows->is_null(0, 2));
    EXPECT_EQ(rows->bytes(0, 2), "");
    EXPECT_TRUE(rows->is_null(0, 3));
}

TEST_F(PostgresConnection, ArraysOfEachTypeUnnestWithTheirNulls) {
    PgArray longs(PgType::int8);
    PgArray ints(PgType::int4);
    PgArray flags(PgType::boolean);
    PgArray texts(PgType::text);
    PgArray bodies(PgType::bytea);
    for (int i = 0; i < 3; ++i) {
        longs.add_int8(std::int64_t{1} << (20 * i));
        ints.add_int4(-i);
        flags.add_boolean(i == 1);
        texts.add_text(i == 0 ? "" : "x");
        bodies.add_bytes(std::string_view("\0b", 2));
    }
    for (PgArray* array : {&longs, &ints, &flags, &texts, &bodies}) array->add_null();
    static const PgStatement sql{"test_arrays",
                                 "select * from unnest($1::int8[], $2::int4[], $3::bool[], $4::text[], $5::bytea[])"};
    PgParameters parameters;
    parameters.array(longs).array(ints).array(flags).array(texts).array(bodies);
    const auto rows = connection.query(sql, parameters, limit);
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), 4);
    EXPECT_EQ(rows->integer(2, 0), std::int64_t{1} << 40);
    EXPECT_EQ(rows->integer(2, 1), -2);
    EXPECT_TRUE(rows->boolean(1, 2));
    EXPECT_EQ(rows->text(0, 3), "");
    EXPECT_EQ(rows->bytes(1, 4).size(), 2U);
    for (int column = 0; column < 5; ++column) EXPECT_TRUE(rows->is_null(3, column)) << column;
}

TEST_F(PostgresConnection, AnEmptyArrayIsOne) {
    static const PgStatement sql{"test_empty", "select $1::int8[] = '{}'"};
    const PgArray none(PgType::int8);
    PgParameters parameters;
    const auto rows = connection.query(sql, parameters.array(none), limit);
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_TRUE(rows->boolean(0, 0));
}

TEST_F(PostgresConnection, ThePipelinesTransactionIsWhole) {
    make_table();
    PgArray ids(PgType::int8);
    PgArray bodies(PgType::bytea);
    for (int i = 0; i < 10; ++i) {
        ids.add_int8(i);
        bodies.add_bytes("x");
    }
    PgParameters parameters;
    parameters.array(ids).array(bodies);
    std::int64_t affected = 0;
    std::vector<int> order;
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add(insert_sql, parameters, [&](PgRows& rows) {
        affected = rows.affected();
        order.push_back(1);
    });
    pipeline.add(count_sql, PgParameters(),
                 [&](PgRows& rows) { order.push_back(static_cast<int>(rows.integer(0, 0))); });
    pipeline.commit();
    EXPECT_EQ(pipeline.size(), 4U);
    const auto done = pipeline.run(limit);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(affected, 10);
    EXPECT_EQ(order, (std::vector{1, 10}));
    EXPECT_EQ(connection.transaction_status(), PgTransaction::none);
    EXPECT_EQ(schema->value("select count(*) from thing"), "10");
}

TEST_F(PostgresConnection, AnErrorInTheMiddleSkipsTheRestAndNamesItsStatement) {
    make_table();
    int calls = 0;
    const auto count_call = [&calls](PgRows&) { ++calls; };
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add_text("insert", "insert into thing values (1, 'x')", count_call);
    pipeline.add(divide_sql, PgParameters().int4(0), count_call);
    pipeline.add(count_sql, PgParameters(), count_call);
    pipeline.commit();
    const auto done = pipeline.run(limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().sqlstate, "22012");
    EXPECT_EQ(done.error().statement, "test_divide");
    EXPECT_EQ(done.error().position, 2U);
    EXPECT_EQ(done.error().fault, PgFault::other);
    EXPECT_EQ(calls, 1);

    EXPECT_TRUE(connection.is_open());
    EXPECT_EQ(connection.transaction_status(), PgTransaction::failed);
    ASSERT_TRUE(connection.rollback(limit));
    EXPECT_EQ(connection.transaction_status(), PgTransaction::none);
    // What was skipped is prepared by its next use, what was prepared is used again.
    EXPECT_EQ(things(), 0);
    EXPECT_EQ(connection.query(divide_sql, PgParameters().int4(5), limit)->integer(0, 0), 2);
}

TEST_F(PostgresConnection, WithoutBeginThePipelineIsOneTransaction) {
    make_table();
    PgPipeline pipeline(connection);
    pipeline.add_text("insert", "insert into thing values (1, 'x')");
    pipeline.add(divide_sql, PgParameters().int4(0));
    ASSERT_FALSE(pipeline.run(limit));
    EXPECT_EQ(connection.transaction_status(), PgTransaction::none);
    EXPECT_EQ(things(), 0);

    pipeline.add_text("insert", "insert into thing values (1, 'x')");
    pipeline.add(divide_sql, PgParameters().int4(1));
    ASSERT_TRUE(pipeline.run(limit));
    EXPECT_EQ(things(), 1);
}

TEST_F(PostgresConnection, AUniqueViolationNamesItsConstraint) {
    ASSERT_TRUE(
        connection.exec("create table one(id int constraint one_only primary key); insert into one values (1)", limit));
    const auto done = connection.exec("insert into one values (1)", limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::unique_violation);
    EXPECT_EQ(done.error().constraint, "one_only");
}

TEST_F(PostgresConnection, AScriptIsOneTransaction) {
    make_table();
    EXPECT_FALSE(connection.exec("insert into thing values (1, 'x'); select 1 / 0", limit));
    EXPECT_EQ(things(), 0);
    const auto missing = connection.exec("select * from nowhere", limit);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().fault, PgFault::undefined_table);
    EXPECT_TRUE(connection.exec("", limit));
    EXPECT_FALSE(connection.exec("copy thing from stdin", limit)) << "no data would come";
    EXPECT_FALSE(connection.is_open());
}

TEST_F(PostgresConnection, ABatchLargerThanAllBuffersGoesBothWays) {
    make_table();
    constexpr int rows_count = 50;
    const std::string body(1 << 20, '\0');
    PgArray ids(PgType::int8);
    PgArray bodies(PgType::bytea);
    for (int i = 0; i < rows_count; ++i) {
        ids.add_int8(i);
        bodies.add_bytes(body);
    }
    std::size_t received = 0;
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add(insert_sql, PgParameters().array(ids).array(bodies));
    // The first answer is on its way while the second request still is: neither side may wait for the other.
    for (int time = 0; time < 2; ++time) {
        pipeline.add(read_sql, PgParameters(), [&](PgRows& rows) {
            for (int row = 0; row < rows.size(); ++row) received += rows.bytes(row, 0).size();
        });
        pipeline.add(insert_sql, PgParameters().array(ids).array(bodies));
    }
    pipeline.commit();
    const auto done = pipeline.run(limit);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(received, 3 * rows_count * body.size());
    EXPECT_EQ(things(), 3 * rows_count);
}

TEST_F(PostgresConnection, ALimitThatPassesClosesAndTheServerStopsWorkingForIt) {
    const int pid = connection.backend_pid();
    const auto done = connection.query(sleep_sql, PgParameters(), 100ms);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::timed_out);
    EXPECT_EQ(to_error(done.error(), "a read").code, Errc::store_unavailable);
    EXPECT_FALSE(connection.is_open());
    EXPECT_EQ(connection.transaction_status(), PgTransaction::unknown);
    wait_until_gone(pid);

    const auto after = connection.query(count_sql, PgParameters(), limit);
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().fault, PgFault::connection_lost);
    EXPECT_TRUE(connection.rollback(limit)) << "there is no transaction any more";
    EXPECT_TRUE(open(connection));
}

TEST_F(PostgresConnection, ASessionEndedInTheMiddleOfAPipelineIsALostConnection) {
    make_table();
    const int pid = connection.backend_pid();
    auto ended = std::async(std::launch::async, [&] {
        wait_for_session(pid, "wait_event = 'PgSleep'");
        return schema->value("select pg_terminate_backend(" + std::to_string(pid) + ")");
    });
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add_text("insert", "insert into thing values (1, 'x')");
    pipeline.add(sleep_sql, PgParameters());
    pipeline.commit();
    const auto done = pipeline.run(limit);
    EXPECT_EQ(ended.get(), "true");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::connection_lost);
    EXPECT_EQ(done.error().sqlstate, "57P01");
    EXPECT_FALSE(connection.is_open());
    ASSERT_TRUE(open(connection));
    EXPECT_EQ(things(), 0);
}

TEST_F(PostgresConnection, ASessionEndedWhileIdleIsFoundByTheNextCall) {
    make_table();
    EXPECT_EQ(things(), 0);
    const int pid = connection.backend_pid();
    schema->value("select pg_terminate_backend(" + std::to_string(pid) + ")");
    wait_until_gone(pid);
    PgPipeline pipeline(connection);
    pipeline.begin();
    pipeline.add(count_sql, PgParameters());
    pipeline.commit();
    const auto done = pipeline.run(limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::connection_lost);
    EXPECT_FALSE(connection.is_open());
    ASSERT_TRUE(open(connection));
    EXPECT_EQ(things(), 0) << "statements are prepared anew";
}

TEST_F(PostgresConnection, ACanceledStatementLeavesTheConnectionUsable) {
    auto canceled = std::async(std::launch::async, [&, pid = connection.backend_pid()] {
        wait_for_session(pid, "wait_event = 'PgSleep'");
        return schema->value("select pg_cancel_backend(" + std::to_string(pid) + ")");
    });
    const auto done = connection.query(sleep_sql, PgParameters(), limit);
    canceled.get();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::query_canceled);
    EXPECT_TRUE(connection.is_open());
    EXPECT_TRUE(connection.exec("select 1", limit));
}

TEST_F(PostgresConnection, AHeldRowIsALockTimeout) {
    ASSERT_TRUE(connection.exec("create table thing(id int8, body bytea); insert into thing values (1, 'x')", limit));
    ASSERT_TRUE(connection.exec("begin; select * from thing for update", limit));
    PgConnection other;
    ASSERT_TRUE(open(other, {{"lock_timeout", "10"}}));
    const auto done = other.exec("update thing set body = 'y'", limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::lock_timeout);
    EXPECT_TRUE(is_retryable(done.error().fault));
    EXPECT_TRUE(connection.rollback(limit));
}

TEST_F(PostgresConnection, ATransactionThatConflictsCanBeRepeated) {
    ASSERT_TRUE(connection.exec("create table thing(id int8, body bytea); insert into thing values (1, 'x')", limit));
    ASSERT_TRUE(connection.exec("begin isolation level repeatable read; select * from thing", limit));
    schema->exec("update thing set body = 'y'");
    const auto done = connection.exec("update thing set body = 'z'", limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::serialization);
    EXPECT_TRUE(connection.rollback(limit));
}

TEST_F(PostgresConnection, AServerThatCannotBeWrittenIsLeft) {
    make_table();
    PgPipeline pipeline(connection);
    pipeline.begin("begin read only");  // as a server that became a standby answers
    pipeline.add_text("insert", "insert into thing values (1, 'x')");
    pipeline.commit();
    const auto done = pipeline.run(limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::read_only);
    EXPECT_FALSE(connection.is_open());
}

// Another version's migration has changed a table below a prepared statement.
TEST_F(PostgresConnection, AStatementThatNoLongerFitsIsPreparedOnTheNextConnection) {
    make_table();
    static const PgStatement all_sql{"test_all", "select * from thing"};
    ASSERT_TRUE(connection.query(all_sql, PgParameters(), limit));
    schema->exec("alter table thing add column more int8");
    const auto done = connection.query(all_sql, PgParameters(), limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::stale_statement);
    EXPECT_FALSE(connection.is_open());
    ASSERT_TRUE(open(connection));
    EXPECT_EQ(connection.query(all_sql, PgParameters(), limit)->columns(), 3);
}

TEST_F(PostgresConnection, TheSessionHasItsSettings) {
    PgConnection other;
    ASSERT_TRUE(open(other, {{"lock_timeout", "250"}, {"enable_seqscan", "off"}}));
    PgPipeline pipeline(other);
    std::vector<std::string> found;
    for (const char* name : {"search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
                             "plan_cache_mode", "jit", "timezone", "client_connection_check_interval", "enable_seqscan",
                             "tcp_keepalives_idle", "tcp_user_timeout", "application_name", "client_encoding"}) {
        pipeline.add_text(name, std::string("select current_setting('") + name + "')",
                          [&found](PgRows& rows) { found.push_back(rows.text(0, 0)); });
    }
    ASSERT_TRUE(pipeline.run(limit));
    EXPECT_EQ(found, (std::vector<std::string>{"\"" + schema->name() + "\", pg_temp", "30s", "250ms", "30s",
                                               "force_generic_plan", "off", "UTC", "1s", "off", "5", "10000", "pawl",
                                               "UTF8"}));
    EXPECT_FALSE(other.is_pooled());
    EXPECT_GE(other.server_version(), 150000);
    EXPECT_GE(other.socket(), 0);
}

TEST_F(PostgresConnection, ASettingThatTheServerDoesNotKnowIsRefused) {
    PgConnection other;
    const auto done = other.open(parse_postgres_url(schema->url()).value(), limit, {{"no_such_setting", "1"}});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::refused);
    EXPECT_NE(done.error().message.find("no_such_setting"), std::string::npos) << done.error().message;
}

}  // namespace
}  // namespace pawl::store
