// Waits that go on over the life of one holder of the file: `result --wait`, `events -f`.
#pragma once

#include "cli/console.hpp"

#include <chrono>
#include <optional>

namespace pawl::cli {

class Follow {
public:
    /// No limit: for ever.
    Follow(Console& console, std::optional<core::Micros> limit);

    /// Asks once, waiting up to what is left (at most a minute); `request` has no `wait` yet.
    Result<server::Response> ask(server::Request request);

    /// To be called when the answer was not what is waited for: when nobody holds the file, blocks until something
    /// changes. False when the limit has passed.
    bool go_on();

private:
    core::Micros left() const;

    Console& console_;
    std::optional<std::chrono::steady_clock::time_point> end_;
    bool told_ = false;
};

}  // namespace pawl::cli
