// Writing what an execution recorded, and what follows from the store's answer.
#include "core/assert.hpp"
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::detail {

using core::EntryKind;

void Execution::draft(EntryKind kind, OpBase& op, std::int64_t number, std::string result, std::string error,
                      std::optional<core::Micros> due_in) {
    Draft d;
    d.entry.kind = kind;
    d.entry.path = op.path;
    d.entry.number = number;
    d.entry.result = std::move(result);
    d.entry.error = std::move(error);
    d.entry.due_in = due_in;
    d.op = &op;
    drafts_.push_back(std::move(d));
}

void Execution::send_record(core::Transition next) {
    const bool leaving = !std::holds_alternative<std::monostate>(next);
    if (leaving) forget_unsent_intents();
    PAWL_ASSERT(leaving || !drafts_.empty());
    core::Record record;
    record.task = row_.ref;
    record.fence = row_.fence;
    record.id = row_.id;
    record.next = std::move(next);
    record.entries.reserve(drafts_.size());
    std::vector<Draft> drafts = std::exchange(drafts_, {});
    for (Draft& d : drafts) record.entries.push_back(std::move(d.entry));

    if (leaving) {
        phase_ = Phase::leaving;
        engine_.loop().cancel(std::exchange(wake_timer_, 0));
        engine_.loop().cancel(std::exchange(active_timer_, 0));
        leave();  // the slot is free for the claim that rides in the same batch
    }
    in_flight_++;
    engine_.send(std::move(record),
                 [this, drafts = std::move(drafts)](core::Command& command, Result<core::Answer> answer) mutable {
                     in_flight_--;
                     on_recorded(command, drafts, answer);
                 });
}

// It is neither failed nor guessed at: a worker of a newer version goes on with it.
void Execution::leave_to_newer(const core::Entry& entry) {
    spdlog::warn("task {}: entry {} of its journal is of a newer version; it is left to a worker of that one",
                 core::to_string(row_.id), entry.no);
    send_record(core::HandBack{core::journal_format_max + 1});
}

// Nobody would run what they announce, and whoever holds the task next would have to call its outcome unknown.
void Execution::forget_unsent_intents() {
    std::erase_if(drafts_, [](Draft& d) {
        if (!core::is_intent(d.entry.kind)) return false;
        if (d.intent_of) d.intent_of->answer_intent(false);
        else d.op->state.phase = OpState::Phase::fresh;
        return true;
    });
}

void Execution::on_recorded(core::Command& command, std::vector<Draft>& drafts, Result<core::Answer>& answer) {
    auto& record = std::get<core::Record>(command);
    const bool leaving = !std::holds_alternative<std::monostate>(record.next);
    if (phase_ == Phase::gone || !answer) {
        static const Error gone{Errc::lease_lost, "the task is no longer held"};
        return on_refused(record, drafts, answer ? gone : answer.error());
    }
    const auto& recorded = std::get<core::Recorded>(*answer);
    PAWL_ASSERT(recorded.due.size() == drafts.size());
    if (recorded.journal_full && !pause_text_) {
        pause_reason_ = Reason::budget;
        pause_text_ = core::journal_full_text;
    }
    const int newest = recorded.first_no + static_cast<int>(drafts.size()) - 1 + (leaving ? 1 : 0);
    // Nobody else's entry lies before these.
    if (newest_message_ == known_no_ && recorded.first_no == known_no_ + 1) newest_message_ = newest;
    known_no_ = newest;
    for (std::size_t i = 0; i < drafts.size(); i++) {
        core::EntryDraft& entry = record.entries[i];
        if (!drafts[i].op) continue;  // a note of the code
        OpBase& op = *drafts[i].op;
        if (drafts[i].intent_of) drafts[i].intent_of->answer_intent(true);
        const std::int64_t due_us = recorded.due[i] ? core::count(*recorded.due[i]) : 0;
        apply_to_op(op, entry.kind, entry.number, core::count(recorded.at), due_us, entry.result, entry.error);
        if (op.kind == OpKind::timer && entry.kind == EntryKind::timer_set) op.state.phase = OpState::Phase::backoff;
        if (core::is_intent(entry.kind) && op.state.phase == OpState::Phase::intent) {
            // Much may have happened since the intent went out.
            if (may_start() && !op.state.abandoned && !active_spent_) run_attempt(op);
            else attempt_lost(op);
        }
        if (entry.kind == EntryKind::step_resolved || entry.kind == EntryKind::signal_refused ||
            entry.kind == EntryKind::wait_set || entry.kind == EntryKind::step_unknown ||
            entry.kind == EntryKind::step_lost || entry.kind == EntryKind::step_attempt_failed)
            if (std::ranges::find(fresh_, &op) == fresh_.end()) fresh_.push_back(&op);
        if (core::is_observed(entry.kind)) {
            observed_at_ = recorded.at;
            complete_op(op);
            run_code();
        }
    }
    if (!leaving) return settle();
    if (recorded.state == TaskState::running) {  // cannot be: a transition leaves
        PAWL_ASSERT(false);
    }
    if (is_final(recorded.state) || recorded.state == TaskState::paused ||
        std::holds_alternative<core::HandBack>(record.next) || !running_.empty()) {
        phase_ = Phase::gone;
        return engine_.finished(*this);
    }
    phase_ = Phase::parked;
    engine_.parked(*this);
}

void Execution::on_refused(core::Record& record, std::vector<Draft>& drafts, const Error& error) {
    for (Draft& d : drafts)
        if (d.intent_of) d.intent_of->answer_intent(false);
    if (phase_ == Phase::gone) return engine_.finished(*this);
    if (error.code != Errc::stopping) {
        spdlog::warn("task {}: given up: {}", core::to_string(row_.id), error.message);
        return drop();
    }
    // The task is being ended: something of it would have begun. What had happened by then is recorded with the end.
    // The notice of the end came before this answer, or the row said so at the claim.
    std::vector<Draft> kept;
    for (std::size_t i = 0; i < drafts.size(); i++) {
        Draft& d = drafts[i];
        d.entry = std::move(record.entries[i]);
        if (!core::starts_something(d.entry.kind)) kept.push_back(std::move(d));
        else if (d.op->state.phase == OpState::Phase::intent || d.op->state.phase == OpState::Phase::recording)
            d.op->state.phase = OpState::Phase::fresh;
    }
    drafts_.insert(drafts_.begin(), std::make_move_iterator(kept.begin()), std::make_move_iterator(kept.end()));
    if (!std::holds_alternative<std::monostate>(record.next)) phase_ = Phase::live;
    PAWL_ASSERT(ending_ != core::Ending::none);
    on_ending(ending_);
    settle();
}

void Execution::leave() {
    if (!std::exchange(holds_slot_, false)) return;
    engine_.release_slot();
}

}  // namespace pawl::detail
