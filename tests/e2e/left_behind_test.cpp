// A step ignores its stop while its worker is drained: what becomes of its task, and what still runs afterwards.
#include "cli/held_stores.hpp"
#include "cli/program.hpp"
#include "runtime/worker_backend.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/temp_folder.hpp"

#include <pawl/program.hpp>

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace pawl::e2e {
namespace {

using namespace std::chrono_literals;

/// What a step's function and the test tell each other.
struct Meeting {
    std::promise<void> begun, go_on;
    std::atomic<int> went_on{0};
};

int ignores_its_stop(int fails, Meeting* meeting) {
    meeting->begun.set_value();
    meeting->go_on.get_future().wait();
    if (fails) throw std::runtime_error("connection reset");
    return 7;
}

Workflow<int> goes_on_after_its_step(Context& ctx, int fails, Meeting* meeting) {
    const int result = co_await ctx.step("deaf", ignores_its_stop, fails, meeting);
    meeting->went_on++;
    co_return result;
}

class LeftBehind : public testing::TestWithParam<bool> {
protected:
    std::string file() const { return folder_.path() + "/pawl.db"; }
    bool is_held() const { return store::sqlite_holder(file()).value().has_value(); }

    std::unique_ptr<cli::HeldStores> work(const Program& program) const {
        cli::HeldStoreOptions options;
        options.holder.engine.stop_grace = options.holder.engine.hard_stop = 2ms;
        auto held = cli::HeldStores::open(cli::file_url(file()), program.impl().registry, options).value();
        held->run_in_background();
        held->work();
        return held;
    }
    static void drain(cli::HeldStores& held) {
        std::promise<void> drained;
        held.drain([&] { drained.set_value(); });
        drained.get_future().wait();
    }
    core::TaskRow row(const std::string& id) const {
        return store::open_sqlite_reader(file()).value()->get(*core::parse_task_id(id)).value();
    }

private:
    const test::TempFolder folder_ = test::TempFolder::in_memory();
};

TEST_P(LeftBehind, ItsTaskIsHandedBackAndNothingOfItsProgramIsUsedAgain) {
    Meeting meeting;
    auto program = std::make_unique<Program>();
    program->workflow<int>("deaf", goes_on_after_its_step, &meeting);
    auto held = work(*program);
    std::string id;
    {
        runtime::WorkerBackend backend(held->at(0).holder(), program->impl().registry, [](const auto&) { return ""; });
        id = backend.submit("deaf", GetParam() ? "1" : "0", SubmitOptions()).value().id;
        backend.close();
    }
    meeting.begun.get_future().wait();
    drain(*held);

    cli::HeldStores::leave_behind(std::move(held), program->impl().shared_from_this());

    EXPECT_EQ(row(id).state, TaskState::pending) << "handed back before anybody could end the process";
    EXPECT_TRUE(is_held()) << "its function still runs";
    std::weak_ptr<detail::ProgramImpl> types = program->impl().weak_from_this();
    program.reset();
    EXPECT_FALSE(types.expired()) << "its function may belong to it";
    meeting.go_on.set_value();
    while (is_held()) std::this_thread::yield();
    while (!types.expired()) std::this_thread::yield();
    EXPECT_EQ(meeting.went_on, 0) << "its workflow does not go on";
    EXPECT_EQ(row(id).state, TaskState::pending);
    EXPECT_EQ(row(id).crash_count, 0);
}

INSTANTIATE_TEST_SUITE_P(Ends, LeftBehind, testing::Bool(),
                         [](const auto& of) { return of.param ? "WithAnError" : "WithAResult"; });

}  // namespace
}  // namespace pawl::e2e
