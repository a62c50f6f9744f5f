/// Submitting tasks and asking for them.
///
///     auto client = pawl::Client::open("sqlite:pawl.db");
///     auto task = client->submit(deploy_type, input, pawl::SubmitOptions().key("web-7").deadline(15min));
///     auto release = task->wait();
///
/// A client attaches to the process that holds the file, or opens the file itself for each call when nobody does.
/// Threads: a client and its handles may be used from several threads at once. Not from inside a workflow.
#pragma once

#include <pawl/json.hpp>
#include <pawl/result.hpp>
#include <pawl/task.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pawl {

namespace detail {

/// What a person may ask of a task.
enum class TaskVerb : std::uint8_t { cancel, kill, pause, resume, retry };

/// How a client reaches the engine: in process, over the holder's socket, or the file itself.
class Backend {
public:
    struct Submitted {
        std::string id;
        bool replayed = false;
    };
    virtual ~Backend() = default;
    virtual Result<Submitted> submit(std::string_view type, std::string input, const SubmitOptions& options) = 0;
    /// One transaction for all; each succeeds or is refused on its own.
    virtual std::vector<Result<Submitted>> submit_many(std::string_view type, std::vector<std::string> inputs,
                                                       const SubmitOptions& options) = 0;
    virtual Result<std::string> wait(const std::string& id, std::optional<Duration> limit) = 0;
    virtual Result<TaskStatus> status(const std::string& id) = 0;
    virtual std::string why(const std::string& id) = 0;
    virtual Result<void> operate(const std::string& id, TaskVerb verb) = 0;
    virtual Result<void> resolve(const std::string& id, std::string_view step, std::string_view outcome,
                                 std::string result) = 0;
    virtual Result<void> signal(const std::string& id, std::string_view name, std::string value,
                                std::string_view request_id) = 0;
    virtual Result<void> answer(const std::string& id, bool approved, std::string_view step, std::string_view comment,
                                std::string_view request_id) = 0;
};

}  // namespace detail

/// How an unknown step is resolved.
class Resolution {
public:
    /// The effect is there; its result, when the step has one.
    static Resolution happened() { return {"happened", "null"}; }
    template <class T>
    static Resolution happened(const T& result) {
        return {"happened", to_json(result)};
    }
    static Resolution not_happened() { return {"not_happened", "null"}; }
    static Resolution fail() { return {"fail", "null"}; }

    const std::string& outcome() const { return outcome_; }
    const std::string& result() const { return result_; }

private:
    Resolution(std::string outcome, std::string result) : outcome_(std::move(outcome)), result_(std::move(result)) {}
    std::string outcome_, result_;
};

/// One task. Cheap to copy; keeps its client's connection alive.
template <class Out>
class TaskHandle {
public:
    TaskHandle(std::shared_ptr<detail::Backend> backend, std::string id, bool replayed)
        : backend_(std::move(backend)), id_(std::move(id)), replayed_(replayed) {}

    /// Public id: `t_...`.
    const std::string& id() const { return id_; }
    /// True when an earlier submit with the same key made the task.
    bool replayed() const { return replayed_; }
    Result<TaskStatus> status() const { return backend_->status(id_); }
    /// One sentence: why the task is where it is, and what to do.
    std::string why() const { return backend_->why(id_); }

    /// Waits for the end. Errors: task_failed, task_cancelled, task_paused (a person is needed), store_unavailable.
    Result<Out> wait() const { return decode(backend_->wait(id_, std::nullopt)); }
    /// The same with a limit: timed_out, and the task goes on.
    Result<Out> wait_for(Duration limit) const { return decode(backend_->wait(id_, limit)); }

