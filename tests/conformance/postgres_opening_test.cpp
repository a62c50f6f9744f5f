// What a server must be like, and what is said when it is not; notifications.
#include "store/postgres/connection.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace pawl::store {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 60s;  // never reached: where it is, the test has failed

// A port on which nobody answers: connections are taken by the system, and nothing is ever said.
class SilentPort {
public:
    SilentPort() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(socket_, 16), 0);
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        host_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    ~SilentPort() { close(); }
    void close() {
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }
    const std::string& host() const { return host_; }

private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string host_;
};

class PostgresOpening : public ::testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        schema.emplace();
        const PostgresUrl url = parse_postgres_url(schema->url()).value();
        password = url.parameter("password");
        host = url.hosts[0].name + ":" + url.hosts[0].port;
    }

    // The URL with further parameters.
    std::string with(const std::string& parameters) const { return schema->url() + "&" + parameters; }

    Error refused(const std::string& text, core::Micros within = limit) const {
        const auto url = parse_postgres_url(text);
        EXPECT_TRUE(url) << text;
        PgConnection connection;
        const auto done = connection.open(url.value(), within);
        EXPECT_FALSE(done) << text;
        EXPECT_FALSE(connection.is_open());
        if (done) return {};
        const std::string& said = done.error().message;
        EXPECT_EQ(said.find('\n'), std::string::npos) << said;
        EXPECT_EQ(said.find(password), std::string::npos) << said;
        EXPECT_TRUE(said.starts_with(url->shown + ": ")) << said;
        return done.error();
    }

    void expect_refused(const std::string& text, const std::string& words) const {
        const Error error = refused(text);
        EXPECT_EQ(error.code, Errc::refused) << error.message;
        EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    }

    std::optional<test::TestSchema> schema;
    std::string password;
    std::string host;
};

using BadInputPostgresOpening = PostgresOpening;

TEST_F(BadInputPostgresOpening, AWrongPasswordRoleOrDatabaseIsRefusedWithoutShowingThePassword) {
    const Error wrong = refused(schema->url_with(password, "hunter2-hunter2"));
    EXPECT_EQ(wrong.code, Errc::refused) << wrong.message;
    EXPECT_EQ(wrong.message.find("hunter2"), std::string::npos) << wrong.message;
    expect_refused(schema->url_with("//pawl:", "//nobody_here:"), "nobody_here");
    expect_refused(schema->url_with("/pawl_test", "/no_such_database"), "no_such_database");
    expect_refused(schema->url_with(":" + password, ""), "wants a password");
}

TEST_F(BadInputPostgresOpening, TlsThatTheServerDoesNotHaveIsRefused) {
    expect_refused(with("sslmode=require"), "SSL");
}

TEST_F(BadInputPostgresOpening, AWrongValueOfLibpqsIsRefused) { expect_refused(with("sslmode=perhaps"), "sslmode"); }

TEST_F(BadInputPostgresOpening, SettingsThatLoseAcknowledgedWorkAreRefused) {
    expect_refused(with("options=-c%20synchronous_commit%3Doff"), "synchronous_commit is off");
    expect_refused(with("options=-c%20synchronous_commit%3Dlocal"), "synchronous_commit is local");
    expect_refused(with("options=-c%20default_transaction_read_only%3Don"), "default_transaction_read_only");
    PgConnection connection;
    EXPECT_TRUE(
        connection.open(parse_postgres_url(with("options=-c%20synchronous_commit%3Dremote_apply")).value(), limit));
}

TEST_F(BadInputPostgresOpening, ARolesSettingCounts) {
    const std::string role = schema->name() + "_role";
    schema->exec("create role " + role + " login password 'secret-of-role'; alter role " + role +
                 " set synchronous_commit = off");
    const std::string url = schema->url_with("pawl:" + password, role + ":secret-of-role");
    expect_refused(url, "synchronous_commit is off");

    schema->exec("alter role " + role + " reset synchronous_commit; alter role " + role + " connection limit 0");
    const Error full = refused(url);
    EXPECT_EQ(full.code, Errc::store_unavailable) << full.message;
    schema->exec("drop role " + role);
}

TEST_F(BadInputPostgresOpening, ADatabaseOfAnotherEncodingIsRefused) {
    const std::string name = schema->name() + "_latin1";
    schema->exec("create database " + name + " encoding 'LATIN1' locale 'C' template template0");
    expect_refused(schema->url_with("/pawl_test", "/" + name), "LATIN1");
    schema->exec("drop database " + name);
}

TEST_F(BadInputPostgresOpening, AServerThatDoesNotFlushAndAStandbyAreRefused) {
    const test::TestCluster cluster;
    const auto configure = [&](const std::string& line) {
        std::ofstream(cluster.data() + "/postgresql.auto.conf", std::ios::app) << line << "\n";
        ASSERT_TRUE(cluster.stop("fast"));
        ASSERT_TRUE(cluster.start());
    };
    password = parse_postgres_url(cluster.url())->parameter("password");
    configure("fsync = off");
    expect_refused(cluster.url(), "fsync=off");
    configure("fsync = on\nfull_page_writes = off");
    expect_refused(cluster.url(), "full_page_writes=off");
    std::ofstream(cluster.data() + "/standby.signal").close();
    configure("full_page_writes = on");
    expect_refused(cluster.url(), "standby");

    // Of several hosts the one that can be written is taken.
    const PostgresUrl standby = parse_postgres_url(cluster.url()).value();
    EXPECT_NE(password, "");
    PostgresUrl both = parse_postgres_url(schema->url()).value();
    both.hosts.insert(both.hosts.begin(), standby.hosts[0]);
    PgConnection connection;
    const auto done = connection.open(both, limit);
    // Both clusters have a password of their own: the first refuses by it, the second is tried nevertheless.
    EXPECT_TRUE(done) << done.error().message;
}

