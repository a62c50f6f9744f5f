// The command line on PostgreSQL: every verb takes --store, any number of processes work one store.
#include "e2e/cli.hpp"
#include "support/postgres.hpp"

#include <csignal>

namespace pawl::e2e {
namespace {

class PostgresCli : public CliTest {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        schema_ = std::make_unique<test::TestSchema>();
    }
    std::vector<std::string> on(std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {PAWL_BINARY, "--store", schema_->url()});
        return verb;
    }
    test::ProcessResult run(std::vector<std::string> verb) const { return test::run(on(std::move(verb))); }
    std::string submitted(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "submit");
        const auto done = run(std::move(arguments));
        EXPECT_EQ(done.exit, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    }
    boost::json::object answer(std::vector<std::string> verb, int exit = 0) const {
        verb.emplace_back("--json");
        const auto done = run(std::move(verb));
        EXPECT_EQ(done.exit, exit) << done.out << done.err;
        return parse(done.out);
    }
    std::unique_ptr<test::Background> start_worker(std::vector<std::string> options = {}) const {
        options.insert(options.begin(), "worker");
        auto worker = std::make_unique<test::Background>(on(std::move(options)));
        EXPECT_NE(worker->wait_for_line("working"), "");
        return worker;
    }
    static std::string password_of(const std::string& url) {
        const std::size_t colon = url.find(':', url.find("://") + 3);
        return url.substr(colon + 1, url.find('@') - colon - 1);
    }

    std::unique_ptr<test::TestSchema> schema_;
};

TEST_F(PostgresCli, ATaskGoesFromSubmitToItsResult) {
    const std::string id = submitted({"echo", R"({"n":10000000000000000000000001,"nul":"\u0000"})", "--key", "k"});
    EXPECT_EQ(submitted({"echo", R"({"n":10000000000000000000000001,"nul":"\u0000"})", "--key", "k"}), id);
    EXPECT_EQ(run({"submit", "echo", "2", "--key", "k"}).exit, 2);
    EXPECT_EQ(answer({"why", id}).at("reason").as_string(), "no_worker");
    EXPECT_EQ(run({"worker", "--until-idle"}).exit, 0);
    EXPECT_EQ(run({"result", id}).out, "{\"n\":10000000000000000000000001,\"nul\":\"\\u0000\"}\n");
    EXPECT_EQ(answer({"get", id.substr(0, 20)}).at("state").as_string(), "completed");
    EXPECT_NE(run({"events"}).out.find("completed"), std::string::npos);
    EXPECT_EQ(run({"cancel", id}).exit, 2) << "it is final";
    EXPECT_EQ(answer({"doctor"}).at("ok").as_bool(), true);
}

TEST_F(PostgresCli, WorkersShareTheTasksAndOtherVerbsNeedNoneOfThem) {
    std::string bulk;
    for (int i = 0; i < 40; ++i) bulk += "{\"type\":\"echo\",\"input\":" + std::to_string(i) + "}\n";
    write("bulk", bulk);
    const auto first = start_worker();
    const auto second = start_worker({"--types", "echo,sleep"});
    EXPECT_EQ(answer({"doctor"}).at("workers").as_array().size(), 2u);
    EXPECT_EQ(run({"submit", "--bulk", path("bulk")}).exit, 0);
    const std::string last = submitted({"sleep", R"({"seconds": 0.1})"});
    EXPECT_EQ(run({"result", "--wait", last}).exit, 0);
    EXPECT_EQ(run({"worker", "--until-idle"}).exit, 0);
    EXPECT_EQ(answer({"list", "--state", "completed"}).at("tasks").as_array().size(), 41u);
    first->signal(SIGTERM);
    EXPECT_EQ(first->wait().exit, 0);
    EXPECT_EQ(answer({"doctor"}).at("workers").as_array().size(), 1u) << "who leaves says so";
}

TEST_F(PostgresCli, ACancelReachesTheProcessThatRunsTheTask) {
    const auto worker = start_worker();
    const std::string id = submitted({"command", R"({"argv":["sleep","1000"]})"});
    while (answer({"get", id}).at("state").as_string() != "running") {}
    EXPECT_EQ(run({"cancel", id}).exit, 0);
    EXPECT_EQ(run({"result", "--wait", id}).exit, 7);
    EXPECT_EQ(answer({"get", id}).at("state").as_string(), "cancelled");
}

TEST_F(PostgresCli, AKilledWorkersTasksAreTakenOverByAnother) {
    const auto first = start_worker({"--concurrency", "5"});
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(submitted({"command", R"({"argv":["sleep","1000"]})"}));
    for (const std::string& id : ids)
        while (answer({"get", id}).at("state").as_string() != "running") {}
    const auto second = start_worker();
    first->signal(SIGKILL);
    for (const std::string& id : ids) {
        EXPECT_EQ(run({"result", "--wait", id}).exit, 8) << "its command is not repeated by itself";
        EXPECT_NE(run({"events", id}).out.find("taken_over"), std::string::npos);
        EXPECT_EQ(answer({"get", id}).at("reason").as_string(), "outcome_unknown");
    }
}

