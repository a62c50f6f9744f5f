// Two kinds of instants that must never be mixed (spec section 6).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace pawl::core {

using Micros = std::chrono::microseconds;

/// Store time: what relative waits follow (back-off, sleep, delay, lease). It starts at the last recorded instant
/// or the wall clock at open, whichever is later, and goes on with CLOCK_BOOTTIME: it never goes back, and jumps
/// of the wall clock do not touch it. Microseconds since 1970.
struct StoreTime {
    using duration = Micros;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<StoreTime>;
    static constexpr bool is_steady = true;
};
using Instant = StoreTime::time_point;

/// Wall clock time: what absolute limits follow (deadline, cron). Microseconds since 1970.
using WallInstant = std::chrono::time_point<std::chrono::system_clock, Micros>;

constexpr std::int64_t count(Instant t) { return t.time_since_epoch().count(); }
constexpr std::int64_t count(WallInstant t) { return t.time_since_epoch().count(); }
constexpr Instant instant(std::int64_t us) { return Instant{Micros{us}}; }
constexpr WallInstant wall_instant(std::int64_t us) { return WallInstant{Micros{us}}; }

/// Where the machine's time comes from. The only clock of the engine: simulation replaces it.
class Clock {
public:
    virtual ~Clock() = default;
    /// The wall clock; may jump either way.
    virtual WallInstant wall() const = 0;
    /// Time since boot, suspend included (CLOCK_BOOTTIME); never goes back.
    virtual Micros boot() const = 0;
};

/// The time of a batch, as its store tells it.
class StoreClock {
public:
    virtual ~StoreClock() = default;
    virtual Instant now() const = 0;
    virtual WallInstant wall() const = 0;
};

/// Store time on top of a Clock, for stores that have no server clock.
class OwnClock final : public StoreClock {
public:
    /// `last_recorded` is the latest instant found in the store, if any.
    OwnClock(const Clock& clock, std::optional<Instant> last_recorded)
        : clock_(&clock), start_(instant(count(clock.wall()))), boot_at_start_(clock.boot()) {
        if (last_recorded && *last_recorded > start_) start_ = *last_recorded;
    }
    Instant now() const override { return start_ + (clock_->boot() - boot_at_start_); }
    WallInstant wall() const override { return clock_->wall(); }

private:
    const Clock* clock_;
    Instant start_;
    Micros boot_at_start_;
};

/// Where chance comes from (ids, jitter, ctx.random seeds); simulation replaces it.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    /// In [0, 1).
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
};

}  // namespace pawl::core
