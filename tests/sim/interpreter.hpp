// A random program as a durable workflow, and as a plain computation over what its journal says.
#pragma once

#include "sim/outside.hpp"

#include <pawl/workflow.hpp>

#include <cstdint>
#include <string>

namespace pawl::sim {

/// The workflow: interprets the program of this seed.
Workflow<std::int64_t> run_program(Context& ctx, std::uint64_t seed, Outside* outside);

/// Programs live as long as the process: coroutines point into them.
const Program& program_of(std::uint64_t seed);

/// What the code must come to, given the recorded ends of its steps.
struct Expected {
    enum class What : std::uint8_t { value, failure, open };
    What what = What::value;
    std::int64_t value = 0;
    int failed_no = 0;  ///< number of the entry with which it was there
    std::string failed_path;
    std::string misfit;  ///< the journal says something that the program cannot have done
};
Expected expected_of(const Program& program, const History::Task& task, bool has_deadline);

}  // namespace pawl::sim
