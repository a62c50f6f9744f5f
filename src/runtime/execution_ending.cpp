// How an execution lets go of its task: an end from outside, a pause, a drain, a loss.
#include "runtime/engine.hpp"
#include "runtime/execution.hpp"

#include <spdlog/spdlog.h>

namespace pawl::detail {

using core::EntryKind;

// Steps 1 of the end of task: running steps get the stop token, a grace, then the hard stop. The code is not resumed
// again.
void Execution::on_ending(core::Ending ending) {
    if (phase_ == Phase::gone || phase_ == Phase::parked) return;
    const bool harder = ending == core::Ending::kill && ending_ != core::Ending::kill;
    const bool first = stop_timer_ == 0;
    if (ending_ == core::Ending::none || harder) ending_ = ending;
    if (waits_) return begin();
    if (phase_ != Phase::live) return;  // go_live() and the answer of a transition come back to it
    stop_attempts(ending_ == core::Ending::kill ? 2 : 1);
    if (harder) engine_.loop().cancel(std::exchange(stop_timer_, 0));
    if (first || harder) {
        const auto left_behind = [this] {
            past_grace_ = true;
            settle();
        };
        const auto hard = [this, left_behind] {
            stop_attempts(2);
            stop_timer_ = engine_.loop().after(engine_.options().hard_stop, left_behind);
        };
        stop_timer_ = ending_ == core::Ending::kill ? engine_.loop().after(engine_.options().hard_stop, left_behind)
                                                    : engine_.loop().after(engine_.options().stop_grace, hard);
    }
    settle();
}

void Execution::settle_ending() {
    if (in_flight_ > 0) return;  // an intent may be on its way; its answer comes back here
    if (past_grace_) {
        for (const auto& running : running_) {
            if (running->deaf) continue;
            running->deaf = true;
            engine_.count_deaf(1);
            spdlog::warn("task {}: step {} ignores its stop; the task ends without it", core::to_string(row_.id),
                         running->op->path);
            if (running->checking || running->op->options.effect == Effect::read) continue;
            if (running->op->options.effect == Effect::once)
                draft(EntryKind::step_unknown, *running->op, running->state->number, {},
                      core::encode_failure({ErrorClass::unknown, Errc::outcome_unknown, "ignored its stop"}));
            else draft(EntryKind::step_lost, *running->op, running->state->number);
        }
    }
    if (!running_.empty() && !past_grace_) {
        if (!drafts_.empty()) send_record();
        return;
    }
    engine_.loop().cancel(std::exchange(stop_timer_, 0));
    if (ending_ == core::Ending::deadline)
        send_record(core::Fail{
            Reason::deadline, {ErrorClass::final, Errc::task_failed, "the deadline of the task passed"}, {}});
    else send_record(core::Cancelled{});
}

void Execution::on_pause_requested() {
    pause_requested_ = true;
    if (waits_) return begin();
    settle();
}

void Execution::on_drain() {
    if (waits_) return begin();
    if (phase_ == Phase::live) settle();
}

void Execution::drop() {
    if (phase_ == Phase::gone) return;
    phase_ = Phase::gone;
    stop_attempts(2);
    for (Draft& d : drafts_)
        if (d.intent_of) d.intent_of->answer_intent(false);
    drafts_.clear();
    if (std::exchange(holds_slot_, false)) engine_.give_up_slot();
    engine_.finished(*this);
}

}  // namespace pawl::detail
