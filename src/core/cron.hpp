// Cron lines: when a schedule fires by the calendar of a place.
#pragma once

#include "core/time.hpp"
#include "core/time_zone.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::core {

/// minute, hour, day of month, month, day of week: "30 2 * * MON-FRI". A field is a list of `*`, a value, `a-b`, each
/// with `/step` after it or not; months and days of week have names too, and 0 and 7 are Sunday. Or one word: @hourly,
/// @daily (@midnight), @weekly, @monthly, @yearly (@annually).
///
/// A day has to fit day of month and day of week when one of them begins with `*`; when neither does, one is enough.
class Cron {
public:
    /// Errors: bad_input, with the field, what stands there and what may; also when no day of the calendar fits.
    static Result<Cron> parse(std::string_view line);

    /// As given, without blanks around it.
    const std::string& text() const { return text_; }

    /// The first firing strictly after `at`; nothing beyond the year 9999.
    ///
    /// Each minute of the zone's clock that fits fires once: at the first instant at which that clock shows it or a
    /// later time. So what a clock put forward leaves out fires once, together, at the instant of that; and what a
    /// clock put back shows a second time does not fire again. The cost does not grow with the distance in minutes.
    std::optional<WallInstant> next_after(WallInstant at, const TimeZone& zone) const;

private:
    Cron() = default;
    bool fits(std::chrono::year_month_day date) const;
    std::optional<std::chrono::local_days> next_day(std::chrono::local_days from) const;
    std::optional<std::chrono::minutes> next_time(std::chrono::minutes from) const;

    std::string text_;
    // One bit for each value that fits.
    std::uint64_t minutes_ = 0;
    std::uint64_t hours_ = 0;
    std::uint64_t days_ = 0;
    std::uint64_t months_ = 0;
    std::uint64_t weekdays_ = 0;  ///< 0 = Sunday to 6
    bool either_day_ = false;     ///< day of month or day of week, in place of both
};

}  // namespace pawl::core
