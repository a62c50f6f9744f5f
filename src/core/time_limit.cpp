#include "core/time_limit.hpp"

#include <algorithm>
#include <limits>

namespace pawl::core {
namespace {

// a - b, at least 0. Instants come from clocks and from disk: the plain difference could overflow.
Micros left_of(std::int64_t a, std::int64_t b) {
    std::int64_t left = 0;
    if (a <= b) return Micros{0};
    if (__builtin_sub_overflow(a, b, &left)) return Micros{std::numeric_limits<std::int64_t>::max()};
    return Micros{left};
}

void take_nearer(TimeLimit& nearest, LimitKind kind, Micros left) {
    if (!nearest.left || left < *nearest.left) nearest = {kind, left};
}

}  // namespace

std::string_view to_string(LimitKind kind) {
    switch (kind) {
        case LimitKind::none:
            return "none";
        case LimitKind::step_timeout:
            return "step.timeout";
        case LimitKind::step_total:
            return "step.total";
        case LimitKind::task_deadline:
            return "task.deadline";
        case LimitKind::active_time:
            return "task.active_time";
    }
    return "unknown";
}

TimeLimit nearest_limit(const LimitFacts& f) {
    TimeLimit nearest;
    // In the order of consequence: a later one must be strictly nearer to count.
    if (f.task_deadline)
        take_nearer(nearest, LimitKind::task_deadline, left_of(count(*f.task_deadline), count(f.wall)));
    if (f.ancestors_deadline) {
        take_nearer(nearest, LimitKind::task_deadline, left_of(count(*f.ancestors_deadline), count(f.wall)));
    }
    if (f.active_time) {
        take_nearer(nearest, LimitKind::active_time, left_of(f.active_time->count(), f.active_so_far.count()));
    }
    if (f.step_total) {
        const Micros used = f.step_first_started ? left_of(count(f.now), count(*f.step_first_started)) : Micros{0};
        take_nearer(nearest, LimitKind::step_total, left_of(f.step_total->count(), used.count()));
    }
    if (f.step_timeout) take_nearer(nearest, LimitKind::step_timeout, std::max(*f.step_timeout, Micros{0}));
    return nearest;
}

std::optional<Micros> time_for_retries(const LimitFacts& facts) {
    LimitFacts over_attempts = facts;
    over_attempts.step_timeout.reset();
    return nearest_limit(over_attempts).left;
}

}  // namespace pawl::core
