// The death, the cancel and the stop of a process in the middle of a step that blocks on a local of its workflow, by
// reference: with the sanitizers they show that the frame outlives the function.
#include "e2e/crash_program.hpp"

#include <csignal>
#include <memory>

namespace pawl::e2e {
namespace {

class BlockingStep : public CrashProgram {
protected:
    /// A worker whose step is on its way.
    std::unique_ptr<test::Background> start_blocked() const {
        auto worker = std::make_unique<test::Background>(program({"worker"}), surroundings());
        EXPECT_NE(worker->wait_for_line("it blocks"), "") << "its step did not start";
        return worker;
    }
};

TEST_F(BlockingStep, KilledInABlockingStepRunsItAgain) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    worker->signal(SIGKILL);
    EXPECT_EQ(worker->wait().exit, 128 + SIGKILL);
    write("ledger", "harmless\n");
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(pawl({"result", id}).out, "1000\n") << pawl({"events", id}).out;
}

TEST_F(BlockingStep, CancelledInABlockingStepEndsItAndTheTask) {
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

TEST_F(BlockingStep, KilledTaskInABlockingStepIsFinalAtOnce) {
    const std::string id = submit({"blocking", "0"});
    auto worker = start_blocked();
    EXPECT_EQ(pawl({"kill", id}).exit, 0);
    EXPECT_EQ(pawl({"result", "--wait", id}).exit, 7);
    EXPECT_EQ(reason(id), "killed");
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
}

TEST_F(BlockingStep, StoppedInABlockingStepHandsItBack) {
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
}  // namespace pawl::e2e
