// A tool outlives its worker, and then its task is ended: no claim comes to look, and still the tool dies and the
// journal says what is known of its step.
#include "e2e/cli.hpp"

#include <sys/stat.h>

#include <csignal>
#include <fstream>

namespace pawl::e2e {
namespace {

class OrphanTool : public CliTest {
protected:
    void SetUp() override { ASSERT_EQ(::mkfifo(path("started").c_str(), 0600), 0); }

    /// A tool that ends only by being killed, started by a worker on the file.
    void start_tool(std::vector<std::string> options = {}) {
        worker_ = std::make_unique<test::Background>(words({"worker"}));
        ASSERT_NE(worker_->wait_for_line("working"), "");
        options.insert(options.begin(), {"command", R"({"argv": ["/bin/sh", "-c", "trap '' TERM; echo $$ > )" +
                                                        path("started") + R"(; exec sleep 301"], "effect": "once"})"});
        id_ = submit(std::move(options));
        std::ifstream(path("started")) >> tool_;
        ASSERT_GT(tool_, 1);
    }
    void kill_worker() {
        worker_->signal(SIGKILL);
        worker_->wait();
        EXPECT_TRUE(tool_is_alive()) << "it outlives its worker: there is something to end";
    }
    bool tool_is_alive() const {
        std::ifstream in("/proc/" + std::to_string(tool_) + "/stat");
        std::string number, name, state;
        in >> number >> name >> state;
        return in && state != "Z";
    }
    int entries(const std::string& kind) const {
        const std::string journal = pawl({"events", id_, "--json"}).out;  // an entry a line
        const std::string part = "\"kind\":\"" + kind + "\"";
        int count = 0;
        for (std::size_t at = 0; (at = journal.find(part, at)) != std::string::npos; ++at) ++count;
        return count;
    }

    std::unique_ptr<test::Background> worker_;
    std::string id_;
    pid_t tool_ = -1;
};

TEST_F(OrphanTool, DiesWithTheVerbThatEndsItsTaskAndItsStepIsUnknown) {
    start_tool();
    kill_worker();
    EXPECT_EQ(pawl({"cancel", id_}).exit, 0);
    EXPECT_FALSE(tool_is_alive());
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
    EXPECT_EQ(json({"get", id_}).at("state").as_string(), "cancelled");
    EXPECT_EQ(entries("step_unknown"), 1);
    EXPECT_NE(pawl({"why", id_}).out.find("may or may not have happened"), std::string::npos);
}

TEST_F(OrphanTool, DiesWhenItsTaskWasBeingEndedAsTheWorkerDied) {
    start_tool({"--deadline", "4s"});
    test::Background follow(words({"events", "-f", id_}));
    ASSERT_NE(follow.wait_for_line("ending"), "");
    kill_worker();
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
    EXPECT_FALSE(tool_is_alive());
    const auto task = json({"get", id_});
    EXPECT_EQ(task.at("state").as_string(), "failed");
    EXPECT_EQ(task.at("reason").as_string(), "deadline");
    EXPECT_EQ(entries("step_unknown"), 1);
    EXPECT_NE(pawl({"why", id_}).out.find("may or may not have happened"), std::string::npos);
}

}  // namespace
}  // namespace pawl::e2e
