#include "core/posix_zone.hpp"

#include "core/assert.hpp"
#include "core/shown.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace pawl::core {

namespace chr = std::chrono;
using chr::seconds;
using chr::sys_seconds;

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The calendar repeats after 400 years, which are whole weeks: a rule gives the same there. It keeps every date within
// what std::chrono::year can say.
constexpr seconds calendar_cycle = chr::days{146'097};

seconds whole_cycles(sys_seconds at) {
    const seconds since = at.time_since_epoch();
    return seconds{(since.count() / calendar_cycle.count() - (since.count() % calendar_cycle.count() < 0 ? 1 : 0)) *
                   calendar_cycle.count()};
}

}  // namespace

/// Reads the text from left to right; each take_ answers whether it found what it is named for.
class PosixZoneText {
public:
    explicit PosixZoneText(std::string_view text) : rest_(text) {}

    bool read(PosixZone& zone) {
        if (!take_name() || !take_offset(zone.standard_)) return false;
        if (rest_.empty()) return true;
        zone.has_summer_ = true;
        if (!take_name()) return false;
        zone.summer_ = zone.standard_ + chr::hours{1};
        if (!rest_.empty() && rest_.front() != ',' && !take_offset(zone.summer_)) return false;
        return take(',') && take_date(zone.summer_begins_) && take(',') && take_date(zone.summer_ends_) &&
               rest_.empty();
    }

private:
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool take_name() {
        const bool quoted = take('<');
        std::size_t n = 0;
        const auto belongs = [&](char c) { return is_letter(c) || (quoted && (is_digit(c) || c == '+' || c == '-')); };
        while (n < rest_.size() && belongs(rest_[n])) ++n;
        rest_.remove_prefix(n);
        return n >= 3 && (!quoted || take('>'));
    }

    bool take_number(int& value, int least, int most) {
        std::size_t n = 0;
        value = 0;
        for (; n < rest_.size() && n < 3 && is_digit(rest_[n]); ++n) value = value * 10 + (rest_[n] - '0');
        rest_.remove_prefix(n);
        return n > 0 && value >= least && value <= most;
    }

    // [+-]hours[:minutes[:seconds]]
    bool take_length(seconds& length, int hours_max) {
        const bool negative = take('-');
        if (!negative) take('+');
        int hours = 0, minutes = 0, secs = 0;
        if (!take_number(hours, 0, hours_max)) return false;
        if (take(':')) {
            if (!take_number(minutes, 0, 59)) return false;
            if (take(':') && !take_number(secs, 0, 59)) return false;
        }
        length = chr::hours{hours} + chr::minutes{minutes} + seconds{secs};
        if (negative) length = -length;
        return true;
    }

    // POSIX counts to the west, everybody else to the east.
    bool take_offset(seconds& offset) {
        if (!take_length(offset, 24)) return false;
        offset = -offset;
        return true;
    }

    bool take_date(PosixZone::Date& date) {
        using Form = PosixZone::Date::Form;
        if (take('M')) {
            date.form = Form::weekday;
            if (!take_number(date.month, 1, 12) || !take('.') || !take_number(date.week, 1, 5) || !take('.') ||
                !take_number(date.day, 0, 6))
                return false;
        } else if (take('J')) {
            date.form = Form::no_leap_day;
            if (!take_number(date.day, 1, 365)) return false;
        } else if (!take_number(date.day, 0, 365)) {
            return false;
        }
        date.time = chr::hours{2};
        return !take('/') || take_length(date.time, 167);
    }

    std::string_view rest_;
};

/// What happens around an instant, in order.
struct PosixZone::Year {
    struct Begin {
        sys_seconds at;
        bool summer;
        // At one instant summer comes last: a rule that ends it where the next year's begins means that it never ends.
        friend auto operator<=>(const Begin&, const Begin&) = default;
    };
    std::array<Begin, 8> begins;
};

Result<PosixZone> PosixZone::parse(std::string_view text) {
    PosixZone zone;
    if (!PosixZoneText(text).read(zone)) {
        return Error{Errc::bad_input, "time zone rule " + shown(text) +
                                          " is none that POSIX knows; one is for example CET-1CEST,M3.5.0,M10.5.0/3"};
    }
    return zone;
}

sys_seconds PosixZone::begins(const Date& date, chr::year year, seconds offset) const {
    chr::sys_days day = chr::sys_days{year / 1 / 1};
    switch (date.form) {
        case Date::Form::no_leap_day:
            day += chr::days{date.day - 1 + (year.is_leap() && date.day >= 60 ? 1 : 0)};
            break;
        case Date::Form::day_of_year:
            day += chr::days{date.day};
            break;
        case Date::Form::weekday: {
            const chr::month month{static_cast<unsigned>(date.month)};
            const chr::weekday weekday{static_cast<unsigned>(date.day)};
            day = date.week == 5 ? chr::sys_days{year / month / weekday[chr::last]}
                                 : chr::sys_days{year / month / weekday[static_cast<unsigned>(date.week)]};
            break;
        }
    }
    return day + date.time - offset;
}

PosixZone::Year PosixZone::years_around(sys_seconds at) const {
    const chr::year year = chr::year_month_day{chr::floor<chr::days>(at)}.year();
    Year around;
    for (int i = 0; i < 4; ++i) {
        const chr::year y = year + chr::years{i - 1};
        const auto slot = static_cast<std::size_t>(2 * i);
        around.begins[slot] = {begins(summer_begins_, y, standard_), true};
        around.begins[slot + 1] = {begins(summer_ends_, y, summer_), false};
    }
    std::sort(around.begins.begin(), around.begins.end());
    return around;
}

seconds PosixZone::offset_at(sys_seconds at) const {
    if (!has_summer_) return standard_;
    at -= whole_cycles(at);
    bool summer = false;
    for (const Year::Begin& begin : years_around(at).begins) {
        if (begin.at <= at) summer = begin.summer;
    }
    return summer ? summer_ : standard_;
}

std::optional<sys_seconds> PosixZone::next_change_after(sys_seconds at) const {
    if (!has_summer_ || summer_ == standard_) return std::nullopt;
    const seconds cycles = whole_cycles(at);
    at -= cycles;
    const Year around = years_around(at);
    bool summer = false;
    // Without the last one, which is years away: what falls together with it is not known here.
    for (std::size_t i = 0; i + 1 < around.begins.size(); ++i) {
        const Year::Begin& begin = around.begins[i];
        // Of two at one instant the later decides alone.
        if (around.begins[i + 1].at == begin.at) continue;
        if (begin.at > at && begin.summer != summer) return begin.at + cycles;
        summer = begin.summer;
    }
    return std::nullopt;
}

}  // namespace pawl::core
