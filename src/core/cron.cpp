#include "core/cron.hpp"

#include "core/assert.hpp"
#include "core/cron_field.hpp"
#include "core/shown.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace pawl::core {

namespace chr = std::chrono;

namespace {

constexpr std::size_t line_bytes_max = 1'024;
constexpr chr::year year_max{9'999};
constexpr chr::years calendar_cycle{400};  // the calendar, days of week included, repeats after it

constexpr std::pair<std::string_view, std::string_view> words[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> fields;
    for (std::size_t at = 0; at < line.size();) {
        std::size_t end = at;
        while (end < line.size() && !is_blank(line[end])) ++end;
        if (end > at) fields.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    return fields;
}

Error bad_line(std::string_view line, std::string_view why) {
    return {Errc::bad_input, "cron line " + shown(line, 80) + ": " + std::string(why)};
}

// What a word stands for, or the line itself.
Result<std::string_view> spelt_out(std::string_view line) {
    if (line.front() != '@') return line;
    for (const auto& [word, meaning] : words) {
        if (line == word) return meaning;
    }
    return bad_line(line, "is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually");
}

Error wrong_count(std::string_view line, std::size_t count) {
    std::string why = "has " + std::to_string(count) + (count == 1 ? " field" : " fields") +
                      " in place of 5: minute, hour, day of month, month, day of week";
    if (count == 6 || count == 7)
        why += "; seconds and years are none of them, an interval can be shorter than a minute";
    return bad_line(line, why);
}

bool has(std::uint64_t set, unsigned value) { return (set >> value & 1) != 0; }

// The first instant at which the clock of the zone shows `local` or later.
WallInstant fires_at(chr::local_seconds local, const TimeZone& zone) { return zone.to_instant(local).at; }

}  // namespace

Result<Cron> Cron::parse(std::string_view line) {
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    if (line.empty()) return bad_line(line, "is empty; write for example \"30 2 * * *\" for each day at 2:30");
    if (line.size() > line_bytes_max) return bad_line(line, "has more than 1,024 bytes");

    const auto meant = spelt_out(line);
    if (!meant) return meant.error();
    const auto fields = split(*meant);
    if (fields.size() != 5) return wrong_count(line, fields.size());

    Cron cron;
    cron.text_ = line;
    std::uint64_t* const sets[] = {&cron.minutes_, &cron.hours_, &cron.days_, &cron.months_, &cron.weekdays_};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto set = parse_cron_field(cron_fields[i], fields[i]);
        if (!set) return bad_line(line, set.error().message);
        *sets[i] = *set;
    }
    cron.either_day_ = fields[2].front() != '*' && fields[4].front() != '*';
    // Some lines that look possible are not: 31 February, or 30 February in a list. Any cycle of the calendar shows it.
    if (!cron.next_day(chr::local_days{chr::year{2000} / 1 / 1})) {
        return bad_line(line, "never fires: no month that it names has such a day");
    }
    return cron;
}

bool Cron::fits(chr::year_month_day date) const {
    const bool day = has(days_, static_cast<unsigned>(date.day()));
    const bool weekday = has(weekdays_, chr::weekday{chr::local_days{date}}.c_encoding());
    return either_day_ ? day || weekday : day && weekday;
}

// Month by month, and day by day only within a month that fits: 4,800 months at the most, and some dozen in practice
// (29 February on a Sunday comes every 28 or 40 years).
std::optional<chr::local_days> Cron::next_day(chr::local_days from) const {
    const chr::year_month_day start{from};
    chr::year_month month = start.year() / start.month();
    const chr::year_month end = month + calendar_cycle;
    for (unsigned day = static_cast<unsigned>(start.day()); month <= end; month += chr::months{1}, day = 1) {
        if (!has(months_, static_cast<unsigned>(month.month()))) continue;
        const auto last = static_cast<unsigned>((month / chr::last).day());
        for (; day <= last; ++day) {
            if (fits(month / chr::day{day})) return chr::local_days{month / chr::day{day}};
        }
    }
    return std::nullopt;
}

// The first time of day that fits, from `from` on.
std::optional<chr::minutes> Cron::next_time(chr::minutes from) const {
    auto minute = static_cast<unsigned>(from.count() % 60);
    for (auto hour = static_cast<unsigned>(from.count() / 60); hour < 24; ++hour, minute = 0) {
        if (!has(hours_, hour)) continue;
        for (; minute < 60; ++minute) {
            if (has(minutes_, minute)) return chr::hours{hour} + chr::minutes{minute};
        }
    }
    return std::nullopt;
}

std::optional<WallInstant> Cron::next_after(WallInstant at, const TimeZone& zone) const {
    const auto since = chr::floor<chr::seconds>(at);
    const chr::local_days first_day{chr::year{1} / 1 / 1}, last_day{year_max / 12 / 31};
    // What the clock has shown already has fired already.
    const auto shown = std::max<chr::local_seconds>(zone.latest_shown(since), first_day);
    const auto from = chr::floor<chr::minutes>(shown) + chr::minutes{1};

    const auto today = chr::floor<chr::days>(from);
    if (today > last_day) return std::nullopt;
    auto day = next_day(today);
    auto time = day == today ? next_time(from - today) : next_time(chr::minutes{0});
    if (!time) {
        day = next_day(today + chr::days{1});
        time = next_time(chr::minutes{0});
    }
    PAWL_ASSERT(day && time);
    if (*day > last_day) return std::nullopt;
    const WallInstant next = fires_at(*day + *time, zone);
    PAWL_ASSERT(next > at);
    return next;
}

}  // namespace pawl::core
