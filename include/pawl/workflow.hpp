/// Workflows: ordinary coroutines between explicit steps.
///
///     pawl::Workflow<std::string> hello(pawl::Context& ctx, Hello in) {
///         co_return co_await ctx.step("greet", greet, in.name);
///     }
///
/// A workflow is a free or static function of `Context&` and values. It may await only its Context's operations and
/// other workflows. After a crash it is run again from its start; recorded operations answer from the journal, so it
/// must do the same again: no clocks, no chance, no I/O outside steps (ctx.now, ctx.random and ctx.uuid are fine).
/// Locals may be destroyed at any wait and are then rebuilt by replay: plain values only, resources live inside steps.
///
/// Cancel and deadline are not exceptions: the coroutine is not resumed again and its frame is destroyed.
#pragma once

#include <pawl/step.hpp>
#include <pawl/task.hpp>

#include <array>
#include <coroutine>
#include <map>
#include <stdexcept>
#include <variant>

namespace pawl {

namespace detail {

/// Numbers the operations of one scope: the root, or one branch of all.
struct Scope {
    explicit Scope(std::string p = {}) : prefix(std::move(p)) {}
    /// prefix + name + '#' + occurrence, 1 for the first; '/' and '~' in names are escaped, so paths are unique.
    std::string next_path(std::string_view name);

    std::string prefix;
    std::map<std::string, int, std::less<>> seen;
};

/// Hears the end of a coroutine that nobody awaits.
class DoneListener {
public:
    virtual void coroutine_done() = 0;

protected:
    ~DoneListener() = default;
};

struct WorkflowPromiseBase {
    Scope* scope = nullptr;
    DoneListener* listener = nullptr;
    std::coroutine_handle<> continuation;
    std::exception_ptr error;

    struct Final {
        bool await_ready() const noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) const noexcept {
            WorkflowPromiseBase& p = h.promise();
            if (p.continuation) return p.continuation;
            if (p.listener) p.listener->coroutine_done();
            return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() { error = std::current_exception(); }

    template <class Op>
    Op&& await_transform(Op&& op);
};

template <class T>
struct WorkflowPromise : WorkflowPromiseBase {
    std::optional<T> value;
    Workflow<T> get_return_object();
    template <class U>
    void return_value(U&& v) {
        value.emplace(std::forward<U>(v));
    }
};
template <>
struct WorkflowPromise<void> : WorkflowPromiseBase {
    Workflow<void> get_return_object();
    void return_void() {}
};

template <class W>
struct is_workflow : std::false_type {};
template <class T>
struct is_workflow<Workflow<T>> : std::true_type {};

template <class A>
concept SafeParameter = !std::is_reference_v<A> || std::is_same_v<A, Context&>;

}  // namespace detail

/// Coroutine of a workflow, or of a part of one; lazy, move-only, awaited once.
template <class T>
class [[nodiscard]] Workflow {
public:
    using promise_type = detail::WorkflowPromise<T>;
    using value_type = T;

    explicit Workflow(std::coroutine_handle<promise_type> h) : handle_(h) {}
    Workflow(Workflow&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Workflow(const Workflow&) = delete;
    Workflow& operator=(Workflow&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Workflow() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
        handle_.promise().continuation = caller;
        return handle_;
    }
    T await_resume() {
        if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
        if constexpr (!std::is_void_v<T>) return std::move(*handle_.promise().value);
    }

    void bind(detail::Scope& scope) { handle_.promise().scope = &scope; }
    std::coroutine_handle<promise_type> handle() const { return handle_; }

private:
    std::coroutine_handle<promise_type> handle_;
};

template <class T>
Workflow<T> detail::WorkflowPromise<T>::get_return_object() {
    return Workflow<T>{std::coroutine_handle<WorkflowPromise>::from_promise(*this)};
}
inline Workflow<void> detail::WorkflowPromise<void>::get_return_object() {
    return Workflow<void>{std::coroutine_handle<WorkflowPromise>::from_promise(*this)};
}

namespace detail {

/// The same operation, but a failure is a value (ctx.outcome).
template <class Op>
class [[nodiscard]] Attempted {
public:
    using R = decltype(std::declval<Op&>().await_resume());
    static_assert(!std::is_void_v<R>, "pawl: outcome() needs an operation with a result; return true from the step");

