/// How often and how soon a failed step is tried again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace pawl {

/// Lengths of time in the public interface; milliseconds are fine enough for anything durable.
using Duration = std::chrono::milliseconds;
/// Absolute instants in the public interface follow the wall clock.
using TimePoint = std::chrono::system_clock::time_point;

/// What an operation does to the world outside, which decides what a crash in the middle means.
enum class Effect : std::uint8_t {
    read,        ///< changes nothing: may run again, need not wait for the flush of what was before it
    idempotent,  ///< may run again: the receiver honours the step's key, or repeating does no harm
    once,        ///< never repeated by itself: without a recorded result its outcome is *unknown*
};
using enum Effect;

/// What happens to a step that used up its attempts.
enum class Exhausted : std::uint8_t { fail, pause };

/// Retry policy of a step. Defaults: 5 attempts, the first included; 1 s, then twice as long each time, at most
/// 60 s, with ±20 % jitter (the doubling stays visible). Every wait is durable and holds no worker.
class Retry {
public:
    constexpr Retry() = default;

    // clang-format off
    /// Attempts in all, the first included, 0 to 1,000; 0 = no limit, which needs a deadline.
    constexpr Retry& attempts(int n) { attempts_ = n; return *this; }
    /// Wait before the second attempt.
    constexpr Retry& delay(Duration d) { delay_ = d; return *this; }
    constexpr Retry& factor(double f) { factor_ = f; return *this; }
    constexpr Retry& max_delay(Duration d) { max_delay_ = d; return *this; }
    /// Share of the delay that is drawn by chance: 0.2 gives 80 to 120 %, 1.0 gives 0 to 100 % ("full").
    constexpr Retry& jitter(double share) { jitter_ = share; return *this; }
    constexpr Retry& on_exhausted(Exhausted e) { on_exhausted_ = e; return *this; }

    /// One attempt only.
    static constexpr Retry none() { Retry r; r.attempts(1); return r; }
    /// For calls of a model: 8 attempts, full jitter.
    static constexpr Retry model_call() { Retry r; r.attempts(8).jitter(1.0); return r; }
    // clang-format on

    constexpr int attempts() const { return attempts_.value_or(5); }
    /// False while `attempts` was not called: then the task's own default counts.
    constexpr bool attempts_given() const { return attempts_.has_value(); }
    constexpr Duration delay() const { return delay_.value_or(Duration{1'000}); }
    constexpr double factor() const { return factor_.value_or(2.0); }
    constexpr Duration max_delay() const { return max_delay_.value_or(Duration{60'000}); }
    constexpr double jitter() const { return jitter_.value_or(0.2); }
    constexpr Exhausted on_exhausted() const { return on_exhausted_.value_or(Exhausted::fail); }

    /// This policy, with what was not set in it taken from `other`: a step's over its type's.
    constexpr Retry over(const Retry& other) const {
        Retry both = *this;
        if (!both.attempts_) both.attempts_ = other.attempts_;
        if (!both.delay_) both.delay_ = other.delay_;
        if (!both.factor_) both.factor_ = other.factor_;
        if (!both.max_delay_) both.max_delay_ = other.max_delay_;
        if (!both.jitter_) both.jitter_ = other.jitter_;
        if (!both.on_exhausted_) both.on_exhausted_ = other.on_exhausted_;
        return both;
    }

private:
    std::optional<int> attempts_;
    std::optional<Duration> delay_;
    std::optional<double> factor_;
    std::optional<Duration> max_delay_;
    std::optional<double> jitter_;
    std::optional<Exhausted> on_exhausted_;
};

/// Whether repeating a failed attempt can help.
enum class ErrorClass : std::uint8_t {
    retryable,  ///< it did not happen and may work later
    final,      ///< repeating cannot help
    unknown,    ///< it may have happened
};

/// To throw from a step, by the three functions below. Any other `std::exception` counts as retryable, a
/// `std::logic_error` as final (a bug does not heal by waiting). In a `once` step `retryable` (it did not happen)
/// is repeated, `final_error` fails the step, and anything else leaves the outcome unknown.
class StepError : public std::runtime_error {
public:
    StepError(ErrorClass c, const std::string& message) : std::runtime_error(message), cls(c) {}
    // clang-format off
    /// Wait at least this long before the next attempt (a server's Retry-After).
    StepError& after(Duration d) { wait = d; return *this; }
    // clang-format on

    ErrorClass cls;
    std::optional<Duration> wait;
};

[[nodiscard]] inline StepError retryable(const std::string& message) { return {ErrorClass::retryable, message}; }
[[nodiscard]] inline StepError final_error(const std::string& message) { return {ErrorClass::final, message}; }
[[nodiscard]] inline StepError unknown_outcome(const std::string& message) { return {ErrorClass::unknown, message}; }

}  // namespace pawl
