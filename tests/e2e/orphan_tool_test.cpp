// A tool outlives its worker, and then its task is ended: no claim comes to look, and still the tool dies and the
// journal says what is known of its step.
#include "e2e/cli.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
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

    /// Everything here is that user's from now on; but the tool goes on as ours, whom it may not signal.
    void give_to_nobody() const {
        const std::filesystem::path folder = std::filesystem::path(file()).parent_path();
        ASSERT_EQ(::chown(folder.c_str(), nobody, nobody), 0);
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            ASSERT_EQ(::chown(entry.path().c_str(), nobody, nobody), 0);
    }
    test::ProcessResult as_nobody(std::vector<std::string> verb) const {
        std::vector<std::string> all = words(std::move(verb));
        const std::string uid = std::to_string(nobody);
        all.insert(all.begin(), {"setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"});
        return test::run(all);
    }

    static constexpr uid_t nobody = 65'534;
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

TEST_F(OrphanTool, ThatCannotBeEndedPausesItsTaskAndHoldsUpNoOther) {
    if (::geteuid() != 0 || !test::is_installed("setpriv")) GTEST_SKIP() << "needs root and setpriv";
    start_tool();
    kill_worker();
    give_to_nobody();
    if (as_nobody({"--version"}).exit != 0) GTEST_SKIP() << "the binary cannot be run by another user";

    const auto other = as_nobody({"submit", "echo", R"("hello")"});
    EXPECT_EQ(other.exit, 0) << "the file opens: " << other.err;
    const auto worked = as_nobody({"worker", "--until-idle"});
    EXPECT_EQ(worked.exit, 0) << worked.err;

    EXPECT_TRUE(tool_is_alive()) << "there was something that could not be ended";
    EXPECT_EQ(as_nobody({"result", other.out.substr(0, other.out.find('\n'))}).exit, 0);
    const std::string why = as_nobody({"why", id_}).out;
    EXPECT_NE(why.find("cannot be ended and may still be at work"), std::string::npos) << why;
    EXPECT_NE(as_nobody({"get", id_, "--json"}).out.find(R"("reason":"outcome_unknown")"), std::string::npos);
    ::kill(-tool_, SIGKILL);
}

}  // namespace
}  // namespace pawl::e2e
