// The blocking pool of a simulated process. A function starts at a moment that is drawn, may block in the middle, and
// dies where it is when its process does.
#pragma once

#include "runtime/loop.hpp"
#include "support/fiber.hpp"
#include "support/sim_time.hpp"

#include <pawl/step.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::testing {

/// Thrown inside a function that its process's death cuts. Not a std::exception: no step code handles it.
struct ProcessDied {};

class SimPool final : public runtime::Pool {
public:
    /// A function starts at most `delay_max` after it was given.
    SimPool(const SimClock& clock, SimRandom& chance, core::Micros delay_max)
        : clock_(clock), chance_(chance), delay_max_(delay_max) {}
    ~SimPool() override;

    void run(std::function<void()> f) override;

    // For the world.
    /// Functions that could start or go on now, in the order in which they were given.
    std::vector<std::uint64_t> ready() const;
    void go_on(std::uint64_t number);
    std::optional<core::Micros> next() const;
    int running() const;
    /// Every function that runs is cut where it blocks; the others never start.
    void die();

    // For functions that run here.
    /// Blocks for `length`, or until `wake` says true. Outside a function it returns at once.
    void block(core::Micros length, std::function<bool()> wake = {});
    /// detail::begin_effect, for a thread that only seems to block.
    bool begin_effect(const Attempt& attempt, const std::string& identity_json);

private:
    struct Call {
        std::function<void()> f;
        std::unique_ptr<Fiber> fiber;
        std::optional<core::Micros> due;
        std::function<bool()> wake;
    };
    bool is_ready(const Call& call) const;

    const SimClock& clock_;
    SimRandom& chance_;
    const core::Micros delay_max_;
    std::map<std::uint64_t, Call> calls_;
    std::uint64_t last_number_ = 0, current_ = 0;
    bool is_dying_ = false;
};

}  // namespace pawl::testing
