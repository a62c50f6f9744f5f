// Attempts of steps: start, limits, how they end, what follows.
#include "core/assert.hpp"
#include "core/backoff.hpp"
#include "core/limits.hpp"
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::detail {

using core::EntryKind;
using core::Micros;
using Op = OpState::Phase;

namespace {

constexpr Micros loop_hold_max = std::chrono::milliseconds(50);

EntryKind intent_of(const OpBase& op) {
    return op.options.effect == Effect::once ? EntryKind::step_started : EntryKind::step_begun;
}

// What a function's exception says about its step.
struct Thrown {
    core::Failure failure;
    std::optional<Micros> retry_after;
};

Thrown describe(const std::exception_ptr& error, Effect effect) {
    // In a `once` step only an explicit word of the function is proof; everything else may have happened.
    const ErrorClass otherwise = effect == Effect::once ? ErrorClass::unknown : ErrorClass::retryable;
    try {
        std::rethrow_exception(error);
    } catch (const StepError& e) {
        Thrown thrown{{e.cls, Errc::step_failed, e.what()}, std::nullopt};
        if (e.wait) thrown.retry_after = *e.wait;
        return thrown;
    } catch (const JsonError& e) {
        return {{effect == Effect::once ? ErrorClass::unknown : ErrorClass::final, Errc::step_failed, e.what()}, {}};
    } catch (const AsyncStopped& e) {
        return {{otherwise, Errc::stopping, e.what()}, {}};
    } catch (const std::logic_error& e) {
        return {{effect == Effect::once ? ErrorClass::unknown : ErrorClass::final, Errc::step_failed, e.what()}, {}};
    } catch (const std::exception& e) { return {{otherwise, Errc::step_failed, e.what()}, {}}; } catch (...) {
        return {{otherwise, Errc::step_failed, "threw something that is not a std::exception"}, {}};
    }
}

}  // namespace

// Field by field what the step says, then the submit, then the type.
Retry Execution::policy_of(const OpBase& op) const {
    Retry policy = op.options.retry;
    if (!policy.attempts_given() && row_.max_attempts) policy.attempts(*row_.max_attempts);
    return policy.over(type_.retry);
}

// Of step.total.
std::optional<Micros> Execution::total_left(const OpBase& op) const {
    if (!op.options.total) return std::nullopt;
    const Micros used = op.state.first_us ? engine_.now() - core::instant(op.state.first_us) : Micros{0};
    return Micros(*op.options.total) - used;
}

// To the nearest of step.total and the task's deadline.
std::optional<Micros> Execution::time_left(const OpBase& op) const {
    std::optional<Micros> left = total_left(op);
    if (!row_.deadline) return left;
    const Micros to_deadline = *row_.deadline - engine_.clock().wall();
    return left ? std::min(*left, to_deadline) : to_deadline;
}

void Execution::start_attempt(OpBase& op) {
    if (const auto ok = core::check_retry(policy_of(op)); !ok) {
        op.state.phase = Op::recording;
        return draft(EntryKind::step_failed, op, 0, {},
                     core::encode_failure({ErrorClass::final, Errc::bad_input, ok.error().message}));
    }
    if (core::attempts_allowed(policy_of(op), row_.max_attempts) == 0 && !row_.deadline && !op.options.total) {
        op.state.phase = Op::recording;
        return draft(EntryKind::step_failed, op, 0, {},
                     core::encode_failure({ErrorClass::final, Errc::bad_input,
                                           "retry.attempts is 0 (no limit), and nothing would ever end the step: give "
                                           "its task a deadline, or the step a total time"}));
    }
    if (const auto left = time_left(op); left && *left <= Micros{0} && op.options.total) {
        op.state.phase = Op::recording;
        return draft(EntryKind::step_failed, op, op.state.attempts, {},
                     core::encode_failure({ErrorClass::final, Errc::timed_out, "its total time is used up"}));
    }
    const bool intent = op.options.effect == Effect::once || (op.options.total && op.state.first_us == 0);
    if (intent && !op.options.intent_by_step) {
        op.state.phase = Op::intent;
        return draft(intent_of(op), op, op.state.attempts + 1);
    }
    run_attempt(op);
}

void Execution::run_attempt(OpBase& op) {
    op.state.phase = Op::running;
    if (op.how() == HowToRun::loop) return run_in_place(op, new_attempt(op));
    launch(op, false);
}

std::shared_ptr<AttemptState> Execution::new_attempt(const OpBase& op) {
    auto state = std::make_shared<AttemptState>();
    state->task = row_.id;
    state->path = op.path;
    state->generation = op.state.generation;
    state->number = op.state.attempts + 1;
    state->fence = row_.fence.token();
    state->clock = &engine_.clock();
    state->timeout = op.options.timeout ? Micros(*op.options.timeout) : core::limits::step_timeout;
    state->timeout = std::max(state->timeout, Micros{1'000});
    if (const auto left = time_left(op)) state->latest = engine_.clock().wall() + *left;
    return state;
}

void Execution::run_in_place(OpBase& op, const std::shared_ptr<AttemptState>& state) {
    const Micros start = engine_.clock().boot();
    Ended ended;
    state->begin();
    try {
        ended.result = op.run(Attempt(*state));
    } catch (...) { ended.error = std::current_exception(); }
    const Micros held = engine_.clock().boot() - start;
    if (held > loop_hold_max)
        spdlog::warn("task {}: step {} held the event loop for {} ms; run it in the pool (leave out .on_loop())",
                     core::to_string(row_.id), op.path, held.count() / 1000);
    end_attempt(op, false, std::nullopt, std::move(ended));
}

// Starts the step's function, or the check of its outcome, in the pool or as a coroutine on the loop.
void Execution::launch(OpBase& op, bool checking) {
    op.state.phase = checking ? Op::checking : Op::running;
    running_.push_back(std::make_unique<Running>(op, new_attempt(op)));
    Running* running = running_.back().get();
    running->checking = checking;
    running->since = engine_.now();
    if (!checking && op.how() == HowToRun::async) running->state->begin();
    running->timer =
        engine_.loop().after(std::max(Micros{0}, time_to_run(*running)), [this, running] { watch_time(*running); });
    if (op.options.idle) watch_idle(*running);
    running->state->send_intent = [this, running](std::string identity) {
        engine_.loop().post([this, running, identity = std::move(identity)]() mutable {
            record_intent(running->state, std::move(identity));
        });
    };
    if (!checking && op.how() == HowToRun::async) {
        running->async.emplace([this, running] {
            engine_.loop().post([this, running] {
                Ended ended;
                try {
                    ended.result = running->op->take_async();
                } catch (...) { ended.error = std::current_exception(); }
                on_function_end(running, std::move(ended));
            });
        });
        try {
            op.start_async(running->attempt, *running->async);
        } catch (...) {  // the function ended before it was a coroutine
            engine_.loop().post([this, running, error = std::current_exception()] {
                on_function_end(running, Ended{{}, true, true, error});
            });
        }
        return;
    }
    engine_.pool().run([this, running, checking] {
        Ended ended;
        try {
            // It waited for a thread meanwhile: what was stopped before it began does not begin.
            ended.has_begun = running->state->stop.load() == 0;
            if (!ended.has_begun) throw retryable("stopped before it began");
            running->state->begin();
            if (checking) {
                auto found = (*running->op->options.on_unknown.check)(running->attempt);
                ended.happened = found.has_value();
                if (found) ended.result = std::move(*found);
            } else {
                ended.result = running->op->run(running->attempt);
            }
        } catch (...) { ended.error = std::current_exception(); }
        engine_.loop().post(
            [this, running, ended = std::move(ended)]() mutable { on_function_end(running, std::move(ended)); });
    });
}

// While it waits for a thread only the step's total time passes: nobody works at the attempt.
Micros Execution::time_to_run(const Running& running) const {
    const AttemptState& state = *running.state;
    if (const std::int64_t begun_us = state.begun_us.load(); begun_us != 0)
        return state.limit - (engine_.clock().boot() - Micros(begun_us));
    const auto total = running.checking ? std::nullopt : total_left(*running.op);
    return total ? std::min(state.timeout, *total) : state.timeout;
}

void Execution::watch_time(Running& running) {
    running.timer = 0;
    if (const Micros left = time_to_run(running); left > Micros{0}) {
        running.timer = engine_.loop().after(left, [this, r = &running] { watch_time(*r); });
    } else if (running.state->begun_us.load() != 0) {
        over(running, "timed out after " + std::to_string(running.state->limit.count() / 1000) + " ms");
    } else {
        over(running, "its total time is used up");
    }
}

void Execution::watch_idle(Running& running) {
    const Micros idle = *running.op->options.idle;
    const bool has_begun = running.state->begun_us.load() != 0;
    const Micros silent = has_begun ? engine_.clock().boot() - Micros(running.state->heartbeat_us.load()) : Micros{0};
    if (silent >= idle) {
        running.idle_timer = 0;
        return over(running, "gave no sign of life for " + std::to_string(idle.count() / 1000) + " ms");
    }
    running.idle_timer = engine_.loop().after(idle - silent, [this, r = &running] { watch_idle(*r); });
}

// The attempt is judged, but over only when its function has returned: no retry starts before.
void Execution::over(Running& running, std::string why) {
    if (running.over) return;
    running.over = std::move(why);
    running.state->request_stop(1);
    if (running.async) return running.async->stop();
    engine_.loop().cancel(running.timer);
    running.timer = engine_.loop().after(engine_.options().stop_grace, [r = &running] {
        r->timer = 0;
        r->state->request_stop(2);
    });
}

void Execution::stop_attempts(int level) {
    for (const auto& running : running_) stop_attempt(*running, level);
}

void Execution::stop_attempt(Running& running, int level) {
    running.state->request_stop(level);
    if (running.async) running.async->stop();
}

Execution::Running* Execution::running_of(const OpBase& op) {
    const auto at = std::ranges::find_if(running_, [&](const auto& r) { return r->op == &op; });
    return at == running_.end() ? nullptr : at->get();
}

void Execution::on_function_end(Running* running, Ended ended) {
    const auto at = std::ranges::find_if(running_, [&](const auto& r) { return r.get() == running; });
    PAWL_ASSERT(at != running_.end());
    const std::unique_ptr<Running> done = std::move(*at);
    running_.erase(at);
    engine_.loop().cancel(done->timer);
    engine_.loop().cancel(done->idle_timer);
    if (done->deaf) engine_.count_deaf(-1);
    if (phase_ == Phase::gone || phase_ == Phase::leaving || done->deaf) return engine_.finished(*this);
    const bool stopped = done->state->stop.load() > 0 && !done->over;
    if (done->checking) end_check(*done->op, stopped, done->over, std::move(ended));
    else end_attempt(*done->op, stopped, done->over, std::move(ended));
    settle();
}

void Execution::end_attempt(OpBase& op, bool stopped, std::optional<std::string> over, Ended ended) {
    const int number = op.state.attempts + 1;
    if (!ended.has_begun) return never_began(op);
    if (!over && has_returned(ended)) return record_result(op, number, ended);
    Thrown thrown;
    if (over) {
        const bool may_have_happened = op.options.effect != Effect::read;
        thrown.failure = {may_have_happened ? ErrorClass::unknown : ErrorClass::retryable, Errc::timed_out, *over};
    } else {
        thrown = describe(ended.error, op.options.effect);
    }
    const bool known = op.options.effect != Effect::once || thrown.failure.cls != ErrorClass::unknown;
    const bool ending = ending_ != core::Ending::none;
    // Stopped from here, not by itself: what did not end well is no failure of the step.
    const bool by_us = engine_.draining() || diverged_ || active_spent_;
    if (stopped && known && !ending && !op.state.abandoned && by_us) {
        op.state.phase = Op::fresh;
        // Without this word the successor would find an intent and take the outcome for unknown.
        if (op.state.intent_open) attempt_lost(op);
        return;
    }
    if (op.state.abandoned && known) return cancel_op(op);
    if (ending && known) {
        op.state.phase = Op::recording;
        return draft(EntryKind::step_attempt_failed, op, number, {}, core::encode_failure(thrown.failure));
    }
    if (ending) {
        op.state.phase = Op::recording;
        return draft(EntryKind::step_unknown, op, number, {}, core::encode_failure(thrown.failure));
    }
    attempt_failed(op, std::move(thrown.failure), thrown.retry_after);
}

// It waited for a thread in vain: nothing of it happened, and it burns no attempt.
void Execution::never_began(OpBase& op) {
    if (op.state.intent_open) return attempt_lost(op);
    if (op.state.abandoned) return cancel_op(op);
    op.state.phase = Op::fresh;
    fresh_.push_back(&op);
}

// A function that returned has done what it does, whether or not its result can be stored.
bool Execution::has_returned(const Ended& ended) {
    if (!ended.error) return true;
    try {
        std::rethrow_exception(ended.error);
    } catch (const NotStorable&) { return true; } catch (...) {
        return false;
    }
}

void Execution::record_result(OpBase& op, int number, Ended& ended) {
    op.state.phase = Op::recording;
    core::Failure failure{ErrorClass::final, Errc::bad_input, {}};
    failure.happened = op.options.effect == Effect::once;
    if (ended.error) {
        try {
            std::rethrow_exception(ended.error);
        } catch (const std::exception& e) { failure.message = std::string("the result cannot be stored: ") + e.what(); }
    } else if (ended.result.size() > core::limits::result_bytes_max) {
        failure.code = Errc::too_large;
        failure.message = "its result has " + std::to_string(ended.result.size()) +
                          " bytes; the limit is 1 MiB: store it elsewhere and return a reference";
    } else {
        return draft(EntryKind::step_completed, op, number, std::move(ended.result));
    }
    if (failure.happened) failure.message += " (its effect has happened and is not repeated)";
    draft(EntryKind::step_failed, op, number, {}, core::encode_failure(failure));
}

void Execution::attempt_failed(OpBase& op, core::Failure failure, std::optional<Micros> retry_after) {
    if (op.options.effect == Effect::once && failure.cls == ErrorClass::unknown)
        return attempt_unknown(op, failure, End::in_life);
    // Of a step that changes nothing it is known what happened: nothing.
    if (op.options.effect == Effect::read && failure.cls == ErrorClass::unknown) failure.cls = ErrorClass::retryable;
    again_or_fail(op, std::move(failure), retry_after, op.state.attempts + 1);
}

// Another attempt after its back-off, while the policy and the time allow one.
void Execution::again_or_fail(OpBase& op, core::Failure failure, std::optional<Micros> retry_after, int number) {
    core::FailedAttempt facts;
    facts.number = number;
    facts.cls = failure.cls == ErrorClass::unknown ? ErrorClass::retryable : failure.cls;
    facts.effect = Effect::idempotent;  // whether it may be repeated was judged before
    facts.retry_after = retry_after;
    facts.task_attempts = row_.max_attempts;
    facts.remaining = time_left(op);
    facts.jitter = engine_.random().unit();
    const core::RetryDecision decision = core::decide_retry(policy_of(op), facts);
    using What = core::RetryDecision::What;
    PAWL_ASSERT(decision.what != What::unknown);
    op.state.phase = Op::recording;
    if (decision.what == What::retry)
        return draft(EntryKind::step_attempt_failed, op, facts.number, {}, core::encode_failure(failure),
                     decision.delay);
    if (decision.what == What::pause) {
        pause_reason_ = Reason::exhausted;
        pause_text_ = "step " + op.path + ": " + failure.message + " (" + decision.text + ")";
        return draft(EntryKind::step_attempt_failed, op, facts.number, {}, core::encode_failure(failure));
    }
    // A final error speaks for itself; of the others it must be told why they were not repeated.
    if (decision.why != core::RetryDecision::Why::final) failure.message += " (" + decision.text + ")";
    draft(EntryKind::step_failed, op, facts.number, {}, core::encode_failure(failure));
}

// ---- unknown outcomes ------------------------------------------------------------------------------------------

void Execution::attempt_unknown(OpBase& op, const core::Failure& failure, End end) {
    // The code tells a later reader how it ended: outcome_unknown stands for a crash.
    const Errc code = end == End::by_crash ? Errc::outcome_unknown : failure.code;
    const int number = op.state.attempts + 1;
    op.state.phase = Op::recording;
    draft(EntryKind::step_unknown, op, number, {}, core::encode_failure({ErrorClass::unknown, code, failure.message}));
    using Policy = OnUnknown::Policy;
    // A check runs once the entry is flushed: start_op() finds it open and comes back to recover().
    if (op.options.on_unknown.policy == Policy::verify) return;
    // What the attempt itself came to counts as a failed attempt; a crash burns none.
    if (op.options.on_unknown.policy == Policy::retry && end == End::in_life)
        return again_or_fail(op, failure, {}, number);
    decide_unknown(op, failure.message, number);
}

void Execution::decide_unknown(OpBase& op, const std::string& why, int number) {
    using Policy = OnUnknown::Policy;
    const core::Failure failure{ErrorClass::unknown, Errc::outcome_unknown, "outcome unknown: " + why};
    switch (op.options.on_unknown.policy) {
        case Policy::report:
        case Policy::fail:
            op.state.phase = Op::recording;
            return draft(EntryKind::step_failed, op, number, {}, core::encode_failure(failure));
        case Policy::retry:
            op.state.phase = Op::recording;
            return draft(EntryKind::step_resolved, op, number, {}, core::encode_asked({{}, {}, "on_unknown(retry)"}));
        case Policy::verify:
        case Policy::pause:
            op.state.phase = Op::checking;
            pause_reason_ = Reason::outcome_unknown;
            pause_text_ = "step " + op.path + ": " + failure.message;
    }
}

// A person said that it happened, and with what result. The code alone knows whether that can be its result; if not,
// the outcome is as open as before.
void Execution::take_word(OpBase& op, std::string result) {
    const int number = std::max(1, op.state.attempts);
    if (result == "null" && !op.options.result_if_told.empty()) result = op.options.result_if_told;
    op.state.phase = Op::recording;
    try {
        op.check_result(result);
        return draft(EntryKind::step_completed, op, number, std::move(result));
    } catch (const JsonError& e) {
        core::Failure failure{ErrorClass::unknown, op.state.code, {}};
        failure.message = std::string("the result that was given does not fit the code: ") + e.what() +
                          "; resolve it again, with --result and the JSON that the step returns (of a tool: a text)";
        draft(EntryKind::step_unknown, op, number, {}, core::encode_failure(failure));
        op.state.phase = Op::checking;
        pause_reason_ = Reason::outcome_unknown;
        pause_text_ = "step " + op.path + ": " + failure.message;
    }
}

// A step whose last attempt has an intent and no answer: a crash cut it, or its outcome is still open.
void Execution::recover(OpBase& op) {
    OpState& s = op.state;
    if (s.unknown_open) {
        if (op.options.on_unknown.policy == OnUnknown::Policy::verify && op.options.on_unknown.check)
            return launch(op, true);
        return decide_unknown(op, "the worker or its attempt ended in the middle", s.attempts);
    }
    const auto judge = [this, &op] {
        if (op.options.effect == Effect::once)
            return attempt_unknown(
                op,
                {ErrorClass::unknown, Errc::outcome_unknown,
                 "the worker ended in the middle of attempt " + std::to_string(op.state.attempts + 1)},
                End::by_crash);
        attempt_lost(op);
    };
    if (!op.options.recover || s.identity.empty()) return judge();
    // A tool's process may have outlived its worker: it is gone before anything is judged.
    s.phase = Op::checking;
    running_.push_back(std::make_unique<Running>(op, new_attempt(op)));
    Running* running = running_.back().get();
    engine_.pool().run([this, &op, running, judge, recover = op.options.recover, identity = s.identity] {
        std::string alive;
        try {
            (*recover)(identity);
        } catch (const std::exception& e) { alive = e.what(); }
        engine_.loop().post([this, &op, running, judge, alive = std::move(alive)] {
            if (running->deaf) engine_.count_deaf(-1);
            std::erase_if(running_, [&](const auto& r) { return r.get() == running; });
            if (phase_ != Phase::live) return engine_.finished(*this);
            if (ending_ == core::Ending::none && alive.empty()) judge();
            else if (ending_ == core::Ending::none) ask_a_person(op, alive);
            settle();
        });
    });
}

// Whatever its effect class and policy: neither a check nor another attempt goes on beside a former one.
void Execution::ask_a_person(OpBase& op, const std::string& alive) {
    const std::string text = "a former attempt cannot be ended and may still be at work: " + alive;
    draft(EntryKind::step_unknown, op, op.state.attempts + 1, {},
          core::encode_failure({ErrorClass::unknown, Errc::outcome_unknown, text}));
    op.state.phase = Op::checking;
    pause_reason_ = Reason::outcome_unknown;
    pause_text_ = "step " + op.path + ": outcome unknown: " + text;
}

void Execution::end_check(OpBase& op, bool stopped, const std::optional<std::string>& over, Ended ended) {
    if (ending_ != core::Ending::none) return;  // the outcome stays unknown, as recorded
    if (stopped && ended.error && engine_.draining()) {
        op.state.phase = Op::fresh;  // whoever holds the task next looks again
        return;
    }
    if (over || ended.error) {
        const std::string why = over ? *over : describe(ended.error, Effect::read).failure.message;
        pause_reason_ = Reason::outcome_unknown;
        pause_text_ = "step " + op.path + ": outcome unknown, and its check cannot tell: " + why;
        return;
    }
    op.state.phase = Op::recording;
    const int number = std::max(1, op.state.attempts);  // a retry of the task has set the count to 0
    if (ended.happened) return record_result(op, number, ended);
    if (op.state.code == Errc::outcome_unknown)
        return draft(EntryKind::step_resolved, op, number, {},
                     core::encode_asked({{}, {}, "its check: it did not happen"}));
    // The attempt came to this by itself: it counts, and the next one has its back-off.
    again_or_fail(op, {ErrorClass::retryable, op.state.code, "ended without an answer; its check: it did not happen"},
                  {}, number);
}

void Execution::record_intent(const std::shared_ptr<AttemptState>& state, std::string identity) {
    const auto at = std::ranges::find_if(running_, [&](const auto& r) { return r->state == state; });
    PAWL_ASSERT(at != running_.end());
    if (phase_ != Phase::live || ending_ != core::Ending::none || engine_.draining() || (*at)->over)
        return state->answer_intent(false);
    draft(intent_of(*(*at)->op), *(*at)->op, state->number, std::move(identity));
    drafts_.back().intent_of = state;
    settle();
}

// Nothing of it happened, and it burns no attempt.
void Execution::attempt_lost(OpBase& op) {
    op.state.phase = Op::recording;
    draft(EntryKind::step_lost, op, op.state.attempts + 1);
}

void Execution::cancel_op(OpBase& op) {
    op.state.phase = Op::recording;
    draft(EntryKind::step_cancelled, op, op.state.attempts);
}

}  // namespace pawl::detail
