// Timers in order of their time; passive, for the real and the simulated loop.
#pragma once

#include "runtime/loop.hpp"

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace pawl::runtime {

class TimerQueue {
public:
    /// `token` must be new.
    void add(TimerToken token, std::int64_t at_us, std::function<void()> f) {
        by_token_[token] = timers_.emplace(at_us, Timer{token, std::move(f)});
    }
    /// False when there is no such timer.
    bool remove(TimerToken token) {
        const auto at = by_token_.find(token);
        if (at == by_token_.end()) return false;
        timers_.erase(at->second);
        by_token_.erase(at);
        return true;
    }
    std::optional<std::int64_t> next() const {
        if (timers_.empty()) return std::nullopt;
        return timers_.begin()->first;
    }
    /// Takes the first timer that is due at `now_us`; equal times in the order of adding.
    std::function<void()> pop_due(std::int64_t now_us) {
        if (timers_.empty() || timers_.begin()->first > now_us) return {};
        auto f = std::move(timers_.begin()->second.f);
        by_token_.erase(timers_.begin()->second.token);
        timers_.erase(timers_.begin());
        return f;
    }

private:
    struct Timer {
        TimerToken token;
        std::function<void()> f;
    };
    using Timers = std::multimap<std::int64_t, Timer>;
    Timers timers_;
    std::unordered_map<TimerToken, Timers::iterator> by_token_;
};

}  // namespace pawl::runtime
