// The event loop as the engine sees it: posting and timers. AsioLoop is the real one; simulation has its own.
#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <functional>

namespace pawl::runtime {

using TimerToken = std::uint64_t;  // 0 = none

class Loop {
public:
    virtual ~Loop() = default;
    /// Runs `f` later on the loop thread, in the order of posting. Any thread.
    virtual void post(std::function<void()> f) = 0;
    /// Runs `f` once that much boot time has passed. Loop thread.
    virtual TimerToken after(core::Micros delay, std::function<void()> f) = 0;
    /// Runs `f` once the wall clock shows `at` or later, also when it was set forward. Loop thread.
    virtual TimerToken at_wall(core::WallInstant at, std::function<void()> f) = 0;
    /// No effect when it has fired or was cancelled. Loop thread.
    virtual void cancel(TimerToken token) = 0;
};

/// What tools that list threads call the calling one: at most 15 bytes.
void name_thread(const char* name);

/// Runs functions that may block.
class Pool {
public:
    virtual ~Pool() = default;
    /// Runs `f` on some thread; never refuses (callers are bounded by the engine's slots). Any thread.
    virtual void run(std::function<void()> f) = 0;
};

}  // namespace pawl::runtime
