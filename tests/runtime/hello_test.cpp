// The shortest way through the engine.
#include "support/sim_world.hpp"

#include <gtest/gtest.h>

namespace pawl::testing {
namespace {

using core::EntryKind;

std::string greet(const std::string& name) { return "Hello, " + name + "!"; }

Workflow<std::string> hello(Context& ctx, std::string name) { co_return co_await ctx.step("greet", greet, name); }

std::vector<EntryKind> kinds_of(const std::vector<core::Entry>& entries) {
    std::vector<EntryKind> kinds;
    for (const auto& entry : entries) kinds.push_back(entry.kind);
    return kinds;
}

TEST(Hello, ATaskWithOneStepCompletesWithItsResult) {
    SimWorld world;
    world.serve("hello", hello);
    world.start();

    const auto id = world.submit("hello", R"("Ann")");
    const auto row = world.run_to_end(id);

    EXPECT_EQ(row.state, TaskState::completed);
    EXPECT_EQ(row.output, R"("Hello, Ann!")");
    const std::vector expected{EntryKind::submitted, EntryKind::claimed, EntryKind::step_completed,
                               EntryKind::completed};
    EXPECT_EQ(kinds_of(world.journal(id)), expected);
}

}  // namespace
}  // namespace pawl::testing