    /// All of these are repeat-safe. Errors: not_found, already_final, refused, store_unavailable.
    Result<void> cancel() const { return backend_->operate(id_, detail::TaskVerb::cancel); }
    Result<void> kill() const { return backend_->operate(id_, detail::TaskVerb::kill); }
    Result<void> pause() const { return backend_->operate(id_, detail::TaskVerb::pause); }
    Result<void> resume() const { return backend_->operate(id_, detail::TaskVerb::resume); }
    Result<void> retry() const { return backend_->operate(id_, detail::TaskVerb::retry); }
    /// Says what became of a step whose outcome is unknown; `step` as `why` names it, empty when there is only one.
    Result<void> resolve(std::string_view step, const Resolution& how) const {
        return backend_->resolve(id_, step, how.outcome(), how.result());
    }

    /// Sends it a named message, which `ctx.wait_signal` takes; kept until then. One that is no value of the type it is
    /// waited for with is refused at once (bad_input) or, when that is not yet known, by the task. Two calls are two
    /// signals, unless they have the same `request_id`: after store_unavailable (whether it was sent is unknown) repeat
    /// it with the one of the first call.
    template <class T>
    Result<void> signal(std::string_view name, const T& value, std::string_view request_id = {}) const {
        return backend_->signal(id_, name, to_json(value), request_id);
    }
    /// Answers `ctx.approval`. `step` as `why` names it; empty: whichever is open, when that is only one. Errors:
    /// refused when none is. `request_id` as of signal.
    Result<void> approve(std::string_view step = {}, std::string_view comment = {},
                         std::string_view request_id = {}) const {
        return backend_->answer(id_, true, step, comment, request_id);
    }
    Result<void> deny(std::string_view step = {}, std::string_view comment = {},
                      std::string_view request_id = {}) const {
        return backend_->answer(id_, false, step, comment, request_id);
    }

private:
    static Result<Out> decode(Result<std::string> json) {
        if (!json) return json.error();
        if constexpr (std::is_void_v<Out>) {
            return {};
        } else {
            try {
                return from_json<Out>(*json);
            } catch (const JsonError& e) {
                return Error{Errc::bad_input, std::string("the result does not fit the type: ") + e.what()};
            }
        }
    }
    std::shared_ptr<detail::Backend> backend_;
    std::string id_;
    bool replayed_;
};

class Client {
public:
    explicit Client(std::shared_ptr<detail::Backend> backend) : backend_(std::move(backend)) {}

    /// `sqlite:FILE`. Errors: bad_input (another scheme). Whether the file can be used shows at the first call.
    static Result<Client> open(std::string_view url);

    /// Stores a task; it is durable when this returns. Errors: bad_input, idempotency_key_reused, key_exists,
    /// queue_full, store_locked, disk_full: nothing was stored; store_unavailable: unknown, repeat with the same key.
    template <class In, class Out>
    Result<TaskHandle<Out>> submit(TaskType<In, Out> type, const std::type_identity_t<In>& input,
                                   const SubmitOptions& options = SubmitOptions()) const {
        auto submitted = backend_->submit(type.name, to_json(input), options);
        if (!submitted) return submitted.error();
        return TaskHandle<Out>(backend_, std::move(submitted->id), submitted->replayed);
    }

    /// Many tasks of one type in few transactions; the options apply to each (a key cannot be given).
    template <class In, class Out>
    std::vector<Result<TaskHandle<Out>>> submit_many(TaskType<In, Out> type, const std::vector<In>& inputs,
                                                     const SubmitOptions& options = SubmitOptions()) const {
        std::vector<std::string> texts;
        texts.reserve(inputs.size());
        for (const In& input : inputs) texts.push_back(to_json(input));
        std::vector<Result<TaskHandle<Out>>> handles;
        handles.reserve(inputs.size());
        for (auto& submitted : backend_->submit_many(type.name, std::move(texts), options)) {
            if (submitted) handles.push_back(TaskHandle<Out>(backend_, std::move(submitted->id), submitted->replayed));
            else handles.push_back(submitted.error());
        }
        return handles;
    }

    /// A handle for an id that was kept; whether it exists shows at the first call.
    template <class Out>
    TaskHandle<Out> find(std::string_view id) const {
        return TaskHandle<Out>(backend_, std::string(id), false);
    }

private:
    std::shared_ptr<detail::Backend> backend_;
};

}  // namespace pawl