    explicit Attempted(Op&& op) : op_(std::move(op)) {}
    bool await_ready() const noexcept { return false; }
    auto await_suspend(std::coroutine_handle<> waiter) { return op_.await_suspend(waiter); }
    Outcome<R> await_resume() {
        Outcome<R> outcome;
        try {
            outcome.value.emplace(op_.await_resume());
        } catch (const StepFailed& e) {
            outcome.error = e.why();
            outcome.error_class = e.cls;
            outcome.code = e.code;
        }
        return outcome;
    }
    void bind(Scope& scope) { op_.bind(scope); }
    Op& inner() { return op_; }

private:
    Op op_;
};

template <class T>
struct is_attempted : std::false_type {};
template <class Op>
struct is_attempted<Attempted<Op>> : std::true_type {};

template <class Op>
inline constexpr bool is_operation = std::is_base_of_v<OpBase, Op> || is_workflow<Op>::value || is_attempted<Op>::value;

template <class Op>
Op&& WorkflowPromiseBase::await_transform(Op&& op) {
    static_assert(!std::is_lvalue_reference_v<Op>, "pawl: an operation is awaited once: co_await std::move(operation)");
    static_assert(is_operation<std::remove_cvref_t<Op>>,
                  "pawl: a workflow may only await operations of its Context and other workflows; do other waiting "
                  "inside a step");
    if constexpr (is_operation<std::remove_cvref_t<Op>>) op.bind(*scope);
    return std::forward<Op>(op);
}

/// Base of all and race: several branches, each a scope of its own, numbered by argument. Not journaled itself.
class Group : public OpBase {
public:
    /// What makes the other branches pointless.
    enum class EndsBy : std::uint8_t { first_failure, first_end };

    Group(Context& ctx, std::string_view group_name, EndsBy by)
        : OpBase(ctx, OpKind::group, group_name), ends_by_(by) {}
    Group(Group&&) noexcept = default;
    void begin() override;
    /// An operation that is a branch has ended.
    void branch_done(bool branch_failed, const OpBase& op, std::exception_ptr error = nullptr);
    /// Called when an abandoned operation is done.
    void check_drained();

protected:
    virtual std::size_t size() const = 0;
    virtual void launch(std::size_t i, Scope& scope) = 0;

    void launch_op(OpBase& op, Scope& scope);
    template <class Branch>
    void launch_branch(Branch& branch, std::size_t i, Scope& branch_scope, bool failure_is_value_here = false);

    std::exception_ptr failure_;
    std::size_t decided_by_ = 0;  // the branch that made the others pointless, if one did

private:
    struct BranchListener final : DoneListener {
        Group* group = nullptr;
        std::size_t branch = 0;
        WorkflowPromiseBase* promise = nullptr;
        bool failure_is_value = false;
        void coroutine_done() override;
    };
    void launch_workflow(WorkflowPromiseBase& promise, std::coroutine_handle<> handle, std::size_t i, bool as_value);
    /// The first failure, or the first end, abandons the others; the group ends when none is left.
    void branch_done(std::size_t branch, bool branch_failed, std::exception_ptr error);

