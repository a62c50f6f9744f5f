// Workers that die and a server that restarts: nothing is lost, no recorded step is executed again (spec section 1).
#include "e2e/cli.hpp"
#include "support/postgres.hpp"

#include <csignal>
#include <fstream>
#include <map>

namespace pawl::crash {
namespace {

class PostgresKill : public e2e::CliTest {
protected:
    PostgresKill() : CliTest(InMemory()) { write("ledger", ""); }

    std::vector<std::string> program(const std::string& url, std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {CRASH_PROGRAM, "--store", url});
        return verb;
    }
    test::Surroundings surroundings(int crash_after = 0) const {
        test::Surroundings made{{"PAWL_LEDGER=" + path("ledger")}, {}};
        if (crash_after > 0) made.environment.push_back("PAWL_CRASH_AFTER_ENTRY=" + std::to_string(crash_after));
        return made;
    }
    test::ProcessResult run(const std::string& url, std::vector<std::string> verb) const {
        return test::run(program(url, std::move(verb)), {}, surroundings());
    }
    std::size_t count(const std::string& url, const std::string& state) const {
        const auto done = run(url, {"doctor", "--json"});
        EXPECT_EQ(done.exit, 0) << done.out << done.err;
        return static_cast<std::size_t>(parse(done.out).at("tasks").as_object().at(state).to_number<std::int64_t>());
    }
    /// How often each step of each task was executed, by its key.
    std::map<std::string, int> executions() const {
        std::map<std::string, int> lines;
        std::ifstream in(path("ledger"));
        for (std::string line; std::getline(in, line);) ++lines[line];
        return lines;
    }
    static bool is_once(const std::string& line) { return line.starts_with("once "); }
};

TEST_F(PostgresKill, AWorkerMayDieAfterAnyEntry) {
    PAWL_NEEDS_POSTGRES();
    const test::TestSchema schema;
    for (int entry = 2; entry <= 12; ++entry) {
        SCOPED_TRACE("killed after entry " + std::to_string(entry));
        write("ledger", "");
        const auto submitted = run(schema.url(), {"submit", "steps", "0"});
        ASSERT_EQ(submitted.exit, 0) << submitted.err;
        const std::string id = submitted.out.substr(0, submitted.out.find('\n'));
        const auto killed = test::run(program(schema.url(), {"worker"}), {}, surroundings(entry));
        ASSERT_EQ(killed.exit, 128 + SIGKILL) << killed.err;
        ASSERT_EQ(run(schema.url(), {"worker", "--until-idle"}).exit, 0);
        const auto result = run(schema.url(), {"result", id});
        EXPECT_EQ(result.exit, 0) << result.err << run(schema.url(), {"events", id}).out;
        EXPECT_EQ(result.out, "23\n");
        int repeated = 0;
        for (const auto& [line, times] : executions()) {
            repeated += times - 1;
            if (is_once(line)) { EXPECT_EQ(times, 1) << line; }
        }
        EXPECT_LE(repeated, 2) << "at most the branches that were under way";
    }
}

// A server that stops without a shutdown, again and again, while three workers are at work.
TEST_F(PostgresKill, ARestartOfTheServerTakesNoTaskFromItsWorker) {
    PAWL_NEEDS_POSTGRES();
    const test::TestCluster cluster;
    constexpr std::size_t tasks = 2'000;
    std::string bulk;
    for (std::size_t i = 0; i < tasks; ++i) bulk += "{\"type\":\"steps\",\"input\":0}\n";
    write("bulk", bulk);
    ASSERT_EQ(run(cluster.url(), {"submit", "--bulk", path("bulk")}).exit, 0);
    std::vector<std::unique_ptr<test::Background>> workers;
    for (int i = 0; i < 3; ++i) {
        workers.push_back(
            std::make_unique<test::Background>(program(cluster.url(), {"worker", "--until-idle"}), surroundings()));
    }
    std::size_t completed = 0;
    for (int restart = 0; restart < 3; ++restart) {
        const std::size_t before = completed;
        while (completed < tasks && completed <= before) completed = count(cluster.url(), "completed");
        ASSERT_TRUE(cluster.stop(restart == 0 ? "fast" : "immediate"));
        ASSERT_TRUE(cluster.start());
    }
    for (const auto& worker : workers) {
        const auto ended = worker->wait();
        EXPECT_EQ(ended.exit, 0) << ended.out;
    }
    EXPECT_EQ(count(cluster.url(), "completed"), tasks);
    EXPECT_EQ(run(cluster.url(), {"events"}).out.find("taken_over"), std::string::npos) << "nobody had died";
    std::size_t once = 0;
    for (const auto& [line, times] : executions()) {
        EXPECT_EQ(times, 1) << line << ": its result was kept over the restart";
        once += is_once(line) ? 1 : 0;
    }
    EXPECT_EQ(once, tasks);
}

}  // namespace
}  // namespace pawl::crash
