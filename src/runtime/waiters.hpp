// Clients' threads that wait for a task to end. The store's thread tells them right after the flush: a wait needs
// neither the loop nor, for a task that completed, a read.
#pragma once

#include "runtime/batcher.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace pawl::runtime {

/// Thread safe.
class Waiters {
public:
    /// Called once, on any thread, when the task has become final or stopped for a person, or when the store was opened
    /// anew or is lost for good; must not block. `output`: of a task that completed in this process; otherwise the row
    /// says how it ended, if it did.
    using Ended = std::function<void(std::optional<std::string> output)>;

    /// An end that was flushed before this call is not told: read the row after it.
    std::uint64_t add(core::TaskId task, Ended ended);
    /// It may be called still, by a thread that is just doing so.
    void forget(core::TaskId task, std::uint64_t token);

    struct Told {
        Ended ended;
        std::optional<std::string> output;
    };
    /// Takes out those whose task ended in this batch, for the caller to call.
    std::vector<Told> take(const BatchOutcome& outcome);
    /// Takes all out: they must look for themselves.
    std::vector<Told> take_all();

private:
    struct Waiter {
        std::uint64_t token;
        Ended ended;
    };
    std::mutex mutex_;
    std::multimap<core::TaskId, Waiter> waiters_;
    std::uint64_t next_token_ = 1;
    std::atomic<bool> any_{false};  // most batches end without a look at the map
};

}  // namespace pawl::runtime
