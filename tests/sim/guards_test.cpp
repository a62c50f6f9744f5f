// Each guard is there for a reason: without it, simulation finds a broken rule; the very same run with it is clean.
#include "sim/scenario.hpp"

#include <gtest/gtest.h>

namespace pawl::sim {
namespace {

constexpr std::uint64_t seeds_max = 400;

template <class Guards>
Guarding with() {
    return {core::make_ledger<Guards>, testing::make_turns<Guards>};
}

// `rule`: what this guard keeps, as its violation says it.
void expect_found_and_only_there(const Guarding& guarding, const std::string& rule) {
    for (std::uint64_t seed = 1; seed <= seeds_max; seed++) {
        const std::string violation = run_seed(seed, guarding).violation;
        if (violation.find(rule) == std::string::npos) continue;
        ::testing::Test::RecordProperty("seed", std::to_string(seed));
        EXPECT_EQ(run_seed(seed).violation, "") << "seed " << seed << " with all guards";
        return;
    }
    FAIL() << "in " << seeds_max << " seeds nothing was found like: " << rule;
}

constexpr const char* late_write = "I6: a write under a claim that is over was accepted";
constexpr const char* two_owners = "I6: two owners write to one store";
constexpr const char* lost_task = "I1: an acknowledged task is gone";

TEST(GuardsInSimulation, WithoutTheFenceALateWriteIsAccepted) {
    expect_found_and_only_there(with<core::NoFence>(), late_write);
}
TEST(GuardsInSimulation, WithoutTheEpochALateWriteIsAccepted) {
    expect_found_and_only_there(with<core::NoEpoch>(), late_write);
}
TEST(GuardsInSimulation, WithoutTheOwnerCheckTwoOwnersWrite) {
    expect_found_and_only_there(with<core::NoOwner>(), two_owners);
}
TEST(GuardsInSimulation, AnAnswerBeforeTheFlushLosesAnAcknowledgedTask) {
    expect_found_and_only_there(with<core::NoFlush>(), lost_task);
}

}  // namespace
}  // namespace pawl::sim
