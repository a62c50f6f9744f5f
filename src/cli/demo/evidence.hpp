// What the journal, the folder and the model endpoint say about a run that was killed in the middle.
#pragma once

#include "cli/demo/sandbox.hpp"
#include "core/store.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pawl::cli::demo {

/// A request that the model endpoint answered.
struct ModelRequest {
    std::string key;  ///< Idempotency-Key
    std::int64_t at_us = 0;
};

struct Finding {
    std::string claim;
    bool holds = false;
    std::string detail;
};

struct Evidence {
    core::TaskRow task;
    std::vector<core::Entry> journal;
    std::vector<Finding> findings;
    std::string answer;

    bool all_hold() const;
};

/// Reads the file (nobody holds it) and judges. `killed_after`: number of the last entry before the kill, 0 = no kill.
/// `models` is empty for an endpoint that is not ours.
Result<Evidence> collect(const Sandbox& sandbox, int killed_after, std::int64_t restarted_us,
                         const std::vector<ModelRequest>& models);

/// The journal as a timeline, the crash gap in it.
std::string timeline(const Evidence& evidence, int killed_after);

}  // namespace pawl::cli::demo
