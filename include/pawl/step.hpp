/// Steps: the named, journaled units of work inside a workflow.
///
///     Volume v = co_await ctx.step("create volume", &Cloud::create_volume, cloud, in.app)
///                    .timeout(30s)
///                    .retry(pawl::Retry().attempts(3));
///
/// A step function returns its result, or throws pawl::retryable(...), pawl::final_error(...) or
/// pawl::unknown_outcome(...) (retry.hpp). It may take a last parameter `const pawl::Attempt&`. What it returns always
/// passes through its JSON form, live as in replay, so the workflow never sees a value that a replay would not. It must
/// not write to captured variables: in a replay it does not run.
///
/// How a step runs: a plain callable in the blocking pool; one that returns pawl::Async<T> on the event loop; a plain
/// one with `.on_loop()` in place, on the loop, with the promise not to block.
#pragma once

#include <pawl/async.hpp>
#include <pawl/json.hpp>
#include <pawl/result.hpp>
#include <pawl/retry.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace pawl {

class Context;
template <class T>
class Workflow;

namespace detail {
class Execution;
class Group;
struct AttemptState;
struct Scope;
}  // namespace detail

/// One try of a step, as its function sees it. Valid until the function returns; may be used from any thread.
class Attempt {
public:
    explicit Attempt(detail::AttemptState& state) : state_(&state) {}

    /// The step's idempotency key: the same over attempts, processes and upgrades, unique otherwise. Give it to the
    /// receiver of an effect.
    std::string key() const;
    /// 1, 2, 3 ...
    int number() const;
    /// When the attempt is over, by the wall clock: the earliest of all limits that apply.
    TimePoint deadline() const;
    /// The fencing token of the claim: rises with every claim of the task.
    std::int64_t fence() const;
    /// True once the attempt should end: timeout, cancel, deadline or shutdown. Threads are never killed: look here.
    bool stop_requested() const;
    /// Says "still working" to `.idle(d)`.
    void heartbeat() const;
    void log(std::string_view text) const;

    detail::AttemptState& state() const { return *state_; }

private:
    detail::AttemptState* state_;
};

/// Thrown by co_await when an operation failed for good.
class StepFailed : public std::runtime_error {
public:
    StepFailed(std::string path, std::string step, ErrorClass c, Errc errc, const std::string& why)
        : std::runtime_error(step + ": " + why),
          cls(c),
          code(errc),
          path_(std::move(path)),
          step_(std::move(step)),
          why_(why) {}
    const std::string& step() const { return step_; }
    /// The step's identity in the journal.
    const std::string& path() const { return path_; }
    const std::string& why() const { return why_; }

    ErrorClass cls;
    Errc code;

private:
    std::string path_, step_, why_;
};

/// A failure as a value: what `co_await ctx.outcome(op)` gives.
template <class T>
struct Outcome {
    std::optional<T> value;
    std::string error;
    ErrorClass error_class = ErrorClass::final;
    Errc code = Errc::step_failed;

    explicit operator bool() const { return value.has_value(); }
    T& operator*() { return *value; }
    const T& operator*() const { return *value; }
    T* operator->() { return &*value; }
};

/// What happens to a `once` step whose outcome is not known (crash, timeout, reset after the first byte ...).
class OnUnknown {
public:
    enum class Policy : std::uint8_t {
        pause,   ///< the task waits for `pawl resolve`; the default of code steps
        report,  ///< the step fails with ErrorClass::unknown: the workflow (or the model) decides
        retry,   ///< run it again
        fail,    ///< the step fails
        verify,  ///< ask a function
    };
    /// The result as JSON when it happened, nothing when it did not. Throws when it cannot tell: then `pause`.
    using Check = std::function<std::optional<std::string>(const Attempt&)>;

    static const OnUnknown pause, report, retry, fail;

    /// `f(args...)` looks whether the effect is there. It returns bool (for steps without a result) or
    /// std::optional<R>, and throws pawl::unknown_outcome when it cannot tell.
    template <class F, class... A>
    static OnUnknown verify(F f, A&&... args);

    OnUnknown(Policy p) : policy(p) {}

    Policy policy;
    bool check_gives_result = false;
    std::shared_ptr<const Check> check;
};
inline const OnUnknown OnUnknown::pause{OnUnknown::Policy::pause};
inline const OnUnknown OnUnknown::report{OnUnknown::Policy::report};
inline const OnUnknown OnUnknown::retry{OnUnknown::Policy::retry};
inline const OnUnknown OnUnknown::fail{OnUnknown::Policy::fail};

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
// g++ 12 destroys temporaries of these kinds twice when they are made inside an expression with co_await
// (docs/dev/coroutines.md), so there the form is refused at compile time.
template <class F>
concept StepFn = std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<std::remove_cvref_t<F>> ||
    !std::is_class_v<std::remove_cvref_t<F>>;
