// The event loop of a simulated process: one thing happens each time the world says so.
#pragma once

#include "runtime/timer_queue.hpp"
#include "support/sim_time.hpp"

#include <deque>
#include <functional>
#include <optional>

namespace pawl::testing {

class SimLoop final : public runtime::Loop {
public:
    explicit SimLoop(const SimClock& clock) : clock_(clock) {}

    void post(std::function<void()> f) override {
        if (!is_shut_) posted_.push_back(std::move(f));
    }
    runtime::TimerToken after(core::Micros delay, std::function<void()> f) override {
        if (is_shut_) return 0;
        boot_.add(++last_token_, (clock_.boot() + delay).count(), std::move(f));
        return last_token_;
    }
    runtime::TimerToken at_wall(core::WallInstant at, std::function<void()> f) override {
        if (is_shut_) return 0;
        wall_.add(++last_token_, core::count(at), std::move(f));
        return last_token_;
    }
    void cancel(runtime::TimerToken token) override {
        if (!boot_.remove(token)) wall_.remove(token);
    }

    bool has_post() const { return !posted_.empty(); }
    void run_post() {
        const auto f = std::move(posted_.front());
        posted_.pop_front();
        f();
    }
    bool has_due_boot() const { return boot_.next() && *boot_.next() <= clock_.boot().count(); }
    bool has_due_wall() const { return wall_.next() && *wall_.next() <= core::count(clock_.wall()); }
    void run_due_boot() { boot_.pop_due(clock_.boot().count())(); }
    void run_due_wall() { wall_.pop_due(core::count(clock_.wall()))(); }

    /// Boot time of the next timer, if the wall clock is not set meanwhile.
    std::optional<core::Micros> next_timer() const {
        std::optional<core::Micros> next;
        if (const auto at = boot_.next()) next = core::Micros{*at};
        if (const auto at = wall_.next()) {
            const core::Micros boot = clock_.boot_at(core::wall_instant(*at));
            if (!next || boot < *next) next = boot;
        }
        return next;
    }

    /// The process dies: nothing here happens any more, and nothing new is taken.
    void shut() {
        is_shut_ = true;
        posted_.clear();
        boot_ = {};
        wall_ = {};
    }

private:
    const SimClock& clock_;
    std::deque<std::function<void()>> posted_;
    runtime::TimerQueue boot_, wall_;
    runtime::TimerToken last_token_ = 0;
    bool is_shut_ = false;
};

}  // namespace pawl::testing
