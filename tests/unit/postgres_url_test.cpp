#include "store/postgres/postgres_url.hpp"

#include <gtest/gtest.h>

namespace pawl::store {
namespace {

TEST(PostgresUrl, PartsAreFoundAndTheSchemaIsOurs) {
    const PostgresUrl url =
        parse_postgres_url("postgresql://ada:s3cret@db.example:5433/tasks?schema=night&sslmode=require").value();
    ASSERT_EQ(url.hosts.size(), 1U);
    EXPECT_EQ(url.hosts[0].name, "db.example");
    EXPECT_EQ(url.hosts[0].port, "5433");
    EXPECT_EQ(url.parameter("user"), "ada");
    EXPECT_EQ(url.parameter("password"), "s3cret");
    EXPECT_EQ(url.parameter("dbname"), "tasks");
    EXPECT_EQ(url.parameter("sslmode"), "require");
    EXPECT_EQ(url.parameter("schema"), "");
    EXPECT_EQ(url.schema, "night");
    EXPECT_EQ(url.shown, "postgres://ada@db.example:5433/tasks?schema=night");
}

TEST(PostgresUrl, DefaultsAreAddedUnlessGiven) {
    const PostgresUrl url = parse_postgres_url("postgres://h/d?connect_timeout=2&application_name=mine").value();
    EXPECT_EQ(url.schema, "pawl");
    EXPECT_EQ(url.parameter("connect_timeout"), "2");
    EXPECT_EQ(url.parameter("application_name"), "mine");
    EXPECT_EQ(url.parameter("keepalives"), "1");
    EXPECT_EQ(url.parameter("keepalives_idle"), "5");
    EXPECT_EQ(url.parameter("keepalives_interval"), "3");
    EXPECT_EQ(url.parameter("keepalives_count"), "3");
    EXPECT_EQ(url.parameter("tcp_user_timeout"), "10000");
    EXPECT_EQ(url.parameter("client_encoding"), "UTF8");
    EXPECT_EQ(url.shown, "postgres://h/d");
}

TEST(PostgresUrl, SeveralHostsHaveAPortEachOrOneForAll) {
    const PostgresUrl each = parse_postgres_url("postgres://a:1,b:2,[::1]:3/d").value();
    ASSERT_EQ(each.hosts.size(), 3U);
    EXPECT_EQ(each.hosts[1].name, "b");
    EXPECT_EQ(each.hosts[1].port, "2");
    EXPECT_EQ(each.hosts[2].name, "::1");
    EXPECT_EQ(each.shown, "postgres://a:1,b:2,[::1]:3/d");

    const PostgresUrl one = parse_postgres_url("postgres:///d?host=a,b&port=7").value();
    ASSERT_EQ(one.hosts.size(), 2U);
    EXPECT_EQ(one.hosts[1].name, "b");
    EXPECT_EQ(one.hosts[1].port, "7");

    EXPECT_EQ(parse_postgres_url("postgres:///d?host=a,b,c&port=1,2").error().code, Errc::bad_input);
}

TEST(PostgresUrl, AFolderOfASocketIsAHost) {
    const PostgresUrl url = parse_postgres_url("postgres://ada@%2Frun%2Fpg:5433/d").value();
    EXPECT_EQ(url.hosts[0].name, "/run/pg");
    EXPECT_EQ(url.shown, "postgres://ada@/d?host=/run/pg&port=5433");
    EXPECT_EQ(parse_postgres_url(url.shown).value().hosts[0].name, "/run/pg");
}

TEST(PostgresUrl, WithoutAnythingLibpqChooses) {
    const PostgresUrl url = parse_postgres_url("postgres://").value();
    ASSERT_EQ(url.hosts.size(), 1U);
    EXPECT_EQ(url.hosts[0].name, "");
    EXPECT_EQ(url.hosts[0].port, "");
}

TEST(PostgresUrl, TheServerToBeWrittenMayBeAskedForInThreeWays) {
    for (const char* value : {"read-write", "primary", "any"}) {
        const auto url = parse_postgres_url(std::string("postgres://h/d?target_session_attrs=") + value);
        ASSERT_TRUE(url) << value;
        EXPECT_EQ(url->parameter("target_session_attrs"), "");
    }
    for (const char* value : {"read-only", "standby", "prefer-standby", "", "write"}) {
        EXPECT_FALSE(parse_postgres_url(std::string("postgres://h/d?target_session_attrs=") + value)) << value;
    }
}

TEST(PostgresUrl, OtherSchemesAreNotOurs) {
    EXPECT_TRUE(is_postgres_url("postgres://h"));
    EXPECT_TRUE(is_postgres_url("postgresql://h"));
    for (const char* text : {"postgre://h", "sqlite:a.db", "POSTGRES://h", "postgres:/h", ""}) {
        EXPECT_FALSE(is_postgres_url(text)) << text;
        EXPECT_EQ(parse_postgres_url(text).error().code, Errc::bad_input) << text;
    }
}

TEST(PostgresUrl, BadInputIsOneLineThatNamesTheParameter) {
    const Error error = parse_postgres_url("postgres://h/d?shema=x").error();
    EXPECT_EQ(error.code, Errc::bad_input);
    EXPECT_NE(error.message.find("\"shema\""), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
}

TEST(PostgresUrl, BadInputIsRefused) {
    for (const char* text : {
             "postgres://h:port/d",
             "postgres://h:0/d",
             "postgres://h:65536/d",
             "postgres://h/d?schema=",
             "postgres://h/d?schema=Upper",
             "postgres://h/d?schema=a;drop",
             "postgres://h/d?schema=1a",
             "postgres://h/d?schema=pg_catalog",
             "postgres://h/d?schema=a&",
             "postgres://h/d?schema",
             "postgres://h/d?=x",
             "postgres://h/d?a=b=c",
             "postgres://h/d?connect_timeout=soon",
             "postgres://h/d?client_encoding=LATIN1",
             "postgres://h/d?replication=database",
             "postgres://h/d?sslmode=%zz",
             "postgres://h/d%00",
             "postgres://h/a b",
             "postgres://h/a\nb",
             "postgres://[::1/d",
         }) {
        const auto url = parse_postgres_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().code, Errc::bad_input) << text;
        EXPECT_EQ(url.error().message.find('\n'), std::string::npos) << text;
    }
    EXPECT_TRUE(parse_postgres_url("postgres://h/d?schema=" + std::string(63, 'a')));
    EXPECT_FALSE(parse_postgres_url("postgres://h/d?schema=" + std::string(64, 'a')));
}

// However wrong the URL is, no piece of the password comes back: not in `shown`, not in the error.
TEST(PostgresUrl, BadInputNeverShowsThePassword) {
    for (const char* text : {
             "postgres://ada:hunter2@h/d",
             "postgres://ada:hunter2@h:port/d",
             "postgres://ada:hunter2@h/d?nonsense=1",
             "postgres://ada:hunter2@h/d?sslmode=%zz",
             "postgres://ada:hunter2%@h/d",
             "postgres://ada:hunter2%zz@h/d",
             "postgres://ada:hunter2%20x@h/d",
             "postgres://ada:hunter2@more@h/d",
             "postgres://ada:more/hunter2@h/d",
             "postgres://ada:12/hunter2@h/d",
             "postgres://ada:12/x?hunter2@h/d",
             "postgres://ada:12/x?hunter2=y@h/d",
             "postgres://ada:hunter2/d",
             "postgres://ada:hunter2?@h/d",
             "postgres://ada:hunter2 @h/d",
             "postgres://ada:hunter2@h/d?schema=NO",
             "postgres://h/d?user=ada&password=hunter2",
             "postgres://h/d?password=hunter2=",
             "postgres://h/d?password=more&hunter2",
             "postgres://h/d?password=more&hunter2=1",
             "postgres://h/d?pass%77ord=more&hunter2=1",
             "postgres://h/d?passw=hunter2",
             "postgres://h/d?sslpassword=hunter2",
             "postgre://ada:hunter2@h/d",
             "postgres:/ada:hunter2@h/d",
             "ada:hunter2@h/d",
         }) {
        const auto url = parse_postgres_url(text);
        const std::string said = url ? url->shown : url.error().message;
        EXPECT_EQ(said.find("hunter2"), std::string::npos) << text << ": " << said;
        EXPECT_EQ(said.find("more"), std::string::npos) << text << ": " << said;
    }
}

TEST(PostgresUrl, OddPasswordsReachLibpqAndAreReplacedInMessages) {
    const PostgresUrl url = parse_postgres_url("postgres://ada:p%40ss%2Fw%3Ard@h/d").value();
    EXPECT_EQ(url.parameter("password"), "p@ss/w:rd");
    EXPECT_EQ(without_secrets("no host \"p@ss/w:rd\"", url), "no host \"***\"");
    EXPECT_EQ(without_secrets("no host \"p%40ss%2Fw%3Ard\"", url), "no host \"***\"");
    EXPECT_EQ(without_secrets("two\nlines\n", url), "two lines");
}

TEST(PostgresUrl, ShownIsOneLineWhateverTheNamesAre) {
    const PostgresUrl url = parse_postgres_url("postgres://a%0Ab:x@h/d%1B%5B1m").value();
    EXPECT_EQ(url.shown, "postgres://a%0Ab@h/d%1B%5B1m");
}

}  // namespace
}  // namespace pawl::store
