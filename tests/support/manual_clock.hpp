// A clock that moves only when a test says so.
#pragma once

#include "core/time.hpp"

namespace pawl::test {

class ManualClock final : public core::Clock {
public:
    core::WallInstant wall() const override { return wall_; }
    core::Micros boot() const override { return boot_; }

    /// Time passes.
    void advance(core::Micros by) {
        wall_ += by;
        boot_ += by;
    }
    /// Somebody sets the wall clock.
    void jump_wall(core::Micros by) { wall_ += by; }

private:
    core::WallInstant wall_ = core::wall_instant(1'800'000'000'000'000);
    core::Micros boot_{1'000'000};
};

}  // namespace pawl::test
