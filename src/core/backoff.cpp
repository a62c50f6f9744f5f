#include "core/backoff.hpp"

#include "core/assert.hpp"
#include "core/duration.hpp"
#include "core/limits.hpp"

#include <algorithm>
#include <cmath>

namespace pawl::core {
namespace {

constexpr double factor_max = 100.0;

Error bad_policy(std::string_view field, std::string_view value, std::string_view limit) {
    return {Errc::bad_input,
            "retry." + std::string(field) + " is " + std::string(value) + "; it must be " + std::string(limit)};
}

std::optional<Error> check_length(std::string_view field, Duration value) {
    // Compared in milliseconds: the same length in microseconds may overflow.
    constexpr auto most = std::chrono::duration_cast<Duration>(limits::delay_max);
    if (value >= Duration{0} && value <= most) return std::nullopt;
    return bad_policy(field, std::to_string(value.count()) + " ms", "0 to 10 years");
}

// The delay before the next attempt as the policy alone wants it.
Micros delay_after(const Retry& policy, int number, double draw) {
    const double first_us = static_cast<double>(policy.delay().count()) * 1e3;
    const double most_us = static_cast<double>(policy.max_delay().count()) * 1e3;
    if (first_us <= 0) return Micros{0};

    // Capped as a double: after some 40 doublings the product no longer fits an int64, later it is infinite.
    const double grown_us = std::min(first_us * std::pow(policy.factor(), number - 1), most_us);
    // "Full" jitter draws the whole delay; smaller shares go both ways, so that the growth stays visible.
    const double share = policy.jitter();
    const double drawn_us = grown_us * (share >= 1.0 ? draw : 1.0 + share * (2.0 * draw - 1.0));
    return Micros{static_cast<std::int64_t>(std::clamp(drawn_us, 0.0, most_us))};
}

std::string attempt_text(int number, int allowed) {
    const std::string of = allowed == 0 ? "" : " of " + std::to_string(allowed);
    return "attempt " + std::to_string(number) + of + " failed";
}

}  // namespace

Result<void> check_retry(const Retry& policy) {
    if (policy.attempts() < 0 || policy.attempts() > limits::attempts_max) {
        return bad_policy("attempts", std::to_string(policy.attempts()), "0 (no limit) to 1,000");
    }
    if (auto bad = check_length("delay", policy.delay())) return *bad;
    if (auto bad = check_length("max_delay", policy.max_delay())) return *bad;
    // Written so that NaN fails too.
    if (!(policy.factor() >= 1.0 && policy.factor() <= factor_max)) {
        return bad_policy("factor", std::to_string(policy.factor()), "1 to 100");
    }
    if (!(policy.jitter() >= 0.0 && policy.jitter() <= 1.0)) {
        return bad_policy("jitter", std::to_string(policy.jitter()), "a share from 0 to 1");
    }
    return {};
}

int attempts_allowed(const Retry& policy, std::optional<int> task_attempts) {
    if (policy.attempts_given()) return policy.attempts();
    return task_attempts.value_or(limits::attempts_default);
}

RetryDecision decide_retry(const Retry& policy, const FailedAttempt& failed) {
    PAWL_ASSERT(check_retry(policy));
    PAWL_ASSERT(failed.number >= 1);
    PAWL_ASSERT(failed.jitter >= 0.0 && failed.jitter < 1.0);
    using What = RetryDecision::What;
    using Why = RetryDecision::Why;

    const int allowed = attempts_allowed(policy, failed.task_attempts);
    const std::string text = attempt_text(failed.number, allowed);
    if (failed.effect == Effect::once && failed.cls == ErrorClass::unknown) {
        return {What::unknown, Why::may_have_happened, Micros{0},
                text + "; its effect may have happened, so it is not repeated"};
    }
    if (failed.cls == ErrorClass::final) {
        return {What::fail, Why::final, Micros{0}, text + " with an error that repeating cannot mend"};
    }
    // Not ==: new code may allow fewer attempts than an older one has used.
    if (allowed != 0 && failed.number >= allowed) {
        const What end = policy.on_exhausted() == Exhausted::pause ? What::pause : What::fail;
        return {end, Why::exhausted, Micros{0}, text + "; no attempt is left"};
    }

    Micros delay = delay_after(policy, failed.number, failed.jitter);
    if (failed.retry_after) delay = std::max(delay, std::min(*failed.retry_after, limits::retry_after_max));
    if (failed.remaining && delay >= *failed.remaining) {
        const Micros left = std::max(*failed.remaining, Micros{0});
        return {What::fail, Why::no_time_left, Micros{0},
                text + "; the next would start in " + format_duration(delay) + ", but only " + format_duration(left) +
                    " are left"};
    }
    PAWL_ASSERT(delay >= Micros{0});
    return {What::retry, Why::retryable, delay, text + ", next in " + format_duration(delay)};
}

}  // namespace pawl::core
