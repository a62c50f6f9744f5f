#include "runtime/execution.hpp"

#include "core/assert.hpp"
#include "core/limits.hpp"
#include "runtime/engine.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::detail {

using core::EntryKind;
using Op = OpState::Phase;

namespace {

void announce_attempt(OpState& s, std::int64_t at_us, std::string identity) {
    s.intent_open = true;
    s.identity = std::move(identity);
    if (s.first_us == 0) s.first_us = at_us;
}

// Any operation may have been cancelled.
bool fits(const core::Entry& entry, OpKind kind) {
    switch (entry.kind) {
        case EntryKind::timer_set:
        case EntryKind::timer_fired:
            return kind == OpKind::timer;
        case EntryKind::wait_set:
            return is_wait(kind) && (entry.number == 1) == (kind == OpKind::approval);
        case EntryKind::wait_ended:
        case EntryKind::signal_refused:
            return is_wait(kind);
        case EntryKind::step_cancelled:
            return true;
        case EntryKind::step_failed:
            return kind == OpKind::step || is_wait(kind);
        default:
            return kind == OpKind::step;
    }
}

// What a task waits for that waits for such an operation.
Reason reason_of(OpKind kind) {
    switch (kind) {
        case OpKind::step:
            return Reason::retry;
        case OpKind::approval:
            return Reason::approval;
        case OpKind::signal:
            return Reason::signal;
        default:
            return Reason::timer;
    }
}

// A crash burns no attempt. (A retry of the task has set the count to 0.)
void forget_unknown(OpState& s) {
    if (s.unknown_open && s.code == Errc::outcome_unknown) s.attempts = std::max(0, s.attempts - 1);
    s.intent_open = s.unknown_open = false;
}

void begin_anew(OpState& s) {
    s.attempts = 0;
    if (s.phase == Op::backoff && s.due_us == 0) s.phase = Op::fresh;  // it was exhausted
}

}  // namespace

Execution::Execution(runtime::Engine& engine, std::uint64_t serial, core::ClaimedTask claimed,
                     const RegisteredType& type)
    : engine_(engine),
      serial_(serial),
      type_(type),
      row_(std::move(claimed.row)),
      definition_(std::move(claimed.definition)),
      voided_(std::move(claimed.voided)),
      context_(*this) {
    ending_ = row_.ending;
    pause_requested_ = row_.pause_requested;
    observed_at_ = row_.created;
    if (claimed.fresh) known_no_ = newest_message_ = row_.claimed_no;
    for (const std::string& id : row_.memo.patches) patches_.emplace(id, true);
}

// At the end of the process functions may be left that never started; none runs: the pool is gone by then.
Execution::~Execution() {
    engine_.loop().cancel(wake_timer_);
    engine_.loop().cancel(stop_timer_);
    engine_.loop().cancel(active_timer_);
}

void Execution::wait_for_former() {
    waits_ = may_start();
    if (!waits_) begin();
}

void Execution::former_is_gone() {
    if (waits_ && phase_ == Phase::loading) begin();
}

void Execution::begin() {
    waits_ = false;
    replaying_ = known_no_ < row_.claimed_no;  // not when fresh: what the code logs first is news
    root_.emplace(type_.run(context_, std::move(row_.input)));
    root_->bind(root_scope_);
    root_->handle().promise().listener = this;
    runnable_.push_back(root_->handle());
    run_code();
    if (known_no_ >= row_.claimed_no) go_live();
    else load_more();
}

void Execution::resume_parked(core::ClaimedTask claimed) {
    PAWL_ASSERT(phase_ == Phase::parked && claimed.row.ref == row_.ref);
    row_ = std::move(claimed.row);
    row_.input.clear();
    ending_ = row_.ending;
    pause_requested_ = row_.pause_requested;
    holds_slot_ = true;
    fresh_ = active_;
    phase_ = Phase::loading;
    // A park is followed by `woken` and `claimed`; anything more is news that must be fed.
    if (row_.claimed_no == known_no_ + 2) {
        if (newest_message_ == known_no_) newest_message_ = row_.claimed_no;
        known_no_ = row_.claimed_no;
        go_live();
    } else {
        replaying_ = true;
        load_more();
    }
}

// ---- feeding ---------------------------------------------------------------------------------------------------

void Execution::load_more() {
    in_flight_++;
    engine_.send(core::Load{row_.ref, known_no_, 256}, [this](core::Command&, Result<core::Answer> answer) {
        in_flight_--;
        if (phase_ != Phase::loading) return engine_.finished(*this);
        if (!answer) {
            spdlog::error("task {}: its journal cannot be read: {}", core::to_string(row_.id), answer.error().message);
            return drop();
        }
        on_loaded(std::get<core::Loaded>(std::move(*answer)));
    });
}

