// Which of the limits that apply to an attempt comes first (spec section 6).
#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::core {

enum class LimitKind : std::uint8_t {
    none,
    step_timeout,   ///< of one attempt: the attempt is over
    step_total,     ///< over all attempts: the step fails
    task_deadline,  ///< the task's or an ancestor's: end of task
    active_time,    ///< the task's time of running: its budget policy decides
};
std::string_view to_string(LimitKind kind);

/// What is known when an attempt starts. Every limit may be absent.
struct LimitFacts {
    Instant now{};                              ///< store time
    WallInstant wall{};                         ///< wall clock
    std::optional<Micros> step_timeout;         ///< length of one attempt
    std::optional<Micros> step_total;           ///< length over all attempts, with `step_first_started`
    std::optional<Instant> step_first_started;  ///< as recorded; absent: this is the first
    std::optional<WallInstant> task_deadline;
    std::optional<WallInstant> ancestors_deadline;  ///< the earliest of the task's ancestors
    std::optional<Micros> active_time;              ///< length of running allowed, with `active_so_far`
    Micros active_so_far{0};
};

struct TimeLimit {
    LimitKind kind = LimitKind::none;
    std::optional<Micros> left;  ///< >= 0; absent with kind none
};

/// The limit that ends the attempt first; of equal ones the one with the widest consequence (deadline, active time,
/// total, timeout). A limit that has passed counts as 0 left.
TimeLimit nearest_limit(const LimitFacts& facts);

/// Time left for further attempts: as nearest_limit, without the limit of the single attempt. For decide_retry.
std::optional<Micros> time_for_retries(const LimitFacts& facts);

}  // namespace pawl::core
