// A connection through a pooler that may give each transaction another session.
#include "store/postgres/connection.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace pawl::store {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 60s;  // never reached: where it is, the test has failed

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// What makes a pooler one to its clients: the process it tells is not the session's. Passes on one connection.
class StandInPooler {
public:
    explicit StandInPooler(int server_port) : server_port_(server_port) {
        auto address = loopback(0);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(listening_, 1), 0);
        EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this] { pass_on(); });
    }
    ~StandInPooler() {
        ::shutdown(listening_, SHUT_RDWR);
        thread_.join();
        ::close(listening_);
    }
    int port() const { return port_; }

private:
    void pass_on() const {
        const int client = ::accept(listening_, nullptr, nullptr);
        if (client < 0) return;
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(server_port_);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            while (step(client, server)) {}
        }
        ::close(server);
        ::close(client);
    }

    static bool step(int client, int server) {
        pollfd entries[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (::poll(entries, 2, -1) < 0) return false;
        if (entries[0].revents != 0 && !copy(client, server, false)) return false;
        return entries[1].revents == 0 || copy(server, client, true);
    }

    static bool copy(int from, int to, bool is_from_server) {
        std::string bytes(1 << 16, '\0');
        const ssize_t size = ::recv(from, bytes.data(), bytes.size(), 0);
        if (size <= 0) return false;
        bytes.resize(static_cast<std::size_t>(size));
        // BackendKeyData: its kind, its length of 12, the process, the key.
        const std::size_t at = is_from_server ? bytes.find(std::string_view("K\0\0\0\x0c", 5)) : std::string::npos;
        if (at != std::string::npos && at + 8 < bytes.size()) bytes[at + 8] = static_cast<char>(bytes[at + 8] ^ 1);
        return ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL) == size;
    }

    int server_port_;
    int listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port_ = 0;
    std::jthread thread_;
};

class PostgresPooled : public ::testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        schema.emplace();
        PostgresUrl url = parse_postgres_url(schema->url() + "&sslmode=disable").value();
        pooler.emplace(std::stoi(url.hosts[0].port));
        url.hosts[0].port = std::to_string(pooler->port());
        const auto done = connection.open(url, limit, {{"lock_timeout", "250"}});
        ASSERT_TRUE(done) << done.error().message;
    }
    void TearDown() override { connection.close(); }

    std::string in(PgPipeline& pipeline, const std::string& query) {
        std::string found;
        pipeline.add_text("query", query, [&found](PgRows& rows) { found = rows.text(0, 0); });
        const auto done = pipeline.run(limit);
        EXPECT_TRUE(done) << done.error().message;
        return found;
    }

    std::optional<test::TestSchema> schema;
    std::optional<StandInPooler> pooler;
    PgConnection connection;
};

TEST_F(PostgresPooled, APoolerIsToldByTheProcessThatItMakesUp) {
    EXPECT_TRUE(connection.is_pooled());
    const auto listening = connection.listen("channel", limit);
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().fault, PgFault::other);
    EXPECT_TRUE(connection.is_open());
}

TEST_F(PostgresPooled, SettingsGoWithEachTransactionAndStayInNoSession) {
    const std::string query = "select concat_ws(' ', current_setting('lock_timeout'), current_setting('search_path'))";
    const std::string ours = "250ms \"" + schema->name() + "\", pg_temp";
    PgPipeline pipeline(connection);
    pipeline.begin("begin isolation level repeatable read");
    EXPECT_EQ(in(pipeline, query), ours);
    EXPECT_EQ(in(pipeline, query), ours) << "the transaction goes on";
    EXPECT_EQ(in(pipeline, "select current_setting('transaction_isolation')"), "repeatable read");
    pipeline.commit();
    ASSERT_TRUE(pipeline.run(limit));
    EXPECT_EQ(in(pipeline, query), ours) << "a pipeline without begin is a transaction, too";
    ASSERT_TRUE(connection.exec("create table thing(setting text); insert into thing " + query, limit));
    EXPECT_EQ(schema->value("select setting from thing"), ours);

    // The session itself keeps nothing that its next user would find: looked at once our transaction has ended.
    const std::string kept = schema->name() + ".kept";
    const auto done = connection.exec(
        "commit; create table " + kept + " as select current_setting('lock_timeout') as setting", limit);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(schema->value("select setting from kept"), "0");
}

TEST_F(PostgresPooled, NothingIsPreparedInASession) {
    static const PgStatement sum{"test_sum", "select $1::int8 + $2::int8"};
    for (int i = 0; i < 3; ++i) {
        const auto rows = connection.query(sum, PgParameters().int8(i).int8(1), limit);
        ASSERT_TRUE(rows) << rows.error().message;
        EXPECT_EQ(rows->integer(0, 0), i + 1);
    }
    PgPipeline pipeline(connection);
    EXPECT_EQ(in(pipeline, "select count(*)::text from pg_prepared_statements"), "0");
}

}  // namespace
}  // namespace pawl::store