    EndsBy ends_by_;
    bool is_decided_ = false;
    std::vector<Scope> scopes_;
    std::vector<BranchListener> listeners_;
    std::size_t left_ = 0;
};

template <class Branch>
void Group::launch_branch(Branch& branch, std::size_t i, Scope& branch_scope, bool failure_is_value_here) {
    branch.bind(branch_scope);
    if constexpr (is_attempted<Branch>::value) {
        launch_branch(branch.inner(), i, branch_scope, true);
    } else if constexpr (is_workflow<Branch>::value) {
        launch_workflow(branch.handle().promise(), branch.handle(), i, failure_is_value_here);
    } else {
        branch.failure_is_value = failure_is_value_here;
        launch_op(branch, branch_scope);
    }
}

template <class Op>
using branch_result = std::conditional_t<std::is_void_v<decltype(std::declval<Op&>().await_resume())>, std::monostate,
                                         decltype(std::declval<Op&>().await_resume())>;
template <class Op>
branch_result<Op> take_branch(Op& op) {
    if constexpr (std::is_void_v<decltype(op.await_resume())>) {
        op.await_resume();
        return {};
    } else {
        return op.await_resume();
    }
}

template <class... Ops>
class [[nodiscard]] All final : public Group {
public:
    All(Context& ctx, Ops&&... ops) : Group(ctx, "all", EndsBy::first_failure), branches_(std::move(ops)...) {}
    std::tuple<branch_result<Ops>...> await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        return std::apply([](auto&... b) { return std::tuple<branch_result<Ops>...>{take_branch(b)...}; }, branches_);
    }

private:
    std::size_t size() const override { return sizeof...(Ops); }
    void launch(std::size_t i, Scope& branch_scope) override {
        std::size_t k = 0;
        std::apply([&](auto&... b) { ((k++ == i ? launch_branch(b, i, branch_scope) : void()), ...); }, branches_);
    }
    std::tuple<Ops...> branches_;
};

template <class... Ops>
class [[nodiscard]] Race final : public Group {
public:
    Race(Context& ctx, Ops&&... ops) : Group(ctx, "race", EndsBy::first_end), branches_(std::move(ops)...) {}
    std::variant<branch_result<Ops>...> await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        return take_winner(std::index_sequence_for<Ops...>{});
    }

private:
    using Winner = std::variant<branch_result<Ops>...>;

    template <std::size_t... I>
    Winner take_winner(std::index_sequence<I...>) {
        std::optional<Winner> winner;
        ((I == decided_by_ ? void(winner.emplace(std::in_place_index<I>, take_branch(std::get<I>(branches_))))
                           : void()),
         ...);
        return std::move(*winner);
    }
    std::size_t size() const override { return sizeof...(Ops); }
    void launch(std::size_t i, Scope& branch_scope) override {
        std::size_t k = 0;
        std::apply([&](auto&... b) { ((k++ == i ? launch_branch(b, i, branch_scope) : void()), ...); }, branches_);
    }
    std::tuple<Ops...> branches_;
};

template <class Op>
class [[nodiscard]] AllOf final : public Group {
public:
    AllOf(Context& ctx, std::vector<Op>&& ops) : Group(ctx, "all", EndsBy::first_failure), branches_(std::move(ops)) {}
    auto await_resume() {
        if (failure_) std::rethrow_exception(failure_);
        if constexpr (std::is_void_v<decltype(std::declval<Op&>().await_resume())>) {
            for (Op& b : branches_) b.await_resume();
        } else {
            std::vector<decltype(std::declval<Op&>().await_resume())> results;
            results.reserve(branches_.size());
            for (Op& b : branches_) results.push_back(b.await_resume());
            return results;
        }
    }

private:
    std::size_t size() const override { return branches_.size(); }
    void launch(std::size_t i, Scope& branch_scope) override { launch_branch(branches_[i], i, branch_scope); }
    std::vector<Op> branches_;
};

}  // namespace detail

/// One task's door to the world. Lives as long as the task's coroutine; used on the loop thread only, between awaits.
class Context {
public:
    explicit Context(detail::Execution& execution) : execution_(&execution) {}
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    /// A journaled step: `f(args...)`, args are copied as std::thread does. Awaiting it gives what f returned, or
    /// throws StepFailed. A step whose result is recorded is never executed again in this task.
    template <class F, class... A>
    auto step(std::string_view name, F&& f, A&&... args) {
        static_assert(StepFn<F>,
                      "pawl: g++ 12 would destroy the captures of this closure twice: capture by reference, pass "
                      "arguments, or name the closure on the line before");
        static_assert((StepArg<A> && ...),
                      "pawl: g++ 12 would destroy this aggregate twice: name it on the line before");
        using Raw = decltype(detail::call(std::declval<const Attempt&>(), std::declval<std::decay_t<F>&>(),
                                          std::declval<std::decay_t<A>&>()...));
        using R = typename detail::stored<Raw>::type;
        return Step<R, std::decay_t<F>, std::decay_t<A>...>(*this, name, std::forward<F>(f), std::forward<A>(args)...);
    }

