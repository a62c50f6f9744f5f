#include "runtime/worker_backend.hpp"

#include "core/limits.hpp"
#include "core/validate.hpp"
#include "runtime/idle.hpp"
#include "runtime/wait_answer.hpp"

#include <algorithm>
#include <future>
#include <mutex>

namespace pawl::runtime {

namespace {

Result<std::string> outcome_of(const core::TaskRow& row) {
    return wait_answer(core::to_string(row.id), {row.state, row.reason}, row.output,
                       row.error.empty() ? "" : core::decode_failure(row.error).message);
}

const char* const closed = "the worker was closed; tasks go on with the next one";

Error closed_error() { return {Errc::store_unavailable, closed}; }

bool is_answer(const core::TaskRow& row) { return is_final(row.state) || row.state == TaskState::paused; }

}  // namespace

void apply_defaults(core::SubmitRequest& request, const Registry& registry) {
    const RegisteredType* type = registry.newest(request.type);
    if (!type) return;
    SubmitOptions& options = request.options;
    if (request.definition.empty()) request.definition = type->definition;
    if (options.queue().empty()) options.queue(type->queue);
    if (!options.priority()) options.priority(type->priority);
    if (std::holds_alternative<std::monostate>(options.deadline()) && type->deadline) options.deadline(*type->deadline);
}

WorkerBackend::WorkerBackend(Holder& holder, const Registry& registry,
                             std::function<std::string(const std::string& id)> explain)
    : holder_(holder), registry_(registry), explain_(std::move(explain)) {}

void WorkerBackend::close() {
    gate_.shut();
    {
        std::lock_guard lock(idle_->mutex);
        idle_->is_closed = true;
    }
    idle_->changed.notify_all();
    for (const Waiters::Told& told : holder_.engine().waiters().take_all()) told.ended(told.output);
    gate_.wait_until_empty();
}

bool WorkerBackend::is_away() {
    const CallGate::Pass pass(gate_);
    return pass && holder_.is_away();
}

bool WorkerBackend::can_claim() {
    const CallGate::Pass pass(gate_);
    return pass && holder_.batcher().can_claim();
}

void WorkerBackend::wait_until_idle(const std::vector<std::string>& queues) {
    wait_until_told_idle([&](std::function<void()> idle) {
        holder_.loop().post([&holder = holder_, &registry = registry_, queues, idle = std::move(idle)] {
            when_idle(holder, registry, queues, [&holder, idle] {
                holder.resume_claims();
                idle();
            });
        });
    });
}

void WorkerBackend::wait_until_told_idle(const std::function<void(std::function<void()> idle)>& watch) {
    const CallGate::Pass pass(gate_);
    if (!pass) return;
    IdleTurns& turns = *idle_;
    std::unique_lock lock(turns.mutex);
    turns.changed.wait(lock, [&] { return turns.is_closed || !turns.is_watching; });
    if (turns.is_closed) return;
    turns.is_watching = true;
    auto is_idle = std::make_shared<bool>(false);
    watch([idle = idle_, is_idle] {
        {
            std::lock_guard done(idle->mutex);
            *is_idle = true;
            idle->is_watching = false;
        }
        idle->changed.notify_all();
    });
    turns.changed.wait(lock, [&] { return turns.is_closed || *is_idle; });
}

Result<core::Submit> WorkerBackend::make(std::string_view type, std::string input, const SubmitOptions& options) {
    core::SubmitRequest request;
    request.type = type;
    request.input = std::move(input);
    request.options = options;
    request.shard = static_cast<std::uint8_t>(shard_.load());
    apply_defaults(request, registry_);
    return core::make_submit(std::move(request), holder_.clock().wall(),
                             {holder_.random().next(), holder_.random().next()});
}

Result<detail::Backend::Submitted> WorkerBackend::submit(std::string_view type, std::string input,
                                                         const SubmitOptions& options) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    auto submit = make(type, std::move(input), options);
    if (!submit) return submit.error();
    auto answer = holder_.call(std::move(*submit));
    if (!answer) return answer.error();
    const auto& submitted = std::get<core::Submitted>(*answer);
    return Submitted{core::to_string(submitted.id), submitted.replayed};
}

std::vector<Result<detail::Backend::Submitted>> WorkerBackend::submit_many(std::string_view type,
                                                                           std::vector<std::string> inputs,
                                                                           const SubmitOptions& options) {
    const CallGate::Pass pass(gate_);
    if (!pass) return std::vector<Result<Submitted>>(inputs.size(), closed_error());
    std::vector<Result<Submitted>> results(inputs.size(),
                                           Error{Errc::bad_input, "a key cannot be shared by many tasks"});
    if (!options.key().empty()) return results;
    std::mutex mutex;
    std::condition_variable all;
    std::size_t left = inputs.size();
    const auto settle = [&](std::size_t i, Result<Submitted> result) {
        std::lock_guard lock(mutex);
        results[i] = std::move(result);
        if (--left == 0) all.notify_one();
    };
    for (std::size_t i = 0; i < inputs.size(); i++) {
        auto submit = make(type, std::move(inputs[i]), options);
        if (!submit) {
            settle(i, submit.error());
            continue;
        }
        const bool taken =
            holder_.batcher().push_blocking(Item{std::move(*submit),
                                                 [&settle, i](core::Command&, Result<core::Answer> answer) {
                                                     if (!answer) return settle(i, answer.error());
                                                     const auto& s = std::get<core::Submitted>(*answer);
                                                     settle(i, Submitted{core::to_string(s.id), s.replayed});
                                                 },
                                                 false, true});
        if (!taken) settle(i, Error{Errc::store_unavailable, "the engine is being stopped; nothing was stored"});
    }
    std::unique_lock lock(mutex);
    all.wait(lock, [&] { return left == 0; });
    return results;
}

