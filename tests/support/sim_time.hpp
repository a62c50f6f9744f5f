// The simulated world's clock and chance.
#pragma once

#include "core/time.hpp"

#include <cstdint>

namespace pawl::testing {

/// Moves only when it is told to. The wall clock may be set, either way.
class SimClock final : public core::Clock {
public:
    core::WallInstant wall() const override { return core::wall_instant(boot_.count() + offset_.count()); }
    core::Micros boot() const override { return boot_; }

    void advance(core::Micros by) { boot_ += by; }
    void set_wall_by(core::Micros by) { offset_ += by; }
    /// Boot time at which the wall clock will show `at`, if nobody sets it.
    core::Micros boot_at(core::WallInstant at) const { return core::Micros(core::count(at)) - offset_; }

private:
    core::Micros boot_{1'000'000};
    core::Micros offset_{1'700'000'000'000'000};
};

/// SplitMix64: the same seed, the same numbers, with every compiler and library.
class SimRandom final : public core::Random {
public:
    explicit SimRandom(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u) {}
    std::uint64_t next() override {
        state_ += 0x9E3779B97F4A7C15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// 0 to n - 1.
    int below(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
    /// Both included.
    int between(int low, int high) { return low + below(high - low + 1); }
    bool one_in(int n) { return below(n) == 0; }
    bool percent(int p) { return below(100) < p; }
    /// Up to `most`; short ones as likely as long ones, on a scale of doublings.
    core::Micros length(core::Micros most) {
        const int doublings = below(64 - __builtin_clzll(static_cast<std::uint64_t>(most.count()) | 1));
        const std::int64_t top = most.count() >> doublings;
        return core::Micros{top <= 0 ? 0 : static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(top + 1))};
    }
    /// A generator of its own, for a purpose whose draws shall not move the others'.
    std::uint64_t fork() { return next(); }

private:
    std::uint64_t state_;
};

}  // namespace pawl::testing
