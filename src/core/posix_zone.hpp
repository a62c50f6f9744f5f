// The yearly rule of a time zone, as POSIX writes it and as a TZif file has it in its last line.
#pragma once

#include <pawl/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pawl::core {

/// "CET-1CEST,M3.5.0,M10.5.0/3": an offset, or two of them and when each begins. Good for any year of the calendar.
class PosixZone {
public:
    /// With what RFC 8536 adds: names in <>, times of day from -167 to 167 hours. Errors: bad_input; summer time
    /// without its dates too, for which POSIX leaves everybody to guess.
    static Result<PosixZone> parse(std::string_view text);

    /// What the zone's clock is ahead of UTC.
    std::chrono::seconds offset_at(std::chrono::sys_seconds at) const;
    /// When the offset changes next, strictly after `at`; nothing when it never does.
    std::optional<std::chrono::sys_seconds> next_change_after(std::chrono::sys_seconds at) const;

private:
    friend class PosixZoneText;

    struct Date {
        enum class Form : std::uint8_t { no_leap_day, day_of_year, weekday };
        Form form = Form::day_of_year;
        int day = 0;  ///< 1 to 365, 0 to 365, or 0 (Sunday) to 6
        int month = 1, week = 1;
        std::chrono::seconds time{0};  ///< by the clock that runs until then
    };

    std::chrono::sys_seconds begins(const Date& date, std::chrono::year year, std::chrono::seconds offset) const;
    struct Year;
    Year years_around(std::chrono::sys_seconds at) const;

    std::chrono::seconds standard_{0};
    std::chrono::seconds summer_{0};
    bool has_summer_ = false;
    Date summer_begins_, summer_ends_;
};

}  // namespace pawl::core