void Execution::on_loaded(core::Loaded loaded) {
    for (core::Entry& entry : loaded.entries) {
        if (!core::is_readable(entry)) return leave_to_newer(entry);
        feed(entry);
        if (diverged_) return go_live();
    }
    if (known_no_ >= row_.claimed_no || loaded.end) go_live();
    else load_more();
}

void Execution::feed(core::Entry& entry) {
    PAWL_ASSERT(entry.no == known_no_ + 1);
    known_no_ = entry.no;
    // Behind a gap nothing is taken: what lies in it may be older, and load_messages() comes by here, too.
    const bool is_next = entry.no == newest_message_ + 1;
    if (is_next) newest_message_ = entry.no;
    if (core::is_message(entry.kind)) {
        const bool is_void_answer = entry.kind == EntryKind::answered && is_void(entry.no);
        if (is_next && !is_void_answer) see_message(entry);
        return;
    }
    doubt_what_ran(entry);
    if (is_void(entry.no)) return feed_void(entry);
    switch (entry.kind) {
        case EntryKind::resumed:
            if (static_cast<Reason>(entry.number) == Reason::exhausted)
                for (OpBase* op : active_) begin_anew(op->state);
            return;
        default:
            if (core::is_operation(entry.kind)) feed_operation(entry);
    }
}

void Execution::feed_operation(core::Entry& entry) {
    const auto at = std::ranges::find_if(active_, [&](const OpBase* op) { return op->path == entry.path; });
    if (at == active_.end()) {
        // Of an intent in a void range that the store closed as it ended the task: the code has not come there again.
        const bool is_closing = entry.kind == EntryKind::step_unknown || entry.kind == EntryKind::step_lost;
        if (is_closing && voided_steps_.contains(entry.path)) return feed_void(entry);
        std::string waiting;
        for (const OpBase* op : active_) waiting += (waiting.empty() ? "" : ", ") + op->path;
        if (waiting.empty()) waiting = root_done_ ? "nothing: it has returned" : "nothing";
        return diverge("entry " + std::to_string(entry.no) + " of the journal is " +
                       std::string(core::to_string(entry.kind)) + " '" + entry.path +
                       "', but the code, run again, now waits for: " + waiting);
    }
    OpBase& op = **at;
    if (!fits(entry, op.kind))
        return diverge("entry " + std::to_string(entry.no) + " of the journal is " +
                       std::string(core::to_string(entry.kind)) + " '" + entry.path +
                       "', but in the code that name is now another kind of operation");
    apply_to_op(op, entry.kind, entry.number, core::count(entry.at), entry.due ? core::count(*entry.due) : 0,
                entry.result, entry.error);
    if (core::is_observed(entry.kind)) {
        observed_at_ = entry.at;
        complete_op(op);
        run_code();
    }
}

// The one place where an entry changes an operation, live and in a replay.
void Execution::apply_to_op(OpBase& op, EntryKind kind, std::int64_t number, std::int64_t at_us, std::int64_t due_us,
                            std::string& result, std::string& error) {
    OpState& s = op.state;
    doubt_effect(op.path, &op, kind, result, error);
    switch (kind) {
        case EntryKind::step_started:
        case EntryKind::step_begun:
            announce_attempt(s, at_us, std::move(result));
            break;
        case EntryKind::step_attempt_failed:
            s.intent_open = s.unknown_open = false;
            s.attempts = static_cast<int>(number);
            s.due_us = due_us;
            s.phase = Op::backoff;
            break;
        case EntryKind::step_lost:
            s.intent_open = false;
            s.phase = Op::fresh;
            break;
        case EntryKind::step_unknown:
            told_.erase(op.path);
            s.attempts = static_cast<int>(number);
            s.unknown_open = true;
            s.code = core::decode_failure(error).code;
            if (s.phase == Op::recording) s.phase = Op::fresh;  // its check comes next
            break;
        case EntryKind::step_resolved:
            if (result.empty()) forget_unknown(s);
            else told_[op.path] = std::move(result);
            s.phase = Op::fresh;
            break;
        case EntryKind::step_completed:
            told_.erase(op.path);
            op.value = std::move(result);
            break;
        case EntryKind::step_failed: {
            core::Failure failure = core::decode_failure(error);
            s.failed = true;
            s.cls = failure.cls;
            s.code = failure.code;
            op.value = std::move(failure.message);
            break;
        }
        case EntryKind::step_cancelled:
            s.failed = true;
            s.code = Errc::stopping;
            op.value = "cancelled: another branch has decided";
            break;
        case EntryKind::timer_set:
            s.due_us = due_us;
            break;
        case EntryKind::wait_set:
        case EntryKind::wait_ended:
        case EntryKind::signal_refused:
            apply_to_wait(op, kind, static_cast<int>(number), at_us, due_us);
            break;
        default:
            break;
    }
}

