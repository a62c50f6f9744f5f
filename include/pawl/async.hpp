/// Asynchronous steps: a step function that returns Async<T> is a coroutine on the event loop.
///
///     pawl::Async<std::string> fetch(std::string url);   // co_awaits other Async functions and the loop's operations
///
/// Parameters by value: the coroutine outlives the call. It may await other Async coroutines and operations derived
/// from detail::AsyncOp. When its attempt is stopped, the operation it waits for ends with an exception.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace pawl {

template <class T>
class Async;

namespace detail {

class AsyncOp;

/// One running chain of Async coroutines. Loop thread only.
class AsyncRun {
public:
    explicit AsyncRun(std::function<void()> done) : done_(std::move(done)) {}
    /// Ends what the chain waits for; the coroutine then sees AsyncStopped.
    void stop();
    bool stopped() const { return stopped_; }
    void finished() { done_(); }

    AsyncOp* waiting = nullptr;

private:
    std::function<void()> done_;
    bool stopped_ = false;
};

/// Thrown out of an operation whose attempt was stopped.
class AsyncStopped : public std::exception {
public:
    const char* what() const noexcept override { return "the attempt was stopped"; }
};

/// An operation on the loop: start() begins it, complete() ends it, from the loop thread, not inside start().
class AsyncOp {
public:
    virtual ~AsyncOp() = default;
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> h) {
        run_ = h.promise().run;
        waiter_ = h;
        run_->waiting = this;
        start();
    }

protected:
    virtual void start() = 0;
    /// Must give the operation up; complete() is not called by the implementation afterwards.
    virtual void give_up() = 0;
    void complete() {
        run_->waiting = nullptr;
        waiter_.resume();
    }
    void throw_if_stopped() const {
        if (run_->stopped()) throw AsyncStopped();
    }

private:
    friend class AsyncRun;
    AsyncRun* run_ = nullptr;
    std::coroutine_handle<> waiter_;
};

inline void AsyncRun::stop() {
    if (stopped_) return;
    stopped_ = true;
    if (AsyncOp* op = std::exchange(waiting, nullptr)) {
        op->give_up();
        op->waiter_.resume();
    }
}

struct AsyncPromiseBase {
    AsyncRun* run = nullptr;
    std::coroutine_handle<> continuation;
    std::exception_ptr error;

    struct Final {
        bool await_ready() const noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) const noexcept {
            AsyncPromiseBase& p = h.promise();
            if (p.continuation) return p.continuation;
            p.run->finished();
            return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() { error = std::current_exception(); }
};

template <class T>
struct AsyncPromise : AsyncPromiseBase {
    std::optional<T> value;
    Async<T> get_return_object();
    template <class U>
    void return_value(U&& v) {
        value.emplace(std::forward<U>(v));
    }
};
template <>
struct AsyncPromise<void> : AsyncPromiseBase {
    Async<void> get_return_object();
    void return_void() {}
};

}  // namespace detail

/// Lazy, move-only, awaited or started once.
template <class T>
class [[nodiscard]] Async {
public:
    using promise_type = detail::AsyncPromise<T>;
    using value_type = T;

    explicit Async(std::coroutine_handle<promise_type> h) : handle_(h) {}
    Async(Async&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Async(const Async&) = delete;
    ~Async() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> caller) {
        handle_.promise().run = caller.promise().run;
        handle_.promise().continuation = caller;
        return handle_;
    }
    T await_resume() { return take(); }

    /// Starts the chain as a whole; `run` hears when it has finished.
    void start(detail::AsyncRun& run) {
        handle_.promise().run = &run;
        handle_.resume();
    }
    /// The value, or the exception, after it has finished.
    T take() {
        if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
        if constexpr (!std::is_void_v<T>) return std::move(*handle_.promise().value);
    }

private:
    std::coroutine_handle<promise_type> handle_;
};

template <class T>
Async<T> detail::AsyncPromise<T>::get_return_object() {
    return Async<T>{std::coroutine_handle<AsyncPromise>::from_promise(*this)};
}
inline Async<void> detail::AsyncPromise<void>::get_return_object() {
    return Async<void>{std::coroutine_handle<AsyncPromise>::from_promise(*this)};
}

}  // namespace pawl
