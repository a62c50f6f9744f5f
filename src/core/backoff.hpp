// What follows a failed attempt of a step: another one, when, or the end of the step (spec section 5).
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>
#include <pawl/retry.hpp>

#include <optional>
#include <string>

namespace pawl::core {

/// Errors: bad_input when a value of the policy is outside its limits. Call it where the policy enters: at
/// registration, or at the call of the step.
Result<void> check_retry(const Retry& policy);

/// Facts about the attempt that has just failed.
struct FailedAttempt {
    int number = 1;  ///< 1 is the first; attempts cut by a crash do not count
    ErrorClass cls = ErrorClass::retryable;
    Effect effect = Effect::idempotent;
    std::optional<Micros> retry_after;  ///< the server's wish
    std::optional<int> task_attempts;   ///< the task's default, for policies that set none
    std::optional<Micros> remaining;    ///< to the nearest of step.total, task.deadline and the ancestors' limits
    double jitter = 0.5;                ///< drawn from [0, 1) by the caller: the same facts give the same answer
};

struct RetryDecision {
    enum class What : std::uint8_t {
        retry,    ///< after `delay`
        fail,     ///< the step fails
        pause,    ///< the task waits for an operator: paused(exhausted)
        unknown,  ///< a `once` step that may have happened: on_unknown decides
    };
    enum class Why : std::uint8_t { retryable, final, exhausted, no_time_left, may_have_happened };
    What what = What::fail;
    Why why = Why::final;
    Micros delay{0};
    std::string text;  ///< for people: "attempt 2 of 5 failed, next in 2 s"
};

/// Attempts the step may use in all, 0 = no limit: the policy's, else the task's, else 5.
int attempts_allowed(const Retry& policy, std::optional<int> task_attempts);

/// Requires: a policy that check_retry accepts, number >= 1, jitter in [0, 1).
///
/// Guarantee: a delay is never longer than max_delay (a Retry-After: than 10 min) and always shorter than
/// `remaining`. A `once` step is never repeated unless its error says that nothing happened.
RetryDecision decide_retry(const Retry& policy, const FailedAttempt& failed);

}  // namespace pawl::core
