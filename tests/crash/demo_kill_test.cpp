// The demonstration's worker is killed with -9 after every entry of its task's journal. What the demonstration says of
// itself is looked at once more from outside, where that is cheap: in the folder that it leaves.
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace pawl::crash {
namespace {

namespace fs = std::filesystem;

class DemoKilled : public testing::Test {
protected:
    test::ProcessResult demo(const std::string& kill_at, std::vector<std::string> environment = {},
                             const std::vector<std::string>& more = {}) const {
        environment.push_back("TMPDIR=" + folder_.path());
        environment.push_back("OPENAI_BASE_URL=");  // the scripted stand-in, also where a real one is configured
        std::vector<std::string> argv{PAWL_BINARY, "demo", "--keep", "--kill-at", kill_at};
        argv.insert(argv.end(), more.begin(), more.end());
        return test::run(argv, {}, {environment, {}});
    }
    /// What each run left.
    std::vector<fs::path> sandboxes() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(folder_.path()))
            if (fs::exists(entry.path() / "ledger")) found.push_back(entry.path());
        return found;
    }
    static int starts_of(const fs::path& sandbox, const std::string& tool) {
        std::ifstream ledger(sandbox / "ledger");
        int starts = 0;
        for (std::string line; std::getline(ledger, line);) starts += line.starts_with(tool + " ") ? 1 : 0;
        return starts;
    }
    static int times_cleaned(const fs::path& sandbox) {
        return static_cast<int>(std::ranges::count_if(fs::directory_iterator(sandbox), [](const auto& entry) {
            return entry.path().filename().string().starts_with("removed-");
        }));
    }

    void expect_every_point_ok(const test::ProcessResult& done) const {
        EXPECT_EQ(done.exit, 0) << done.out << done.err;
        EXPECT_EQ(done.out.find("FAILED"), std::string::npos) << done.out;
        EXPECT_NE(done.out.find("kill after entry 10 since its claim (no. 11): completed"), std::string::npos)
            << done.out;
        EXPECT_NE(done.out.find("points: resumed and completed"), std::string::npos) << done.out;
        EXPECT_GE(sandboxes().size(), 11u) << "ten points and the run that none of them cut";
        for (const fs::path& sandbox : sandboxes()) EXPECT_EQ(times_cleaned(sandbox), 1) << sandbox;
    }

private:
    test::TempFolder folder_;
};

TEST_F(DemoKilled, AtEveryEntryCompletesAndCleansOnce) { expect_every_point_ok(demo("every")); }

// After its intent the worker lives on for half of that time: it dies while clean_logs sleeps.
TEST_F(DemoKilled, AtEveryEntryWithASleepingToolCompletesAndCleansOnce) {
    expect_every_point_ok(demo("every", {"PAWL_DEMO_CLEAN_DELAY_MS=400"}));
}

TEST_F(DemoKilled, WhileItsToolSleepsEndsThatToolBeforeItStartsAnother) {
    constexpr const char* intent_of_clean_logs = "5";
    const auto done = demo(intent_of_clean_logs, {"PAWL_DEMO_CLEAN_DELAY_MS=1000"});
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    EXPECT_NE(done.out.find("step_unknown  clean_logs#1"), std::string::npos) << done.out;
    ASSERT_EQ(sandboxes().size(), 1u);
    EXPECT_EQ(starts_of(sandboxes().front(), "clean_logs"), 2) << "the first one was not on its way when it was cut";
    EXPECT_EQ(times_cleaned(sandboxes().front()), 1) << "both had their effect";
}

TEST_F(DemoKilled, AfterItsEndIsNoProof) {
    const auto done = demo("999");
    EXPECT_EQ(done.exit, 2) << done.out << done.err;
    EXPECT_NE(done.err.find("resuming was not checked"), std::string::npos) << done.err;
}

TEST_F(DemoKilled, ReportsAsJsonOnRequest) {
    const auto done = demo("8", {}, {"--json"});
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    const auto report = boost::json::parse(done.out).as_object();
    EXPECT_TRUE(report.at("ok").as_bool());
    const auto& point = report.at("points").as_array().at(0).as_object();
    EXPECT_EQ(point.at("kill_at").as_int64(), 8);
    EXPECT_EQ(point.at("entry_no").as_int64(), 9);
    EXPECT_TRUE(point.at("killed").as_bool());
    EXPECT_GE(point.at("findings").as_array().size(), 5u);
}

TEST_F(DemoKilled, WithItsToolNotYetStartedStartsItOnce) {
    const auto done = demo("5");
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    ASSERT_EQ(sandboxes().size(), 1u);
    EXPECT_EQ(starts_of(sandboxes().front(), "clean_logs"), 1) << "it ran though its worker had died before";
}

}  // namespace
}  // namespace pawl::crash
