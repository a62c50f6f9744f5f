// `pawl why`: one machine-readable reason for the state a task is in, a sentence, and what to do.
#pragma once

#include "core/store.hpp"
#include "server/port.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pawl::server {

/// All that the answer follows from. `why` reads no clock and no store.
struct WhyFacts {
    core::TaskRow row;
    std::vector<core::Entry> recent;         ///< the newest entries, oldest first
    std::vector<core::Entry> waits;          ///< of the first few waits for somebody's word: their `wait_set` entries
    std::optional<core::QueueStatus> queue;  ///< of the task; nothing = default settings
    std::int64_t ahead = 0;                  ///< ready tasks of the queue that a claim takes first
    bool ahead_at_least = false;             ///< there may be more than `ahead`
    std::optional<WorkerStatus> worker;      ///< nothing = nobody works the file
    std::vector<LiveStep> live;
    core::Instant now{};       ///< of the store
    core::WallInstant wall{};  ///< for the deadline
};

struct Why {
    /// no_worker, no_worker_for_type, worker_draining, queue_paused, queue_full, queued, scheduled, retry, throttled,
    /// running, ending, step_ignores_stop, pause_requested, timer, signal, approval, child, rate_limit,
    /// paused_by_operator, exhausted, poison, diverged, outcome_unknown, budget, failed, deadline, expired,
    /// cancelled, completed. Stable.
    std::string reason;
    std::string text;
    std::vector<std::string> next;       ///< what a person may do: commands to type, best first
    std::optional<core::Instant> until;  ///< when it goes on by itself
    std::string step;                    ///< the step concerned
    int attempt = 0;                     ///< of that step; 0 = none
    std::optional<core::Failure> error;  ///< the last failure, if it has to do with it
    std::optional<std::int64_t> ahead;
};

Why why(const WhyFacts& facts);

/// Of several workers, which is not empty: all that could take the task, as if they were one; else the first.
WorkerStatus best_worker(const std::vector<core::WorkerRow>& workers, const core::TaskRow& row);

}  // namespace pawl::server