TEST_F(PostgresOpening, AServerThatIsNotThereIsUnavailable) {
    SilentPort port;
    const std::string url = schema->url_with(host, port.host());
    const Error silent = refused(url, 200ms);
    EXPECT_EQ(silent.code, Errc::store_unavailable);
    EXPECT_NE(silent.message.find("does not answer"), std::string::npos) << silent.message;
    port.close();
    const Error closed = refused(url);
    EXPECT_EQ(closed.code, Errc::store_unavailable) << closed.message;
    EXPECT_EQ(refused("postgres://pawl:" + password + "@%2Fno%2Fsuch%2Ffolder/d").code, Errc::store_unavailable);
}

TEST_F(PostgresOpening, TheNextHostIsTriedWhenOneDoesNotAnswer) {
    const SilentPort port;
    PgConnection connection;
    const auto url = parse_postgres_url(schema->url_with(host, port.host() + "," + host) + "&connect_timeout=1");
    const auto done = connection.open(url.value(), limit);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(connection.exec("select 1", limit));
}

TEST_F(PostgresOpening, AUnixSocketIsAHost) {
    const std::string folder = schema->value("current_setting('unix_socket_directories')");
    if (folder.empty() || folder.find(',') != std::string::npos) GTEST_SKIP() << "the server has no Unix socket";
    if (::access(folder.c_str(), R_OK | X_OK) != 0) GTEST_SKIP() << "the server's socket is not on this machine";
    PostgresUrl url = parse_postgres_url(schema->url()).value();
    url.hosts[0].name = folder;
    PgConnection connection;
    const auto done = connection.open(url, limit);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_FALSE(connection.is_pooled());
}

TEST_F(PostgresOpening, OpeningAgainClosesWhatWasOpen) {
    const PostgresUrl url = parse_postgres_url(schema->url()).value();
    PgConnection connection;
    ASSERT_TRUE(connection.open(url, limit));
    const int first = connection.backend_pid();
    ASSERT_TRUE(connection.open(connection.url(), limit));
    EXPECT_NE(connection.backend_pid(), first);
    connection.close();
    connection.close();
    EXPECT_FALSE(connection.is_open());
    EXPECT_EQ(connection.socket(), -1);
}

TEST_F(PostgresOpening, NotificationsArriveInOrderWithTheirPayloads) {
    PgConnection listener;
    ASSERT_TRUE(listener.open(parse_postgres_url(schema->url()).value(), limit));
    ASSERT_TRUE(listener.listen("odd \"channel\"", limit));
    const auto none = listener.poll_notifications(0s);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());

    schema->exec(
        "select pg_notify('odd \"channel\"', 'first'); select pg_notify('odd \"channel\"', '');"
        "select pg_notify('another', 'not heard')");
    std::vector<std::string> heard;
    while (heard.size() < 2) {
        const auto some = listener.poll_notifications(limit);
        ASSERT_TRUE(some) << some.error().message;
        ASSERT_FALSE(some->empty()) << "the limit has passed";
        heard.insert(heard.end(), some->begin(), some->end());
    }
    EXPECT_EQ(heard, (std::vector<std::string>{"first", ""}));
}

TEST_F(PostgresOpening, AListenerIsWokenFromAnotherThreadAlsoInAdvance) {
    PgConnection listener;
    listener.wake();
    ASSERT_TRUE(listener.open(parse_postgres_url(schema->url()).value(), limit));
    ASSERT_TRUE(listener.listen("channel", limit));
    const auto before = std::chrono::steady_clock::now();
    EXPECT_TRUE(listener.poll_notifications(limit).value().empty());
    std::jthread waker([&] { listener.wake(); });
    EXPECT_TRUE(listener.poll_notifications(limit).value().empty());
    EXPECT_LT(std::chrono::steady_clock::now() - before, limit) << "it was the limit that ended the wait";
}

TEST_F(PostgresOpening, AListenerWhoseSessionEndsIsTold) {
    PgConnection listener;
    ASSERT_TRUE(listener.open(parse_postgres_url(schema->url()).value(), limit));
    ASSERT_TRUE(listener.listen("channel", limit));
    schema->exec("select pg_terminate_backend(" + std::to_string(listener.backend_pid()) + ")");
    const auto done = listener.poll_notifications(limit);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, PgFault::connection_lost);
    EXPECT_FALSE(listener.is_open());
    EXPECT_FALSE(listener.poll_notifications(limit));
    EXPECT_FALSE(listener.listen("channel", limit));
}

}  // namespace
}  // namespace pawl::store
