// A handler that kills its process: paused as poison after its limit, beside neighbours that complete. And the death,
// the cancel and the stop of a process in the middle of a step that blocks on a local of its workflow.
#include "e2e/cli.hpp"

#include <csignal>

namespace pawl::crash {
namespace {

constexpr int deaths_max = 20;  // far more than any of these tests needs

class CrashProgram : public e2e::CliTest {
protected:
    CrashProgram() : CliTest(InMemory()) { write("ledger", ""); }

    std::vector<std::string> program(std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {CRASH_PROGRAM, "--db", file()});
        return verb;
    }
    test::Surroundings surroundings() const { return {{"PAWL_LEDGER=" + path("ledger")}, {}}; }
    test::ProcessResult work() const { return test::run(program({"worker", "--until-idle"}), {}, surroundings()); }
    std::string state(const std::string& id) const { return std::string(json({"get", id}).at("state").as_string()); }
    std::string reason(const std::string& id) const { return std::string(json({"get", id}).at("reason").as_string()); }

    /// A worker whose step `blocking` is on its way.
    std::unique_ptr<test::Background> start_blocked() const {
        auto worker = std::make_unique<test::Background>(program({"worker"}), surroundings());
        EXPECT_NE(worker->wait_for_line("it blocks"), "") << "its step did not start";
        return worker;
    }
};

class Poison : public CrashProgram {
protected:
    /// Starts the worker again and again; how often it died.
    int deaths_until_idle() const {
        int deaths = 0;
        for (int exit = -1; exit != 0 && deaths < deaths_max;) {
            exit = work().exit;
            EXPECT_TRUE(exit == 0 || exit == 128 + SIGKILL) << exit;
            deaths += exit == 0 ? 0 : 1;
        }
        return deaths;
    }
};

TEST_F(Poison, EndsPausedAndItsNeighboursComplete) {
    std::vector<std::string> neighbours{submit({"steps", "100"}), submit({"steps", "200"})};
    const std::string deadly = submit({"poison", "0"});
    neighbours.push_back(submit({"echo", "1"}));
    neighbours.push_back(submit({"steps", "300"}));

    const int deaths = deaths_until_idle();
    EXPECT_GE(deaths, 5);
    EXPECT_LT(deaths, deaths_max) << "it was never taken out";
    EXPECT_EQ(state(deadly), "paused");
    EXPECT_EQ(reason(deadly), "poison");
    EXPECT_EQ(pawl({"result", deadly}).exit, 8);
    EXPECT_EQ(json({"why", deadly}).at("reason").as_string(), "poison");
    for (const std::string& id : neighbours) {
        test::run(program({"run", "--task", id}), {}, surroundings());
        EXPECT_EQ(state(id), "completed") << pawl({"events", id}).out;
    }
}

TEST_F(Poison, GoesOnAfterResumeOnceItsCauseIsGone) {
    const std::string deadly = submit({"poison", "0"});
    deaths_until_idle();
    ASSERT_EQ(reason(deadly), "poison");
    write("ledger", "harmless\n");
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(state(deadly), "paused") << "only a person moves it";
    EXPECT_EQ(pawl({"resume", deadly}).exit, 0);
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(pawl({"result", deadly}).out, "\"cured\"\n");
}

TEST_F(Poison, ResumedWithItsCauseStillThereHasItsFullCountAgain) {
    const std::string deadly = submit({"poison", "0"});
    const int first = deaths_until_idle();
    EXPECT_EQ(pawl({"resume", deadly}).exit, 0);
    EXPECT_EQ(deaths_until_idle(), first);
    EXPECT_EQ(reason(deadly), "poison");
}

// ---- a step that blocks on a local of its workflow ------------------------------------------------------------------

TEST_F(CrashProgram, KilledInABlockingStepRunsItAgain) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    worker->signal(SIGKILL);
    EXPECT_EQ(worker->wait().exit, 128 + SIGKILL);
    write("ledger", "harmless\n");
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(pawl({"result", id}).out, "1000\n") << pawl({"events", id}).out;
}

TEST_F(CrashProgram, CancelledInABlockingStepEndsItAndTheTask) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    EXPECT_EQ(pawl({"cancel", id}).exit, 0);
    EXPECT_EQ(pawl({"result", "--wait", id}).exit, 7);
    const std::string neighbour = submit({"steps", "100"});
    EXPECT_EQ(pawl({"result", "--wait", neighbour}).out, "123\n") << "the worker lives on";
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
    EXPECT_EQ(state(id), "cancelled");
}

TEST_F(CrashProgram, KilledTaskInABlockingStepIsFinalAtOnce) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    EXPECT_EQ(pawl({"kill", id}).exit, 0);
    EXPECT_EQ(pawl({"result", "--wait", id}).exit, 7);
    EXPECT_EQ(reason(id), "killed");
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
}

TEST_F(CrashProgram, StoppedInABlockingStepHandsItBack) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
    EXPECT_EQ(state(id), "pending") << "handed back, no death is counted";
    write("ledger", "harmless\n");
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(pawl({"result", id}).out, "1000\n");
}

}  // namespace
}  // namespace pawl::crash
