#include "support/postgres.hpp"

#include "store/postgres/connection.hpp"

#include <gtest/gtest.h>

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pawl::test {
namespace {

using namespace std::chrono_literals;

constexpr auto limit = 60s;

std::string next_name() {
    static std::atomic<int> count{0};
    return "pawl_test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
}

bool open(store::PgConnection& connection, const std::string& url) {
    const auto parsed = store::parse_postgres_url(url);
    EXPECT_TRUE(parsed) << parsed.error().message;
    if (!parsed) return false;
    const auto opened = connection.open(*parsed, limit);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened.has_value();
}

}  // namespace

std::optional<std::string> test_postgres_url() {
    const char* url = std::getenv("PAWL_TEST_POSTGRES");
    if (!url || !*url) return std::nullopt;
    return url;
}

std::optional<std::string> ask_postgres(const std::string& url, const std::string& query) {
    store::PgConnection connection;
    const auto opened = connection.open(store::parse_postgres_url(url).value(), limit);
    if (!opened) return std::nullopt;
    std::string found;
    store::PgPipeline pipeline(connection);
    const std::string as_text = "select (" + query + ")::text";
    pipeline.add_text("value", as_text, [&](store::PgRows& rows) { found = rows.text(0, 0); });
    const auto done = pipeline.run(limit);
    if (!done && done.error().fault == store::PgFault::connection_lost) return std::nullopt;
    EXPECT_TRUE(done) << query << ": " << done.error().message;
    return found;
}

TestSchema::TestSchema() : name_(next_name()) {
    url_ = test_postgres_url().value_or("postgres://");
    url_ += (url_.find('?') == std::string::npos ? "?schema=" : "&schema=") + name_;
    exec("drop schema if exists " + name_ + " cascade; create schema " + name_);
}

TestSchema::~TestSchema() {
    // A connection that a test left open may hold a lock on what is to go: it is ended.
    exec(
        "select pg_terminate_backend(pid) from pg_locks join pg_class on pg_class.oid = relation join pg_namespace n "
        "on "
        "n.oid = relnamespace where nspname = '" +
        name_ +
        "' and pid <> pg_backend_pid(); "
        "set lock_timeout = '30s'; drop schema if exists " +
        name_ + " cascade");
}

std::string TestSchema::url_with(const std::string& part, const std::string& other) const {
    std::string changed = url_;
    const std::size_t at = changed.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    if (at != std::string::npos) changed.replace(at, part.size(), other);
    return changed;
}

void TestSchema::exec(const std::string& script) const {
    store::PgConnection connection;
    if (!open(connection, url_)) return;
    const auto done = connection.exec(script, limit);
    EXPECT_TRUE(done) << done.error().message;
}

std::string TestSchema::value(const std::string& query) const {
    store::PgConnection connection;
    std::string found;
    if (!open(connection, url_)) return found;
    store::PgPipeline pipeline(connection);
    const std::string as_text = "select (" + query + ")::text";
    pipeline.add_text("value", as_text, [&](store::PgRows& rows) { found = rows.text(0, 0); });
    const auto done = pipeline.run(limit);
    EXPECT_TRUE(done) << done.error().message;
    return found;
}

TestCluster::TestCluster(const std::string& command, const std::string& argument) {
    make_folder();
    start_first(command, argument);
}

TestCluster::TestCluster(OnDisk what, const std::string& size) {
    make_folder();
    const std::string wal = dir_ + "/wal";
    const std::string small = what == OnDisk::data ? data() : wal;
    std::filesystem::create_directory(small);
    disk_.emplace(small, size);
    if (!disk_->is_mounted()) {
        disk_.reset();
        return;
    }
    start_first("start_postgres", "--wal-segsize=1 '--waldir=" + wal + "'");
}

void TestCluster::make_folder() {
    const char* parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    dir_ = std::string(parent) + "/pawl-postgres." + next_name();
    // By its owner ./dev finds the cluster of a test that crashed, and ends it.
    std::filesystem::create_directory(dir_);
    std::ofstream(dir_ + "/owner") << ::getpid() << "\n";
}

void TestCluster::start_first(const std::string& command, const std::string& argument) {
    EXPECT_TRUE(run(command, argument));
    std::ifstream(dir_ + "/url") >> url_;
    EXPECT_FALSE(url_.empty());
}

TestCluster::~TestCluster() {
    if (disk_) {
        (void)stop("immediate");
        disk_.reset();
    }
    EXPECT_TRUE(run("stop_postgres"));
}

std::string TestCluster::said() const {
    std::ifstream log(dir_ + "/log");
    return {std::istreambuf_iterator<char>(log), {}};
}

void TestCluster::kill() const {
    std::ifstream in(data() + "/postmaster.pid");
    pid_t pid = 0;
    in >> pid;
    ASSERT_GT(pid, 1);
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
    // While it is still there, be it as a zombie, pg_ctl takes it for running.
    while (::kill(pid, 0) == 0) ::sched_yield();
}

bool TestCluster::start_pooler() {
    if (!run("start_pooler")) return false;
    std::ifstream(dir_ + "/pooler_url") >> pooler_url_;
    return !pooler_url_.empty();
}

bool TestCluster::run(const std::string& command, const std::string& argument) const {
    const std::string line = PAWL_SOURCE_DIR "/tools/dev/postgres.sh " + command + " '" + dir_ + "' " + argument;
    return std::system((line + " >/dev/null").c_str()) == 0;
}

}  // namespace pawl::test
