// The PostgreSQL server that the tests share, and a schema in it for one test alone.
#pragma once

#include "support/small_disk.hpp"

#include <optional>
#include <string>

namespace pawl::test {

/// Where the server is, with the password: what `./dev test` sets in PAWL_TEST_POSTGRES. Its user is a superuser.
std::optional<std::string> test_postgres_url();

/// The first column of the first row, as text; nothing when the server is away. Fails the test for any other error.
std::optional<std::string> ask_postgres(const std::string& url, const std::string& query);

/// Skips the test, and says why, where there is no server.
#define PAWL_NEEDS_POSTGRES()               \
    if (!::pawl::test::test_postgres_url()) \
    GTEST_SKIP() << "no PostgreSQL: PAWL_TEST_POSTGRES is not set (./dev test does)"

/// An empty schema with a name of its own, dropped at the end. Requires: test_postgres_url().
class TestSchema {
public:
    TestSchema();
    ~TestSchema();
    TestSchema(const TestSchema&) = delete;
    TestSchema& operator=(const TestSchema&) = delete;

    const std::string& name() const { return name_; }
    /// The server's URL with `schema=` of this one.
    const std::string& url() const { return url_; }
    /// The same with another part in place of one that is there, e.g. the user's name.
    std::string url_with(const std::string& part, const std::string& other) const;
    /// Runs a script on a connection of its own, as the superuser; fails the test when that fails.
    void exec(const std::string& script) const;
    /// The first column of the first row; fails the test when there is none.
    std::string value(const std::string& query) const;

private:
    std::string name_;
    std::string url_;
};

/// A whole server of one test's own, to be set up wrongly, stopped and killed; takes about a second to start.
class TestCluster {
public:
    TestCluster() : TestCluster("start_postgres") {}
    /// A server that follows `primary`, which from now on confirms no commit without it.
    static TestCluster standby_of(const TestCluster& primary) {
        return TestCluster("start_standby", "'" + primary.dir_ + "'");
    }
    /// Its tables, or its log of writes, on a file system of `size`. It has no disk() where none can be mounted.
    enum class OnDisk : bool { data, wal };
    TestCluster(OnDisk what, const std::string& size);
    ~TestCluster();
    TestCluster(const TestCluster&) = delete;
    TestCluster& operator=(const TestCluster&) = delete;

    /// With the password; the port stays over restarts.
    const std::string& url() const { return url_; }
    const SmallDisk* disk() const { return disk_ ? &*disk_ : nullptr; }
    /// What the server has said.
    std::string said() const;
    /// Its data directory.
    std::string data() const { return dir_ + "/data"; }
    bool start() const { return run("start_postgres"); }
    /// `mode` as of pg_ctl: smart, fast or immediate (no shutdown checkpoint, like a crash).
    bool stop(const std::string& mode) const { return run("halt_postgres", mode); }
    /// SIGKILL to the server's first process: the others then end by themselves.
    void kill() const;
    /// Of a standby: from now on it is a server of its own.
    bool promote() const { return run("promote_postgres"); }

    /// A pgbouncer in transaction mode before it; the port stays when it is started again.
    bool start_pooler();
    bool stop_pooler() const { return run("stop_pooler"); }
    const std::string& pooler_url() const { return pooler_url_; }

private:
    explicit TestCluster(const std::string& command, const std::string& argument = {});
    void make_folder();
    void start_first(const std::string& command, const std::string& argument);
    bool run(const std::string& command, const std::string& argument = {}) const;

    std::string dir_;
    std::string url_;
    std::string pooler_url_;
    std::optional<SmallDisk> disk_;
};

}  // namespace pawl::test
