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

void expect_found_and_only_there(const Guarding& guarding) {
    for (std::uint64_t seed = 1; seed <= seeds_max; seed++) {
        const std::string violation = run_seed(seed, guarding).violation;
        if (violation.empty()) continue;
        ::testing::Test::RecordProperty("seed", std::to_string(seed));
        ::testing::Test::RecordProperty("violation", violation);
        EXPECT_EQ(run_seed(seed).violation, "") << "seed " << seed << " with all guards";
        return;
    }
    FAIL() << "no rule was broken in " << seeds_max << " seeds";
}

TEST(GuardsInSimulation, WithoutTheFenceARuleIsBroken) { expect_found_and_only_there(with<core::NoFence>()); }
TEST(GuardsInSimulation, WithoutTheEpochARuleIsBroken) { expect_found_and_only_there(with<core::NoEpoch>()); }
TEST(GuardsInSimulation, WithoutTheOwnerCheckARuleIsBroken) { expect_found_and_only_there(with<core::NoOwner>()); }
TEST(GuardsInSimulation, AnAnswerBeforeTheFlushBreaksARule) { expect_found_and_only_there(with<core::NoFlush>()); }

}  // namespace
}  // namespace pawl::sim
