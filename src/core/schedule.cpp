#include "core/schedule.hpp"

#include "core/assert.hpp"
#include "core/duration.hpp"
#include "core/limits.hpp"
#include "core/sha256.hpp"
#include "core/validate.hpp"

#include <algorithm>
#include <utility>

namespace pawl::core {
namespace {

using namespace std::chrono_literals;
using Wide = __int128;

// As for a cron line.
constexpr WallInstant last_instant = std::chrono::sys_days{std::chrono::December / 31 / 9'999};

constexpr std::pair<Overlap, std::string_view> overlap_names[] = {
    {Overlap::skip, "skip"},
    {Overlap::buffer_one, "buffer_one"},
    {Overlap::buffer_all, "buffer_all"},
    {Overlap::cancel_other, "cancel_other"},
    {Overlap::kill_other, "kill_other"},
    {Overlap::allow, "allow"},
};

Error bad(std::string message) { return {Errc::bad_input, std::move(message)}; }

Result<void> check_range(std::string_view field, Micros value, std::pair<Micros, Micros> limits) {
    if (value >= limits.first && value <= limits.second) return {};
    return bad(std::string(field) + " " + format_duration(value) + " is not in " + format_duration(limits.first) +
               " to " + format_duration(limits.second));
}

// Wide, because instants come from clocks and from disk.
std::optional<WallInstant> next_of(const Every& every, WallInstant after) {
    PAWL_ASSERT(every.length > Micros{0});
    const Wide length = every.length.count();
    const Wide since = Wide{count(after)} - every.offset.count();
    const Wide periods = since / length - (since % length < 0 ? 1 : 0);
    const Wide next = (periods + 1) * length + every.offset.count();
    if (next > count(last_instant)) return std::nullopt;
    return wall_instant(static_cast<std::int64_t>(next));
}

// The difference of two instants, at most the largest length.
Micros length_between(WallInstant from, WallInstant to) {
    const Wide length = Wide{count(to)} - count(from);
    return Micros{static_cast<std::int64_t>(std::min<Wide>(length, Micros::max().count()))};
}

// The first firing strictly after an instant, as if there were no end.
std::optional<WallInstant> endless_next(const Schedule& schedule, WallInstant after) {
    // `start` itself may fire.
    if (schedule.start && after < *schedule.start) after = *schedule.start - Micros{1};
    const auto* every = std::get_if<Every>(&schedule.when);
    const auto next =
        every != nullptr ? next_of(*every, after) : std::get<Cron>(schedule.when).next_after(after, schedule.zone);
    PAWL_ASSERT(!next || *next > after);
    return next;
}

}  // namespace

std::string_view to_string(Overlap overlap) {
    for (const auto& [value, name] : overlap_names) {
        if (value == overlap) return name;
    }
    return "unknown";
}

std::optional<Overlap> overlap_from_string(std::string_view name) {
    for (const auto& [value, known] : overlap_names) {
        if (known == name) return value;
    }
    return std::nullopt;
}

std::string_view to_string(ScheduleAction::Why why) {
    switch (why) {
        case ScheduleAction::Why::none:
            return "none";
        case ScheduleAction::Why::missed:
            return "missed";
        case ScheduleAction::Why::overlap:
            return "overlap";
        case ScheduleAction::Why::buffer_full:
            return "buffer_full";
        case ScheduleAction::Why::replaced:
            return "replaced";
    }
    return "unknown";
}

Result<void> check_schedule(const Schedule& schedule, WallInstant now) {
    if (auto checked = check_name({"schedule", schedule.name}); !checked) return checked;
    if (const auto* every = std::get_if<Every>(&schedule.when)) {
        if (auto checked = check_range("interval", every->length, {1s, limits::limit_length_max}); !checked)
            return checked;
        if (every->length % 1ms != 0us || every->offset % 1ms != 0us) {
            return bad("interval " + format_duration(every->length) + " or its offset is not in whole milliseconds");
        }
        if (every->offset < 0s || every->offset >= every->length) {
            return bad("offset " + format_duration(every->offset) + " is not shorter than the interval of " +
                       format_duration(every->length) + ", or is negative");
        }
    }
    // Below 10 s a turn that is only slow would lose firings.
    if (auto checked = check_range("catch-up window", schedule.catch_up, {10s, limits::limit_length_max}); !checked)
        return checked;
    if (auto checked = check_range("jitter", schedule.jitter, {0s, 24h}); !checked) return checked;
    if (schedule.start && schedule.end && *schedule.end < *schedule.start) {
        return bad("end " + format_instant(*schedule.end) + " is before start " + format_instant(*schedule.start));
    }
    if (schedule.paused) {
        if (auto checked = check_text({"reason", *schedule.paused}, 1'024); !checked) return checked;
    }
    if (!next_firing(schedule, now)) {
        return bad("schedule \"" + schedule.name + "\" would never fire: nothing is due after now (" +
                   format_instant(now) + ")" +
                   (schedule.end ? " and until its end (" + format_instant(*schedule.end) + ")" : std::string()));
    }
    return {};
}

std::optional<WallInstant> next_firing(const Schedule& schedule, WallInstant after) {
    const auto next = endless_next(schedule, after);
    return next && schedule.end && *next > *schedule.end ? std::nullopt : next;
}

WallInstant due_at(const Schedule& schedule, WallInstant firing) {
    if (schedule.jitter <= Micros{0}) return firing;
    Micros bound = schedule.jitter;
    // Without the end: a change of it must not move the firing that was the last.
    if (const auto next = endless_next(schedule, firing)) bound = std::min(bound, length_between(firing, *next));

    std::string hashed;
    append_part(hashed, schedule.name);
    append_part(hashed, std::to_string(count(firing)));
    const Hash hash = sha256(hashed);
    std::uint64_t chance = 0;
    for (std::size_t i = 0; i < 8; ++i) chance = chance << 8 | hash[i];
    using WideUnsigned = unsigned __int128;
    const auto put_off =
        static_cast<std::int64_t>(WideUnsigned{chance} * static_cast<std::uint64_t>(bound.count()) >> 64);
    PAWL_ASSERT(put_off >= 0 && put_off < bound.count());
    return firing + std::min(Micros{put_off}, length_between(firing, WallInstant::max()));
}

std::string firing_key(std::string_view name, WallInstant firing) {
    std::string key = "schedule/" + std::string(name) + "/" + format_instant(firing);
    PAWL_ASSERT(key.size() <= limits::key_bytes_max);
    return key;
}

void skip_until(ScheduleState& state, WallInstant now) { state.handled = std::max(state.handled, now); }

}  // namespace pawl::core