template <class A>
concept StepArg = std::is_lvalue_reference_v<A> || !std::is_aggregate_v<std::remove_cvref_t<A>> ||
                  std::is_trivially_destructible_v<std::remove_cvref_t<A>>;
#else
template <class F>
concept StepFn = true;
template <class A>
concept StepArg = true;
#endif

namespace detail {

template <class T>
struct is_async : std::false_type {};
template <class T>
struct is_async<Async<T>> : std::true_type {};

// What a step's function may return, and what the workflow then gets.
template <class T>
struct stored {
    using type = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, std::remove_cvref_t<T>>;
    static type unwrap(T&& v) { return type(std::forward<T>(v)); }
};
template <>
struct stored<void> {
    using type = void;
};
template <class T>
struct stored<Async<T>> {
    using type = typename stored<T>::type;
};
template <class T>
struct stored<Result<T>> {
    using type = typename stored<T>::type;
};
template <class T>
struct is_result : std::false_type {};
template <class T>
struct is_result<Result<T>> : std::true_type {};

template <class F, class... A>
decltype(auto) call(const Attempt& attempt, F& f, A&... args) {
    if constexpr (std::is_invocable_v<F&, A&..., const Attempt&>) return std::invoke(f, args..., attempt);
    else return std::invoke(f, args...);
}

/// The function has returned, but JSON cannot hold what it returned.
class NotStorable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
/// Apart from the function's own errors: whatever it did is done.
template <class T>
std::string stored_json(const T& value) {
    try {
        return to_json<T>(value);
    } catch (const JsonError& e) { throw NotStorable(e.what()); }
}

/// Throws the StepError that the error's family asks for.
[[noreturn]] void throw_step_error(const Error& error);

template <class Raw>
std::string encode_result(Raw&& raw) {
    using T = std::remove_cvref_t<Raw>;
    if constexpr (is_result<T>::value) {
        if (!raw) throw_step_error(raw.error());
        if constexpr (std::is_void_v<typename T::value_type>) return "null";
        else return stored_json<typename T::value_type>(*raw);
    } else {
        return stored_json<typename stored<T>::type>(std::forward<Raw>(raw));
    }
}

enum class OpKind : std::uint8_t { step, timer, signal, approval, group };
/// Waits for somebody's word.
constexpr bool is_wait(OpKind kind) { return kind == OpKind::signal || kind == OpKind::approval; }
enum class HowToRun : std::uint8_t { pool, loop, async };

/// Options of a step; the chained setters of Step fill it.
struct StepOptions {
    Retry retry;
    std::optional<Duration> timeout, total, idle;
    Effect effect = Effect::idempotent;
    OnUnknown on_unknown{OnUnknown::Policy::pause};
    bool on_loop = false;
    /// The function records its own intent by begin_effect() (command tools: the process must exist before).
    bool intent_by_step = false;
    /// Called in the pool before an attempt that a crash cut is judged; gets what begin_effect() recorded. What it
    /// throws leaves the outcome unknown, before a person: something of that attempt may still be at work.
    std::shared_ptr<const std::function<void(const std::string&)>> recover;
    /// JSON of the result when a person says that it happened and gives none; empty = there is no such.
    std::string result_if_told{};
};

/// For steps with `intent_by_step`: records the intent and waits until it is flushed. False: do not start.
bool begin_effect(const Attempt& attempt, const std::string& identity_json);

/// Where an operation stands; owned by the runtime.
struct OpState {
    enum class Phase : std::uint8_t { fresh, intent, running, recording, backoff, checking, done };
    Phase phase = Phase::fresh;
    bool abandoned = false;     // a sibling failed: its result resumes nobody
    bool intent_open = false;   // an intent is recorded and has no answer
    bool unknown_open = false;  // step_unknown is recorded and nothing since
    bool failed = false;
    bool has_looked_late = false;  // of a wait whose limit has passed: whether somebody's word came in time is known
    int attempts = 0;              // used up, lost ones excepted
    int generation = 0;            // raised by retry of the task after a known failure
    std::int64_t due_us = 0;       // store time of the next attempt or the timer; 0 = not set
    std::int64_t first_us = 0;     // store time of the first start, for .total()
    ErrorClass cls = ErrorClass::final;
    Errc code = Errc::step_failed;
    std::string identity;  // what an open intent recorded
};

/// One awaitable operation of a Context. Lives in the coroutine's frame; after it was awaited it does not move.
class OpBase {
public:
    OpBase(Context& ctx, OpKind op_kind, std::string_view op_name);
    OpBase(OpBase&&) noexcept = default;
    OpBase(const OpBase&) = delete;
    virtual ~OpBase() = default;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) {
        waiter = h;
        begin();
    }
    void bind(Scope& s) { scope = &s; }
    /// Takes its identity and registers with the execution.
    virtual void begin();