TEST_F(PostgresCli, ATaskOfAUsersTransactionIsSeenOperatedOnAndWorked) {
    submitted({"echo", "0"});
    const auto psql = [&](const std::string& script) {
        return test::run(
            {"psql", "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", script, *test::test_postgres_url()});
    };
    const auto submit = [&](const std::string& arguments) {
        const auto done = psql("begin; create table if not exists " + schema_->name() + ".mine(x int); select " +
                               schema_->name() + ".pawl_submit(" + arguments + "); commit");
        EXPECT_EQ(done.exit, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    };
    const std::string id = submit(R"('echo', '{"n":1}', key => 'k')");
    const std::string other = submit("'echo', '2', queue => 'q', delay => '1 hour'");

    EXPECT_NE(run({"get", id}).out.find("pending"), std::string::npos);
    EXPECT_EQ(answer({"get", id.substr(0, 20)}).at("state").as_string(), "pending") << "by the start of its id";
    const auto why = answer({"why", id});
    EXPECT_EQ(why.at("reason").as_string(), "no_worker");
    EXPECT_NE(run({"why", id}).out.find("waits to be taken in"), std::string::npos) << run({"why", id}).out;
    EXPECT_EQ(answer({"list"}).at("tasks").as_array().size(), 3u);
    EXPECT_EQ(run({"events", id}).exit, 0);
    EXPECT_EQ(submitted({"echo", R"({ "n": 1.0 })", "--key", "k"}), id) << "a client finds its key";
    EXPECT_EQ(run({"submit", "echo", "3", "--key", "k"}).exit, 2);
    EXPECT_EQ(run({"cancel", other}).exit, 0);
    EXPECT_EQ(answer({"get", other}).at("state").as_string(), "cancelled");
    const auto reused = psql("select " + schema_->name() + ".pawl_submit('echo', '3', key => 'k')");
    EXPECT_NE(reused.err.find(id), std::string::npos) << reused.err;

    const auto worker = start_worker();
    const std::string third = submit("'echo', '[3]'");
    EXPECT_EQ(run({"result", "--wait", third}).out, "[3]\n");
    EXPECT_EQ(run({"result", "--wait", id}).out, "{\"n\":1}\n");
    EXPECT_EQ(answer({"doctor"}).at("ok").as_bool(), true);
}

TEST_F(PostgresCli, OneStoreIsNamedAndItMustBeThere) {
    expect_refused(test::run({PAWL_BINARY, "--db", file(), "--store", schema_->url(), "list"}), 2, "--db and --store");
    expect_refused(test::run({PAWL_BINARY, "--store", "mysql://x/y", "list"}), 2, "mysql://...");
    EXPECT_EQ(run({"list"}).exit, 3) << "nobody has made the tables";
    submitted({"echo", "1"});
    EXPECT_EQ(run({"backup", path("copy")}).exit, 2) << "it has no file";
}

TEST_F(PostgresCli, BadUrlsAndServersGetOneLineWithoutThePassword) {
    const std::string password = password_of(schema_->url());
    const auto expect_line = [&](const std::string& url, int exit, const std::string& part) {
        const auto done = test::run({PAWL_BINARY, "--store", url, "submit", "echo", "1"});
        EXPECT_EQ(done.exit, exit) << done.err;
        EXPECT_NE(done.err.find(part), std::string::npos) << done.err;
        EXPECT_EQ(done.err.find(password), std::string::npos) << done.err;
        EXPECT_EQ(done.err.find("hunter2"), std::string::npos) << done.err;
    };
    expect_line(schema_->url_with(password, "hunter2"), 2, "password");
    expect_line(schema_->url_with("/pawl_test", "/nowhere"), 2, "nowhere");
    expect_line("postgres://pawl:hunter2@127.0.0.1:1/x", 9, "127.0.0.1");
    expect_line(schema_->url() + "&sslmod=require", 2, "sslmod");
    schema_->exec("create schema if not exists " + schema_->name() + "; create table " + schema_->name() +
                  ".meta(x int)");
    expect_line(schema_->url(), 2, "not Pawl's");
}

TEST_F(PostgresCli, TablesOfANewerPawlAreLeftAlone) {
    submitted({"echo", "1"});
    schema_->exec("update " + schema_->name() + ".meta set min_writer = 99");
    expect_refused(run({"submit", "echo", "2"}), 9, "newer Pawl");
    EXPECT_EQ(answer({"list"}).at("tasks").as_array().size(), 1u) << "it may be read";
    schema_->exec("update " + schema_->name() + ".meta set min_reader = 99");
    expect_refused(run({"list"}), 9, "newer Pawl");
}

}  // namespace
}  // namespace pawl::e2e
