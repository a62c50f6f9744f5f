// One attempt of a step while its function runs. Shared between the loop thread and the function's thread.
#pragma once

#include "core/task_id.hpp"
#include "core/time.hpp"
#include "runtime/loop.hpp"

#include <pawl/step.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace pawl::detail {

struct AttemptState {
    // Fixed at the start.
    core::TaskId task;
    std::string path;
    int generation = 0;
    int number = 1;
    std::int64_t fence = 0;
    const core::Clock* clock = nullptr;
    core::Micros timeout{};                   ///< from when the function begins
    std::optional<core::WallInstant> latest;  ///< the task's deadline, or the end of the step's total time

    /// The function begins now; called on its thread. What waits for a thread is not yet at work.
    void begin();
    TimePoint deadline;                     ///< set by begin()
    core::Micros limit{};                   ///< set by begin()
    std::atomic<std::int64_t> begun_us{0};  ///< boot time; 0 = not yet

    /// 0 = go on, 1 = please end, 2 = end at once (tools are killed).
    std::atomic<int> stop{0};
    std::atomic<std::int64_t> heartbeat_us{0};  ///< boot time of the last sign of life

    /// Records the intent of this attempt and reports whether it was flushed; called from the function's thread.
    std::function<void(std::string identity)> send_intent;
    std::mutex mutex;
    std::condition_variable changed;
    enum class Intent : std::uint8_t { none, flushed, refused } intent = Intent::none;
    /// Told when `stop` rises (command tools wake their poll); set and called under `mutex`.
    std::function<void(int)> on_stop;

    void request_stop(int level);
    void answer_intent(bool flushed);
};

/// Lets a tool hear of a stop while it waits for a child process. Empty function: no longer.
void set_stop_hook(const Attempt& attempt, std::function<void(int level)> hook);
int stop_level(const Attempt& attempt);

}  // namespace pawl::detail