    // Steps only.
    virtual HowToRun how() const { return HowToRun::loop; }
    virtual std::string run(const Attempt&) { return "null"; }
    virtual void start_async(const Attempt&, AsyncRun&) {}
    virtual std::string take_async() { return "null"; }
    /// Throws JsonError when `json` cannot be its result.
    virtual void check_result(const std::string&) const {}
    /// Of a wait for somebody's word: what it asks for, as JSON.
    virtual std::string asks() const { return "null"; }

    OpKind kind;
    std::string name, path;
    StepOptions options;
    Duration wait{0};  // timers; of a wait for somebody's word its limit, 0 = none
    std::optional<TimePoint> until{};
    OpState state;
    std::string value;  // JSON of the result, or the text of the failure
    Context* context;
    Scope* scope = nullptr;
    Group* parent = nullptr;
    Group* abandoned_by = nullptr;
    bool failure_is_value = false;
    std::coroutine_handle<> waiter;

protected:
    /// Throws StepFailed when the operation failed.
    void check() const;
    [[noreturn]] void result_misfit(const char* what) const;
    template <class R>
    R decoded() const {
        try {
            return from_json<R>(value);
        } catch (const JsonError& e) { result_misfit(e.what()); }
    }
};

}  // namespace detail

/// What `ctx.step(...)` returns: lazy until awaited. Every setter may be left out.
template <class R, class F, class... A>
class [[nodiscard]] Step : public detail::OpBase {
public:
    template <class G, class... B>
    Step(Context& ctx, std::string_view step_name, G&& g, B&&... args)
        : OpBase(ctx, detail::OpKind::step, step_name), f_(std::forward<G>(g)), args_(std::forward<B>(args)...) {}

    // clang-format off
    /// Limit of each attempt; default 60 s. For a `once` step what passes it is unknown.
    Step&& timeout(Duration d) && { options.timeout = d; return std::move(*this); }
    /// Limit over all attempts and waits, from the first start; makes that start durable.
    Step&& total(Duration d) && { options.total = d; return std::move(*this); }
    /// Limit between two heartbeats.
    Step&& idle(Duration d) && { options.idle = d; return std::move(*this); }
    Step&& retry(const Retry& r) && { options.retry = r; return std::move(*this); }
    Step&& attempts(int n) && { options.retry.attempts(n); return std::move(*this); }
    /// Default: idempotent.
    Step&& effect(Effect e) && { options.effect = e; return std::move(*this); }
    // clang-format on
    Step&& on_unknown(OnUnknown u) && {
        if (u.check && u.check_gives_result == std::is_void_v<R>)
            throw std::logic_error(
                "on_unknown(verify) of step '" + name +
                "': the check must return std::optional of the step's result, or bool when it has none");
        options.on_unknown = std::move(u);
        return std::move(*this);
    }
    // clang-format off
    /// The promise not to block: runs in place on the event loop. For work under 50 µs.
    Step&& on_loop() && { options.on_loop = true; return std::move(*this); }
    /// For tools that start something themselves; see detail::StepOptions.
    Step&& with(const detail::StepOptions& o) && { options = o; return std::move(*this); }
    // clang-format on

    R await_resume() {
        check();
        if constexpr (!std::is_void_v<R>) return this->template decoded<R>();
    }