void Execution::complete_op(OpBase& op) {
    op.state.phase = Op::done;
    std::erase(active_, &op);
    std::erase(fresh_, &op);
    if (op.abandoned_by) check_later(*op.abandoned_by);
    else if (op.parent) op.parent->branch_done(op.state.failed && !op.failure_is_value, op);
    else runnable_.push_back(op.waiter);
}

void Execution::run_code() {
    if (ending_ != core::Ending::none && !replaying_) return;
    while (!runnable_.empty() || !checks_.empty()) {
        if (runnable_.empty()) {
            Group* group = checks_.front();
            checks_.pop_front();
            group->check_drained();
            continue;
        }
        const auto handle = runnable_.front();
        runnable_.pop_front();
        handle.resume();
    }
}

void Execution::drained(Group& group, const std::string& prefix) {
    abandoned_.erase(prefix);
    std::erase_if(checks_, [&](const Group* due) { return due == &group || due->path.starts_with(prefix); });
}

void Execution::diverge(std::string text) {
    if (!diverged_) diverged_ = std::move(text);
}

// ---- operations of the code ------------------------------------------------------------------------------------

void Execution::registered(OpBase& op) {
    op.state.generation = generation_of(op);
    if (const auto known = voided_steps_.find(op.path); known != voided_steps_.end()) {
        op.state.intent_open = known->second.intent_open;
        op.state.unknown_open = known->second.unknown_open;
        op.state.identity = std::move(known->second.identity);
        op.state.code = known->second.code;
        voided_steps_.erase(known);
    }
    active_.push_back(&op);
    fresh_.push_back(&op);
    // A branch that was already on its way when its sibling failed: nothing of it starts.
    for (const auto& [prefix, group] : abandoned_) {
        if (!op.path.starts_with(prefix)) continue;
        op.abandoned_by = group;
        op.state.abandoned = true;
        return;
    }
}

void Execution::abandon_under(const std::string& prefix, Group& group) {
    abandoned_[prefix] = &group;
    for (OpBase* op : active_) {
        if (!op->path.starts_with(prefix)) continue;
        op->abandoned_by = &group;
        op->state.abandoned = true;
        if (std::ranges::find(fresh_, op) == fresh_.end()) fresh_.push_back(op);
    }
}

bool Execution::any_active_under(const std::string& prefix) const {
    return std::ranges::any_of(active_, [&](const OpBase* op) { return op->path.starts_with(prefix); });
}

TimePoint Execution::observed_time() const { return TimePoint{observed_at_.time_since_epoch()}; }

