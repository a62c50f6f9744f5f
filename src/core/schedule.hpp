// Schedules: which firings of a cron line or an interval become tasks, and when. Decisions only: a store keeps the
// state, and a firing is a submit with a key of its own (firing_key), so that no repetition makes a second task.
#pragma once

#include "core/cron.hpp"
#include "core/time.hpp"
#include "core/time_zone.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pawl::core {

/// Fires at `offset` after 1970 and every `length` before and after that: neither downtime nor a change moves it.
struct Every {
    Micros length{0};
    Micros offset{0};
    friend bool operator==(const Every&, const Every&) = default;
};

/// What becomes of a firing while a task of an earlier one is not final.
enum class Overlap : std::uint8_t {
    skip,          ///< nothing
    buffer_one,    ///< it waits for the end of that task; while one waits, later ones are skipped
    buffer_all,    ///< it waits its turn, behind at most 1,000 others
    cancel_other,  ///< that task is cancelled; it waits for the end, and a later one takes its place
    kill_other,    ///< the same with kill
    allow,         ///< both run
};
std::string_view to_string(Overlap overlap);
std::optional<Overlap> overlap_from_string(std::string_view name);

struct Schedule {
    std::string name;
    std::variant<Every, Cron> when;
    TimeZone zone;  ///< of the cron line
    Overlap overlap = Overlap::skip;
    Micros catch_up = std::chrono::hours{24};  ///< a firing that could not be handled for longer is skipped
    Micros jitter{0};                          ///< a firing is put off by less than this, and never up to the next one
    std::optional<WallInstant> start, end;     ///< no firing before or after
    std::optional<std::string> paused;         ///< why; nothing is submitted
};

/// Errors: bad_input, with the field and its limits; also when there is no firing after `now`.
Result<void> check_schedule(const Schedule& schedule, WallInstant now);

/// The first firing strictly after an instant, within start and end; nothing beyond the year 9999.
std::optional<WallInstant> next_firing(const Schedule& schedule, WallInstant after);

/// When a firing is due: put off by its jitter, which follows from the name and the firing alone. The order of firings
/// stays.
WallInstant due_at(const Schedule& schedule, WallInstant firing);

/// The idempotency key of a firing's submit.
std::string firing_key(std::string_view name, WallInstant firing);

/// What a store keeps of a schedule. A firing, and its task, are named by the instant: as the key does it.
struct ScheduleState {
    enum class Asked : std::uint8_t { nothing, cancel, kill };
    struct Running {
        WallInstant firing;
        Asked asked = Asked::nothing;
        friend bool operator==(const Running&, const Running&) = default;
    };

    WallInstant handled{};                  ///< every firing up to it is decided for good; at first the creation
    std::vector<Running> running;           ///< submitted and not known to be final; none are noted with `allow`
    std::vector<WallInstant> waiting;       ///< decided to be submitted, after the end of what runs
    std::optional<std::int64_t> remaining;  ///< submits that may still be made

    friend bool operator==(const ScheduleState&, const ScheduleState&) = default;
};

/// For the end of a pause and after a change of `when`: what lies before `now` does not fire any more.
void skip_until(ScheduleState& state, WallInstant now);

struct ScheduleAction {
    enum class What : std::uint8_t {
        submit,
        skip,
        cancel,  ///< the task of that firing, repeat-safe
        kill,
    };
    enum class Why : std::uint8_t {
        none,
        missed,       ///< longer ago than the catch-up window
        overlap,      ///< an earlier task is not final
        buffer_full,  ///< 1,000 wait already
        replaced,     ///< a later firing waits in its place
    };

    What what = What::submit;
    WallInstant firing{};
    Why why = Why::none;
    WallInstant through{};  ///< with `missed`: every firing from `firing` until here

    friend bool operator==(const ScheduleAction&, const ScheduleAction&) = default;
};
std::string_view to_string(ScheduleAction::Why why);

struct ScheduleFacts {
    WallInstant now{};
    std::span<const WallInstant> ended;  ///< firings of `running` whose tasks are final
    int firings_max = 100;               ///< decided in one turn
};

struct ScheduleTurn {
    std::vector<ScheduleAction> actions;  ///< in order
    ScheduleState state;                  ///< to be kept in one transaction with the actions
    /// When to take the next turn; at once if that is not after `now`. Absent: when a task ends, or never.
    std::optional<WallInstant> next_due;
    bool finished = false;  ///< nothing will be submitted any more
};

/// What is to be done now. The same arguments give the same answer; a wall clock that was put back fires nothing
/// twice. To be called when it is due, when a task of the schedule has ended, and after a change.
ScheduleTurn take_turn(const Schedule& schedule, ScheduleState state, const ScheduleFacts& facts);

}  // namespace pawl::core
