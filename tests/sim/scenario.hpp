// One run of the whole engine from one seed: random programs, clients, an operator, and everything that can go wrong.
// First chaos, then quiet: when the faults stop, every task must come to its end.
#pragma once

#include "core/ledger.hpp"
#include "support/sim_process.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pawl::sim {

/// The product, or the product with a guard off.
struct Guarding {
    core::MakeLedger make_ledger = core::make_ledger<core::AllGuards>;
    testing::MakeTurns make_turns = testing::make_turns<core::AllGuards>;
};

struct RunResult {
    std::uint64_t digest = 0;
    std::string violation;  ///< the first broken rule; empty = none
    int steps = 0;          ///< things that happened
    int crashes = 0;
    std::vector<std::string> lines;
};

RunResult run_seed(std::uint64_t seed, const Guarding& guarding = {}, bool keep_lines = false);

}  // namespace pawl::sim