// SplitMix64 over the task's random bits and a counter.
std::uint64_t Execution::random() {
    std::uint64_t seed = 0;
    for (std::size_t i = 8; i < 16; i++) seed = (seed << 8) | row_.id.bytes[i];
    std::uint64_t z = seed + (++randoms_) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void Execution::log(std::string_view text) const {
    if (!replaying_) spdlog::info("{} {}: {}", core::to_string(row_.id), row_.lane.type, text);
}

std::vector<Execution::LiveAttempt> Execution::live_attempts() const {
    std::vector<LiveAttempt> live;
    for (const auto& r : running_)
        live.push_back({r->op->path, r->state->number, r->since, past_grace_ || (r->over && stop_timer_ == 0)});
    return live;
}

// ---- settling --------------------------------------------------------------------------------------------------

void Execution::go_live() {
    known_no_ = std::max(known_no_, row_.claimed_no);
    replaying_ = false;
    phase_ = Phase::live;
    fresh_ = active_;
    arm_active_time();
    if (std::exchange(has_news_, false) || row_.memo.newest > newest_message_) load_messages();
    // The claim may have met an end that was asked for before it.
    if (ending_ != core::Ending::none) on_ending(ending_);
    if (engine_.draining()) on_drain();
    settle();
}

// Nothing new begins in a task that is ended, paused or handed back, or whose code does not fit.
bool Execution::may_start() const {
    return ending_ == core::Ending::none && !pause_requested_ && !pause_text_ && !diverged_ && !engine_.draining();
}

void Execution::settle() {
    if (phase_ != Phase::live || settling_) return;
    settling_ = true;
    if (ending_ != core::Ending::none) {
        settle_ending();
    } else {
        run_code();
        if (diverged_ || root_done_ || active_spent_) {
            finish();
        } else {
            const bool held_up = !may_start();
            if (!held_up) start_fresh();
            const bool busy = !running_.empty() || in_flight_ > 0;
            if (!busy && only_durable_waits()) {
                send_record(pause_text_ ? core::Transition{core::Pause{pause_reason_, *pause_text_}}
                                        : core::Transition{park()});
            } else if (!busy && held_up && drafts_.empty()) {
                send_record(pause_text_ ? core::Transition{core::Pause{pause_reason_, *pause_text_}}
                            : pause_requested_
                                ? core::Transition{core::Pause{Reason::by_operator, "by request of an operator"}}
                                : core::Transition{core::HandBack{}});
            } else {
                if (!drafts_.empty()) send_record();
                arm_wake();
            }
        }
    }
    settling_ = false;
}

// While a diverged history or a finished code leaves steps running (a sibling's), wait for them: their frames live
// inside ours.
void Execution::finish() {
    if (!running_.empty()) {
        stop_attempts(1);
        if (!drafts_.empty()) send_record();
        return;
    }
    if (in_flight_ > 0) return;
    if (diverged_) {
        // What has happened has happened, whatever the code makes of it: only what would begin is dropped.
        std::erase_if(drafts_, [](const Draft& d) {
            return d.entry.kind == EntryKind::timer_set || d.entry.kind == EntryKind::wait_set;
        });
        return send_record(core::Pause{Reason::diverged, *diverged_});
    }
    if (!root_done_)
        return send_record(breach({"the task has been running for its whole active time of " +
                                       std::to_string(active_limit_->count() / 1'000'000) + " s",
                                   on_active_breach_}));
    send_record(outcome_of_code());
}

void Execution::arm_active_time() {
    engine_.loop().cancel(std::exchange(active_timer_, 0));
    if (!active_limit_) return;
    active_timer_ = engine_.loop().after(std::max(core::Micros{0}, *active_limit_ - row_.active), [this] {
        active_timer_ = 0;
        active_spent_ = true;
        settle();
    });
}

// Paused, it keeps everything that was paid for, and a person decides (docs/dev/decisions/).
core::Transition Execution::breach(const BudgetSpent& spent) {
    if (spent.on_breach == OnBreach::pause) return core::Pause{Reason::budget, spent.what()};
    return core::Fail{Reason::budget, {ErrorClass::final, Errc::task_failed, spent.what()}, {}};
}

core::Transition Execution::outcome_of_code() {
    core::Fail fail;
    try {
        return core::Complete{root_->await_resume()};
    } catch (const BudgetSpent& e) { return breach(e); } catch (const StepFailed& e) {
        fail.failure = {e.cls, e.code, e.what()};
        fail.path = e.path();
    } catch (const StepError& e) { fail.failure = {e.cls, Errc::task_failed, e.what()}; } catch (const Exception& e) {
        fail.failure = {ErrorClass::final, e.error.code, e.what()};
    } catch (const JsonError& e) {
        fail.failure = {ErrorClass::final, Errc::bad_input,
                        std::string("the input does not fit the type: ") + e.what()};
    } catch (const std::exception& e) { fail.failure = {ErrorClass::final, Errc::task_failed, e.what()}; } catch (...) {
        fail.failure = {ErrorClass::final, Errc::task_failed,
                        "the workflow threw something that is not a std::exception"};
    }
    return fail;
}

void Execution::start_fresh() {
    // on_loop steps may end in place and their drafts are delivered later, so this never recurses into the code.
    const std::vector<OpBase*> fresh = std::exchange(fresh_, {});
    for (OpBase* op : fresh) start_op(*op);
}

void Execution::start_op(OpBase& op) {
    OpState& s = op.state;
    if (s.phase == Op::done || s.phase == Op::running || s.phase == Op::recording || s.phase == Op::checking) {
        if (s.abandoned && s.phase == Op::running)
            if (Running* r = running_of(op)) stop_attempt(*r, 1);
        return;
    }
    if (s.abandoned && (!s.intent_open || op.options.effect != Effect::once)) return cancel_op(op);
    const std::int64_t now_us = core::count(engine_.now());
    if (op.kind == OpKind::timer) return look_at_timer(op, now_us);
    if (is_wait(op.kind)) return look_at_wait(op, now_us);
    if (const auto kept = salvaged_.find(op.path); kept != salvaged_.end()) {
        s.phase = Op::recording;
        draft(EntryKind::step_completed, op, s.attempts + 1, std::move(kept->second));
        salvaged_.erase(kept);
        return;
    }
    if (const auto kept = kept_failures_.find(op.path); kept != kept_failures_.end()) {
        s.phase = Op::recording;
        draft(EntryKind::step_failed, op, s.attempts + 1, {}, std::move(kept->second));
        kept_failures_.erase(kept);
        return;
    }
    if (const auto told = told_.find(op.path); told != told_.end())
        return take_word(op, std::exchange(told->second, {}));
    if (s.intent_open || s.unknown_open) return recover(op);
    if (s.due_us > now_us) {
        s.phase = Op::backoff;
        return;
    }
    start_attempt(op);
}

// An instant of the wall clock is looked at again when its length has passed by the store's: the one may have been set.
void Execution::look_at_timer(OpBase& op, std::int64_t now_us) {
    OpState& s = op.state;
    if (s.due_us > now_us) return;
    core::Micros left{s.due_us == 0 ? op.wait : core::Micros{0}};
    if (op.until) {
        const auto until = std::chrono::duration_cast<core::Micros>(op.until->time_since_epoch());
        left = until - engine_.clock().wall().time_since_epoch();
    }
    s.phase = Op::recording;
    if (s.due_us != 0 && left <= core::Micros{0}) return draft(EntryKind::timer_fired, op, 0);
    draft(EntryKind::timer_set, op, 0, {}, {}, std::max(core::Micros{0}, left));
}

// Only timers and back-offs are left, and what is about to be recorded adds no other thing to wait for.
bool Execution::only_durable_waits() const {
    if (active_.empty()) return false;
    for (const Draft& d : drafts_)
        if (d.entry.kind != EntryKind::timer_set && d.entry.kind != EntryKind::wait_set &&
            d.entry.kind != EntryKind::signal_refused && !core::is_code_note(d.entry.kind) &&
            !(d.entry.kind == EntryKind::step_attempt_failed && d.entry.due_in) &&
            !(d.entry.kind == EntryKind::step_unknown && d.op->options.on_unknown.policy == OnUnknown::Policy::retry) &&
            !(pause_text_ && !core::is_observed(d.entry.kind)))
            return false;
    if (pause_text_) return true;
    const auto now_us = core::count(engine_.now());
    return std::ranges::all_of(active_, [&](const OpBase* op) {
        const bool drafted = std::ranges::any_of(drafts_, [&](const Draft& d) { return d.op == op; });
        if (drafted) return true;
        if (op->kind == OpKind::timer) return op->state.due_us > now_us;
        if (is_wait(op->kind))
            return op->state.first_us != 0 && (op->state.due_us == 0 || op->state.due_us > now_us) && !message_for(*op);
        return op->state.phase == Op::backoff && op->state.due_us > now_us;
    });
}

core::Park Execution::park() const {
    core::Park park;
    park.newest_message = newest_message_;
    const auto weight = [](Reason r) {
        return r == Reason::retry ? 3 : r == Reason::approval ? 2 : r == Reason::signal;
    };
    for (const OpBase* op : active_) {
        const Reason reason = reason_of(op->kind);
        if (weight(reason) > weight(park.reason)) park.reason = reason;
        if (op->state.due_us == 0) continue;
        const bool is_set_anew =
            std::ranges::any_of(drafts_, [&](const Draft& d) { return d.op == op && d.entry.due_in; });
        if (is_set_anew) continue;
        const core::Instant due = core::instant(op->state.due_us);
        if (!park.wake_at || due < *park.wake_at) park.wake_at = due;
    }
    for (const Draft& d : drafts_)
        if (d.entry.due_in && (!park.wake_in || *d.entry.due_in < *park.wake_in)) park.wake_in = d.entry.due_in;
    return park;
}

// Some branch runs while others wait: those that fall due meanwhile go on from here.
void Execution::arm_wake() {
    engine_.loop().cancel(std::exchange(wake_timer_, 0));
    if (!may_start()) return;  // what is due would not begin, and be due again at once
    std::int64_t next_us = 0;
    for (const OpBase* op : active_) {
        const bool waits = op->state.due_us != 0 && (op->kind == OpKind::timer ? op->state.phase != Op::recording
                                                                               : op->state.phase == Op::backoff);
        if (waits && (next_us == 0 || op->state.due_us < next_us)) next_us = op->state.due_us;
    }
    if (next_us == 0) return;
    const auto delay = std::max(core::Micros{0}, core::instant(next_us) - engine_.now());
    wake_timer_ = engine_.loop().after(delay, [this] {
        wake_timer_ = 0;
        fresh_ = active_;
        settle();
    });
}

}  // namespace pawl::detail
