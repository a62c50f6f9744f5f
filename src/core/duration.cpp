#include "core/duration.hpp"

#include "core/shown.hpp"

#include <array>
#include <cstdio>
#include <limits>

namespace pawl::core {
namespace {

using Wide = __int128;  // a length read from text may be anything: compare before narrowing

struct Unit {
    std::string_view name;
    std::int64_t micros;
};
constexpr std::array units{
    Unit{"us", 1},         Unit{"ms", 1'000},        Unit{"s", 1'000'000},     Unit{"min", 60'000'000},
    Unit{"m", 60'000'000}, Unit{"h", 3'600'000'000}, Unit{"d", 86'400'000'000}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    bool done() const { return rest_.empty(); }
    char next() const { return rest_.empty() ? '\0' : rest_.front(); }
    bool skip(char c) {
        if (next() != c || rest_.empty()) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void skip_spaces() {
        while (skip(' ')) {}
    }
    template <class Pred>
    std::string_view take(Pred wanted) {
        std::size_t n = 0;
        while (n < rest_.size() && wanted(rest_[n])) ++n;
        const std::string_view taken = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return taken;
    }
    /// Exactly `count` digits, or -1.
    int take_number(std::size_t count) {
        if (rest_.size() < count) return -1;
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (!is_digit(rest_[i])) return -1;
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }

private:
    std::string_view rest_;
};

Error bad_duration(std::string_view text, std::string_view why) {
    return {Errc::bad_input, "duration " + shown(text) + ": " + std::string(why) +
                                 "; write for example 250ms, 30s, 5min, 1h, 2d or 1h30min"};
}

// whole.fraction units in microseconds, or -1 when beyond int64.
Wide micros_of(std::string_view whole, std::string_view fraction, std::int64_t unit) {
    constexpr Wide most = std::numeric_limits<std::int64_t>::max();
    Wide value = 0;
    for (const char c : whole) {
        value = value * 10 + (c - '0');
        if (value > most) return -1;
    }
    value *= unit;
    Wide part = 0, scale = 1;
    for (const char c : fraction) part = part * 10 + (c - '0'), scale *= 10;
    value += part * unit / scale;
    return value > most ? Wide{-1} : value;
}

Error bad_instant(std::string_view text, std::string_view why) {
    return {Errc::bad_input, "instant " + shown(text) + ": " + std::string(why) +
                                 "; write for example 2026-03-01T12:00:00Z or 2026-03-01T14:00:00+02:00"};
}

// The zone's offset from UTC.
std::optional<std::chrono::minutes> take_zone(Cursor& cursor) {
    if (cursor.skip('Z') || cursor.skip('z')) return std::chrono::minutes{0};
    const char sign = cursor.next();
    if (sign != '+' && sign != '-') return std::nullopt;
    cursor.skip(sign);
    const int hours = cursor.take_number(2);
    const bool colon = cursor.skip(':');
    const int minutes = cursor.take_number(2);
    if (!colon || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    const std::chrono::minutes offset{hours * 60 + minutes};
    return sign == '-' ? -offset : offset;
}

// A fraction of a second; finer than a microsecond is cut off.
Micros micros_of_fraction(std::string_view digits) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 6; ++i) value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
    return Micros{value};
}

}  // namespace

Result<Micros> parse_duration(std::string_view text) {
    Cursor cursor(text);
    cursor.skip_spaces();
    if (cursor.done()) return bad_duration(text, "is empty");
    if (cursor.next() == '-') return bad_duration(text, "is negative");

    Wide total = 0;
    while (!cursor.done()) {
        const std::string_view whole = cursor.take(is_digit);
        if (whole.empty()) return bad_duration(text, "a number is expected before each unit");
        std::string_view fraction;
        if (cursor.skip('.')) {
            fraction = cursor.take(is_digit);
            if (fraction.empty() || fraction.size() > 9)
                return bad_duration(text, "1 to 9 digits belong after the point");
        }
        cursor.skip_spaces();
        const std::string_view name = cursor.take([](char c) { return c != ' ' && c != '.' && !is_digit(c); });
        if (name.empty()) return bad_duration(text, "has a number without a unit");
        const auto* unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
        if (unit == units.end()) return bad_duration(text, "unknown unit " + shown(name) + " (us, ms, s, min, h, d)");

        const Wide part = micros_of(whole, fraction, unit->micros);
        if (part < 0 || total + part > std::numeric_limits<std::int64_t>::max()) {
            return bad_duration(text, "is longer than 292,000 years");
        }
        total += part;
        cursor.skip_spaces();
    }
    return Micros{static_cast<std::int64_t>(total)};
}

Result<WallInstant> parse_instant(std::string_view text) {
    Cursor cursor(text);
    const int year = cursor.take_number(4);
    const bool dash1 = cursor.skip('-');
    const int month = cursor.take_number(2);
    const bool dash2 = cursor.skip('-');
    const int day = cursor.take_number(2);
    if (!dash1 || !dash2 || year < 0 || month < 0 || day < 0) return bad_instant(text, "is not an RFC 3339 instant");
    if (!cursor.skip('T') && !cursor.skip('t') && !cursor.skip(' ')) return bad_instant(text, "has no time of day");

    const int hour = cursor.take_number(2);
    const bool colon1 = cursor.skip(':');
    const int minute = cursor.take_number(2);
    const bool colon2 = cursor.skip(':');
    const int second = cursor.take_number(2);
    if (!colon1 || !colon2 || hour < 0 || minute < 0 || second < 0) return bad_instant(text, "has no time of day");
    Micros fraction{0};
    if (cursor.skip('.')) {
        const std::string_view digits = cursor.take(is_digit);
        if (digits.empty()) return bad_instant(text, "has no digit after the point");
        fraction = micros_of_fraction(digits);
    }
    const auto zone = take_zone(cursor);
    if (!zone) return bad_instant(text, "has no zone (Z, or an offset such as +02:00)");
    if (!cursor.done()) return bad_instant(text, "has something after the zone");

    namespace chr = std::chrono;
    const chr::year_month_day date{chr::year{year}, chr::month{static_cast<unsigned>(month)},
                                   chr::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return bad_instant(text, "is a day that the calendar does not have");
    // 60 is a leap second: the clock of the machine does not know it, so it is the second after.
    if (hour > 23 || minute > 59 || second > 60) return bad_instant(text, "is a time that no day has");
    return WallInstant{chr::sys_days{date} + chr::hours{hour} + chr::minutes{minute} + chr::seconds{second} + fraction -
                       *zone};
}

Result<std::variant<Micros, WallInstant>> parse_deadline(std::string_view text) {
    using Either = std::variant<Micros, WallInstant>;
    if (text.size() > 4 && text[4] == '-') {
        const auto at = parse_instant(text);
        if (!at) return at.error();
        return Either{*at};
    }
    const auto length = parse_duration(text);
    if (!length) return length.error();
    return Either{*length};
}

std::string format_duration(Micros length) {
    // Unsigned, because the smallest int64 has no positive counterpart.
    const bool negative = length.count() < 0;
    std::uint64_t us = static_cast<std::uint64_t>(length.count());
    if (negative) us = 0 - us;

    const auto with = [&](std::uint64_t n, std::string_view unit) {
        return (negative ? "-" : "") + std::to_string(n) + " " + std::string(unit);
    };
    if (us == 0) return "0 s";
    if (us < 1'000) return with(us, "us");
    const auto with_tenth = [&](std::uint64_t tenths, std::string_view unit) {
        if (tenths % 10 == 0) return with(tenths / 10, unit);
        return (negative ? "-" : "") + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " +
               std::string(unit);
    };
    if (us < 10'000) return with_tenth(us / 100, "ms");
    if (us < 1'000'000) return with(us / 1'000, "ms");
    if (us < 60'000'000) return with_tenth(us / 100'000, "s");
    const std::uint64_t s = us / 1'000'000;
    const auto two = [&](std::uint64_t large, std::string_view large_unit, std::uint64_t small,
                         std::string_view small_unit) {
        std::string out = with(large, large_unit);
        if (small > 0) out += " " + std::to_string(small) + " " + std::string(small_unit);
        return out;
    };
    if (s < 3'600) return two(s / 60, "min", s % 60, "s");
    if (s < 86'400) return two(s / 3'600, "h", s / 60 % 60, "min");
    return two(s / 86'400, "d", s / 3'600 % 24, "h");
}

std::string format_instant(WallInstant at) {
    namespace chr = std::chrono;
    const auto day = chr::floor<chr::days>(at);
    const chr::year_month_day date{day};
    const chr::hh_mm_ss time{chr::floor<chr::milliseconds>(at - day)};
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text;
}

}  // namespace pawl::core