    void check_result(const std::string& json) const override {
        if constexpr (!std::is_void_v<R>) (void)from_json<R>(json);
    }
    detail::HowToRun how() const override {
        if constexpr (detail::is_async<Raw>::value) return detail::HowToRun::async;
        else return options.on_loop ? detail::HowToRun::loop : detail::HowToRun::pool;
    }
    std::string run(const Attempt& attempt) override {
        if constexpr (detail::is_async<Raw>::value) {
            return "null";
        } else {
            return std::apply(
                [&](auto&... x) -> std::string {
                    if constexpr (std::is_void_v<Raw>) {
                        detail::call(attempt, f_, x...);
                        return "null";
                    } else {
                        return detail::encode_result(detail::call(attempt, f_, x...));
                    }
                },
                args_);
        }
    }
    void start_async(const Attempt& attempt, detail::AsyncRun& run) override {
        if constexpr (detail::is_async<Raw>::value) {
            std::apply([&](auto&... x) { async_.emplace(detail::call(attempt, f_, x...)); }, args_);
            async_->start(run);
        } else {
            (void)attempt, (void)run;
        }
    }
    std::string take_async() override {
        if constexpr (detail::is_async<Raw>::value) {
            auto async = std::move(*async_);
            async_.reset();
            if constexpr (std::is_void_v<typename Raw::value_type>) {
                async.take();
                return "null";
            } else {
                return detail::encode_result(async.take());
            }
        } else {
            return "null";
        }
    }

private:
    using Raw = decltype(detail::call(std::declval<const Attempt&>(), std::declval<F&>(), std::declval<A&>()...));
    struct Nothing {
        template <class X>
        void emplace(X&&) {}
    };
    F f_;
    std::tuple<A...> args_;
    [[no_unique_address]] std::conditional_t<detail::is_async<Raw>::value, std::optional<Raw>, Nothing> async_;
};

/// What `ctx.sleep(d)` and `ctx.sleep_until(t)` return: a durable timer; while the task only sleeps it holds no worker.
class [[nodiscard]] Sleep : public detail::OpBase {
public:
    Sleep(Context& ctx, Duration d) : OpBase(ctx, detail::OpKind::timer, "sleep") { wait = d; }
    Sleep(Context& ctx, TimePoint t) : OpBase(ctx, detail::OpKind::timer, "sleep") { until = t; }
    void await_resume() { check(); }
};

/// What `ctx.wait_signal<T>(name).timeout(d)` returns: nothing when no signal came in time.
template <class T>
class [[nodiscard]] TimedSignal : public detail::OpBase {
public:
    TimedSignal(Context& ctx, std::string_view signal, Duration limit) : OpBase(ctx, detail::OpKind::signal, signal) {
        wait = limit;
    }
    std::optional<T> await_resume() {
        check();
        if (value.empty()) return std::nullopt;
        return this->template decoded<T>();
    }
    void check_result(const std::string& json) const override { (void)from_json<T>(json); }
    std::string asks() const override { return schema_of<T>(); }
};

/// What `ctx.wait_signal<T>(name)` returns.
template <class T>
class [[nodiscard]] WaitSignal : public detail::OpBase {
public:
    WaitSignal(Context& ctx, std::string_view signal) : OpBase(ctx, detail::OpKind::signal, signal) {}
    /// From the call on; at least 1 ms.
    TimedSignal<T> timeout(Duration d) && {
        return TimedSignal<T>(*context, name, std::max(d, Duration(std::chrono::milliseconds(1))));
    }
    T await_resume() {
        check();
        return this->template decoded<T>();
    }
    void check_result(const std::string& json) const override { (void)from_json<T>(json); }
    std::string asks() const override { return schema_of<T>(); }
};

/// A person's answer to an approval.
struct Decision {
    bool approved = false;
    std::string by;  ///< who; empty when nobody answered in time
    std::string comment;
};
BOOST_DESCRIBE_STRUCT(Decision, (), (approved, by, comment))

/// What `ctx.approval(question)` returns.
class [[nodiscard]] Approval : public detail::OpBase {
public:
    Approval(Context& ctx, std::string_view asked)
        : OpBase(ctx, detail::OpKind::approval, "approval"), question(asked) {
        wait = std::chrono::hours(24);
    }
    /// From the call on; when it has passed the answer is no. Default 24 h.
    Approval&& timeout(Duration d) && {
        wait = std::max(d, Duration(std::chrono::milliseconds(1)));
        return std::move(*this);
    }
    Decision await_resume();
    void check_result(const std::string& json) const override { (void)from_json<Decision>(json); }
    std::string asks() const override;

    std::string question;
};

template <class F, class... A>
OnUnknown OnUnknown::verify(F f, A&&... args) {
    using R =
        decltype(detail::call(std::declval<const Attempt&>(), std::declval<F&>(), std::declval<std::decay_t<A>&>()...));
    OnUnknown u{Policy::verify};
    u.check_gives_result = !std::is_same_v<R, bool>;
    u.check = std::make_shared<const Check>(
        [f, bound = std::make_tuple(std::decay_t<A>(std::forward<A>(args))...)](const Attempt& attempt) mutable {
            return std::apply(
                [&](auto&... x) -> std::optional<std::string> {
                    auto found = detail::call(attempt, f, x...);
                    if (!found) return std::nullopt;
                    if constexpr (std::is_same_v<R, bool>) return "null";
                    else return to_json(*found);
                },
                bound);
        });
    return u;
}

}  // namespace pawl
