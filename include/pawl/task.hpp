/// Tasks as a client sees them: type, options at submit, state.
#pragma once

#include <pawl/retry.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pawl {

/// A type's name with its input and output, shared by worker, client and parent.
///
///     inline constexpr pawl::TaskType<Deploy, Release> deploy_type{"deploy"};
template <class In, class Out>
struct TaskType {
    std::string_view name;
    constexpr explicit TaskType(std::string_view n) : name(n) {}
};

/// docs/concepts.md has the graph. `completed`, `failed` and `cancelled` are final.
enum class TaskState : std::uint8_t { pending, running, waiting, paused, completed, failed, cancelled };

/// Why a task is in its state; machine-readable, stable.
enum class Reason : std::uint8_t {
    none,
    // clang-format off
    queued, scheduled, retry, throttled,                                   // pending
    timer, signal, approval, child, rate_limit,                            // waiting
    by_operator, exhausted, poison, diverged, outcome_unknown, budget,     // paused
    error, deadline, expired,                                              // failed (and budget)
    user, parent, killed,                                                  // cancelled
    // clang-format on
};

std::string_view to_string(TaskState state);
std::string_view to_string(Reason reason);
std::optional<TaskState> task_state_from_string(std::string_view name);
std::optional<Reason> reason_from_string(std::string_view name);

constexpr bool is_final(TaskState s) {
    return s == TaskState::completed || s == TaskState::failed || s == TaskState::cancelled;
}

struct TaskStatus {
    TaskState state = TaskState::pending;
    Reason reason = Reason::none;
};

/// What submit does when the key already has a task.
enum class OnExisting : std::uint8_t {
    attach,           ///< answer with the first task
    reject,           ///< refuse (`key_exists`)
    retry_if_failed,  ///< reopen the first task if it failed or was cancelled; else attach
    replace,          ///< cancel the first task unless it is final; the key moves to the new one
};

/// Options of one submit. None of them takes part in the key's fingerprint: only type and input do.
class SubmitOptions {
public:
    // clang-format off
    /// Idempotency key, 1 to 255 bytes, scoped to namespace and type; lives until 7 days after the end.
    SubmitOptions& key(std::string_view k) { key_ = k; return *this; }
    SubmitOptions& queue(std::string_view q) { queue_ = q; return *this; }
    /// -100 to 100, higher first, default 0. Low priorities age, so none starves.
    SubmitOptions& priority(int p) { priority_ = p; return *this; }
    /// Limit of the whole task, from now.
    SubmitOptions& deadline(Duration d) { deadline_ = d; return *this; }
    SubmitOptions& deadline(TimePoint t) { deadline_ = t; return *this; }
    /// First start no earlier than this from now.
    SubmitOptions& delay(Duration d) { delay_ = d; return *this; }
    /// Fails as `expired` when it has not been started by then.
    SubmitOptions& queue_timeout(Duration d) { queue_timeout_ = d; return *this; }
    /// Attempts for steps that set none, 0 to 1,000; 0 = no limit, which needs a deadline.
    SubmitOptions& max_attempts(int n) { max_attempts_ = n; return *this; }
    SubmitOptions& on_existing(OnExisting e) { on_existing_ = e; return *this; }
    SubmitOptions& tags(std::vector<std::string> t) { tags_ = std::move(t); return *this; }
    // clang-format on

    const std::string& key() const { return key_; }
    const std::string& queue() const { return queue_; }
    std::optional<int> priority() const { return priority_; }
    const std::variant<std::monostate, Duration, TimePoint>& deadline() const { return deadline_; }
    std::optional<Duration> delay() const { return delay_; }
    std::optional<Duration> queue_timeout() const { return queue_timeout_; }
    std::optional<int> max_attempts() const { return max_attempts_; }
    OnExisting on_existing() const { return on_existing_; }
    const std::vector<std::string>& tags() const { return tags_; }

private:
    std::string key_, queue_;
    std::optional<int> priority_;
    std::variant<std::monostate, Duration, TimePoint> deadline_;
    std::optional<Duration> delay_, queue_timeout_;
    std::optional<int> max_attempts_;
    OnExisting on_existing_ = OnExisting::attach;
    std::vector<std::string> tags_;
};

/// Input of an agent.
struct Prompt {
    std::string text;
    Prompt() = default;
    Prompt(const char* t) : text(t) {}
    Prompt(std::string t) : text(std::move(t)) {}
};
BOOST_DESCRIBE_STRUCT(Prompt, (), (text))

/// Output of an agent.
struct Answer {
    std::string text;
    int model_calls = 0;
    int tool_calls = 0;
    std::int64_t tokens = 0;
    std::int64_t cost_uusd = 0;  ///< millionths of a dollar; 0 when the model's price is not known
    /// Why the endpoint ended the answer before the model did: `length`, `content_filter`. Nothing: it is whole.
    std::optional<std::string> finish_reason{};
};
BOOST_DESCRIBE_STRUCT(Answer, (), (text, model_calls, tool_calls, tokens, cost_uusd, finish_reason))

/// What becomes of a task whose budget is spent; its reason is `budget` either way.
enum class OnBreach : std::uint8_t { pause, fail };

/// An agent is a task type like any other: submit it, or make it a child.
using AgentType = TaskType<Prompt, Answer>;

}  // namespace pawl
