// The whole engine from a seed, thousands of times, each seed twice. In shards, so that ctest can run two at a time;
// PAWL_SIM_SEEDS and PAWL_SIM_FIRST_SEED choose others than the 2,000 from 1 on. A run of one seed prints all of it.
#include "sim/scenario.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace pawl::sim {
namespace {

constexpr int shards = 8;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// All seeds of this process, in their order.
class Total : public ::testing::Environment {
public:
    void add(const RunResult& run) {
        seeds_++;
        digest_ = digest_ * 1'000'003u + run.digest;
        steps_ += run.steps;
        crashes_ += run.crashes;
    }
    void TearDown() override {
        if (seeds_ == 0) return;
        std::cout << seeds_ << " seeds: " << steps_ << " things happened, " << crashes_ << " crashes; digest "
                  << std::hex << digest_ << std::dec << "\n";
    }

private:
    std::uint64_t digest_ = 0;
    std::int64_t seeds_ = 0, steps_ = 0, crashes_ = 0;
};
Total& total() {
    static Total* the = static_cast<Total*>(::testing::AddGlobalTestEnvironment(new Total));
    return *the;
}
[[maybe_unused]] const bool is_registered = (total(), true);

class Seeds : public ::testing::TestWithParam<int> {};

TEST_P(Seeds, KeepTheRulesAndGiveTheSameDigestTwice) {
    const std::uint64_t seeds = number_from("PAWL_SIM_SEEDS", 2'000);
    const std::uint64_t first = number_from("PAWL_SIM_FIRST_SEED", 1);
    const auto shard = static_cast<std::uint64_t>(GetParam());
    constexpr int failures_max = 3;
    int failures = 0;
    for (std::uint64_t i = seeds * shard / shards; i < seeds * (shard + 1) / shards && failures < failures_max; i++) {
        const std::uint64_t seed = first + i;
        const std::string alone = "alone, with all that happens: ./dev sim --seeds 1 --seed " + std::to_string(seed);
        const RunResult run = run_seed(seed, {}, seeds == 1);
        for (const std::string& line : run.lines) std::cout << line << "\n";
        const RunResult again = run_seed(seed);
        EXPECT_EQ(run.violation, "") << "seed " << seed << "; " << alone;
        EXPECT_EQ(again.digest, run.digest) << "seed " << seed << " is not deterministic; " << alone;
        failures += run.violation.empty() && again.digest == run.digest ? 0 : 1;
        total().add(run);
    }
}

INSTANTIATE_TEST_SUITE_P(Shard, Seeds, ::testing::Range(0, shards));

}  // namespace
}  // namespace pawl::sim