    /// Waits durably; while the task waits only, it holds no worker and no memory but its row.
    Sleep sleep(Duration d) { return Sleep(*this, d); }
    /// The same until an instant of the wall clock; it never ends before that. A clock that is set forward meanwhile
    /// does not end it sooner.
    Sleep sleep_until(TimePoint t) { return Sleep(*this, t); }

    /// Waits durably for a signal: a named message from outside (`pawl signal`, TaskHandle::signal). One that came
    /// before is kept; several of one name are taken in their order. One whose value is no T is refused, and the wait
    /// goes on. With `.timeout(d)` it gives std::optional<T>.
    template <class T>
    WaitSignal<T> wait_signal(std::string_view name) {
        return WaitSignal<T>(*this, name);
    }
    /// Waits durably for a person's yes or no (`pawl approve`, `pawl deny`); no answer within 24 h, or what
    /// `.timeout(d)` says, is a no. The answer is taken once.
    Approval approval(std::string_view question) { return Approval(*this, question); }

    /// All branches at once: steps, sleeps, workflows, other groups. Gives a tuple (std::monostate for void). The first
    /// failure stops the others, waits for them, and is thrown.
    template <class... Ops>
    requires(sizeof...(Ops) > 1 && (detail::is_operation<std::remove_cvref_t<Ops>> && ...)) auto all(Ops&&... ops) {
        return detail::All<std::remove_cvref_t<Ops>...>(*this, std::move(ops)...);
    }
    template <class Op>
    auto all(std::vector<Op> ops) {
        return detail::AllOf<Op>(*this, std::move(ops));
    }

    /// The first branch to end wins, and its result is the variant's value (std::monostate for void); `index()` says
    /// which one it was. If it failed, its failure is thrown. The others are stopped and waited for: a `once` step
    /// among them that had begun is unknown then, as after any other cut.
    template <class... Ops>
    requires(sizeof...(Ops) > 1 && (detail::is_operation<std::remove_cvref_t<Ops>> && ...)) auto race(Ops&&... ops) {
        return detail::Race<std::remove_cvref_t<Ops>...>(*this, std::move(ops)...);
    }

    /// The operation's failure as a value, for when handling it needs co_await (not allowed in catch).
    template <class Op>
    auto outcome(Op&& op) {
        static_assert(!std::is_lvalue_reference_v<Op>, "pawl: an operation is awaited once: std::move it");
        return detail::Attempted<std::remove_cvref_t<Op>>(std::move(op));
    }

    /// The time of the last thing the code observed: the same in every replay.
    TimePoint now() const;
    /// Chance, seeded by the task's id: the same in every replay.
    std::uint64_t random();
    /// A version 4 UUID from random().
    std::string uuid();
    /// Whether this task runs the code with the change `id`: yes for one that comes here for the first time, and from
    /// then on; no for one that had passed here before the change. Once an answer is given it stays for the task's
    /// life.
    ///     if (ctx.patched("two zones")) ... the new way ... else ... the old one, while such tasks are left ...
    bool patched(std::string_view id);
    /// How far it is, for people (`pawl get`): a part of 1, and a text. Silent in a replay.
    void progress(double done, std::string_view text = {});
    /// A value that can be read from outside while the task runs (`pawl get`), in place of the one it had. Keys and
    /// values of a task, with its progress, have 16 KiB together. Throws Exception(too_large) beyond. Silent in a
    /// replay.
    template <class T>
    void set(std::string_view key, const T& value) {
        set_json(key, to_json(value));
    }
    /// A line in the structured log, with the task's id; silent in a replay.
    void log(std::string_view text);

    /// The task's deadline, if it has one. A retry of the task gives it a new one: code must not branch on it, only
    /// pass it on.
    std::optional<TimePoint> deadline() const;
    /// Public id: `t_...`.
    std::string task_id() const;

    detail::Execution& execution() { return *execution_; }

private:
    void set_json(std::string_view key, std::string json);
    detail::Execution* execution_;
};

}  // namespace pawl

template <class T, class... Args>
struct std::coroutine_traits<pawl::Workflow<T>, Args...> {
    static_assert((pawl::detail::SafeParameter<Args> && ...),
                  "pawl: a workflow is a function that takes Context& and values: other references, and the captures "
                  "of a lambda, may be gone when it resumes");
    using promise_type = pawl::detail::WorkflowPromise<T>;
};
