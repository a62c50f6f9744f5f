#include "cli/follow.hpp"

#include "cli/terminal_text.hpp"

#include <algorithm>

namespace pawl::cli {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

Follow::Follow(Console& console, std::optional<core::Micros> limit) : console_(console) {
    if (limit) end_ = SteadyClock::now() + *limit;
}

core::Micros Follow::left() const {
    constexpr core::Micros turn = 60s;
    if (!end_) return turn;
    const auto left = std::chrono::duration_cast<core::Micros>(*end_ - SteadyClock::now());
    return std::clamp(left, core::Micros{0}, turn);
}

Result<server::Response> Follow::ask(server::Request request) {
    request.query.emplace_back("wait", wait_seconds(left()));
    return console_.ask(Access::read, request);
}

bool Follow::go_on() {
    if (left() <= core::Micros{0}) return false;
    if (!console_.connection().direct()) return true;
    if (!told_ && console_.connection().nobody_works())
        console_.note("pawl: nobody works " + terminal_text(console_.store().shown) + "; waiting (start one with `" +
                      console_.command("worker") + "`)");
    told_ = true;
    console_.connection().wait_for_change(left());
    return true;
}

}  // namespace pawl::cli