Result<core::TaskRow> WorkerBackend::row(const std::string& id) {
    const auto parsed = core::parse_task_id(id);
    if (!parsed) return Error{Errc::not_found, "no task " + id + ": that is not a task id (t_ and 26 characters)"};
    Result<core::TaskRow> found = Error{Errc::not_found, ""};
    holder_.read_here([&](core::Reader& reader) { found = reader.get(*parsed); });
    return found;
}

// Watch first, read then: an end between the two is not missed. Who is woken without an output looks again: the task
// ended in another way, or the store was opened anew and nobody knows what it decided.
Result<std::string> WorkerBackend::wait(const std::string& id, std::optional<Duration> limit) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    const auto parsed = core::parse_task_id(id);
    if (!parsed) return Error{Errc::not_found, "no task " + id + ": that is not a task id (t_ and 26 characters)"};
    using Output = std::optional<std::string>;
    const core::Micros start = holder_.clock().boot();
    Waiters& waiters = holder_.engine().waiters();
    for (bool in_time = true;;) {
        auto ended = std::make_shared<std::promise<Output>>();
        auto heard = ended->get_future();
        const std::uint64_t token =
            waiters.add(*parsed, [ended](Output output) { ended->set_value(std::move(output)); });
        auto now = row(id);
        const std::optional<Error> lost = gate_.is_shut() ? closed_error() : holder_.lost();
        if (!now || is_answer(*now) || !in_time || lost) {
            waiters.forget(*parsed, token);
            if (!now) return now.error();
            if (lost && !is_answer(*now)) return *lost;
            return outcome_of(*now);
        }
        if (limit) {
            const core::Micros left = *limit - (holder_.clock().boot() - start);
            in_time = heard.wait_for(std::max(left, core::Micros{0})) == std::future_status::ready;
        }
        if (!in_time) {
            waiters.forget(*parsed, token);
        } else if (Output output = heard.get()) {
            return std::move(*output);
        }
    }
}

Result<TaskStatus> WorkerBackend::status(const std::string& id) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    auto found = row(id);
    if (!found) return found.error();
    return TaskStatus{found->state, found->reason};
}

std::string WorkerBackend::why(const std::string& id) {
    const CallGate::Pass pass(gate_);
    return pass ? explain_(id) : closed;
}

Result<void> WorkerBackend::send(core::Operate operate) {
    auto answer = holder_.call(std::move(operate));
    if (!answer) return answer.error();
    return {};
}

Result<core::Operate> WorkerBackend::to_operate(const std::string& id, core::Operate::Verb verb) {
    const auto parsed = core::parse_task_id(id);
    if (!parsed) return Error{Errc::not_found, "no task " + id + ": that is not a task id (t_ and 26 characters)"};
    core::Operate operate;
    operate.verb = verb;
    operate.id = *parsed;
    operate.who = "client";
    return operate;
}

Result<void> WorkerBackend::operate(const std::string& id, detail::TaskVerb verb) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    using Verb = core::Operate::Verb;
    constexpr Verb verbs[] = {Verb::cancel, Verb::kill, Verb::pause, Verb::resume, Verb::retry};
    auto operate = to_operate(id, verbs[static_cast<int>(verb)]);
    if (!operate) return operate.error();
    return send(std::move(*operate));
}

Result<void> WorkerBackend::resolve(const std::string& id, std::string_view step, std::string_view outcome,
                                    std::string result) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    using Outcome = core::Operate::Outcome;
    auto operate = to_operate(id, core::Operate::Verb::resolve);
    if (!operate) return operate.error();
    operate->step = step;
    operate->result = std::move(result);
    operate->outcome = outcome == "happened"       ? Outcome::happened
                       : outcome == "not_happened" ? Outcome::not_happened
                                                   : Outcome::fail;
    return send(std::move(*operate));
}

namespace {

Result<void> with_request(core::Operate& operate, std::string_view request_id) {
    if (request_id.empty()) return {};
    operate.request_id = request_id;
    return core::check_key({"request_id", request_id});
}

}  // namespace

Result<void> WorkerBackend::signal(const std::string& id, std::string_view name, std::string value,
                                   std::string_view request_id) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    auto operate = to_operate(id, core::Operate::Verb::signal);
    if (!operate) return operate.error();
    operate->signal = name;
    if (auto checked = with_request(*operate, request_id); !checked) return checked;
    operate->result = std::move(value);
    if (auto checked = core::check_name({"the signal's name", operate->signal}); !checked) return checked;
    if (auto checked = core::check_json_field({"the signal's value", operate->result}, core::limits::signal_bytes_max);
        !checked)
        return checked;
    return send(std::move(*operate));
}

Result<void> WorkerBackend::answer(const std::string& id, bool approved, std::string_view step,
                                   std::string_view comment, std::string_view request_id) {
    const CallGate::Pass pass(gate_);
    if (!pass) return closed_error();
    auto operate = to_operate(id, approved ? core::Operate::Verb::approve : core::Operate::Verb::deny);
    if (!operate) return operate.error();
    operate->step = step;
    operate->reason = comment;
    if (auto checked = with_request(*operate, request_id); !checked) return checked;
    if (!comment.empty())
        if (auto checked = core::check_text({"comment", comment}, core::limits::note_bytes_max); !checked)
            return checked;
    return send(std::move(*operate));
}

}  // namespace pawl::runtime
