// The whole engine from a seed, thousands of times. A failing seed is printed: PAWL_SIM_SEED=N runs it again and prints
// everything that happened in it.
#include "sim/scenario.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace pawl::sim {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Seeds, EverySeedKeepsTheRulesAndGivesTheSameDigestTwice) {
    const std::uint64_t first = number_from("PAWL_SIM_FIRST_SEED", 1);
    const std::uint64_t seeds = number_from("PAWL_SIM_SEEDS", 2'000);
    std::uint64_t all = 0;
    std::int64_t steps = 0, crashes = 0;
    for (std::uint64_t seed = first; seed < first + seeds; seed++) {
        const RunResult run = run_seed(seed);
        ASSERT_EQ(run.violation, "") << "seed " << seed << "; PAWL_SIM_SEED=" << seed << " prints what happened";
        ASSERT_EQ(run_seed(seed).digest, run.digest) << "seed " << seed << " is not deterministic";
        all = all * 1'000'003u + run.digest;
        steps += run.steps;
        crashes += run.crashes;
    }
    std::cout << seeds << " seeds from " << first << ": " << steps << " things happened, " << crashes
              << " crashes; digest " << std::hex << all << std::dec << "\n";
}

TEST(Seeds, TheNamedSeedIsPrinted) {
    const std::uint64_t seed = number_from("PAWL_SIM_SEED", 0);
    if (seed == 0) GTEST_SKIP() << "PAWL_SIM_SEED names no seed";
    const RunResult run = run_seed(seed, {}, true);
    for (const std::string& line : run.lines) std::cout << line << "\n";
    EXPECT_EQ(run.violation, "");
}

}  // namespace
}  // namespace pawl::sim
