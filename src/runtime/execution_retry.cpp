// What a retry of the task means to those who read its journal: void entries, and the keys of steps.
#include "runtime/execution.hpp"

#include <algorithm>

namespace pawl::detail {

using core::EntryKind;

// Ranges may overlap: a later retry can void from an earlier entry on than the one before it.
bool Execution::is_void(int no) const {
    return std::ranges::any_of(voided_, [no](const auto& range) { return no >= range.first && no <= range.second; });
}

// Entries between a voided failure and the `reopened` entry: what they recorded as done stays done, what they say about
// effects (begun, unknown, did not happen) stays known, the rest is as if it had not been. A kept result is recorded
// anew when the code asks for it, so that a later replay reads it in order.
void Execution::feed_void(core::Entry& entry) {
    if (entry.kind == EntryKind::reopened) return feed_reopened(entry);
    if (!core::is_operation(entry.kind)) return;
    const auto at = std::ranges::find_if(active_, [&](const OpBase* op) { return op->path == entry.path; });
    OpState& s = at != active_.end() ? (*at)->state : voided_steps_[entry.path];
    doubt_effect(entry.path, at != active_.end() ? *at : nullptr, entry.kind, entry.result, entry.error);
    s.intent_open = core::is_intent(entry.kind) || (entry.kind == EntryKind::step_unknown && s.intent_open);
    s.unknown_open = entry.kind == EntryKind::step_unknown;
    if (core::is_intent(entry.kind)) s.identity = std::move(entry.result);
    if (entry.kind == EntryKind::step_unknown) s.code = core::decode_failure(entry.error).code;
    if (entry.kind == EntryKind::step_completed) salvaged_[entry.path] = std::move(entry.result);
    if (entry.kind == EntryKind::step_resolved && !entry.result.empty()) told_[entry.path] = std::move(entry.result);
    else told_.erase(entry.path);
    if (entry.kind != EntryKind::step_failed) return;
    const core::Failure failure = core::decode_failure(entry.error);
    voided_failures_.erase(entry.path);
    if (failure.happened) kept_failures_[entry.path] = std::move(entry.error);
    else voided_failures_[entry.path] = failure.cls;
}

// A person said "again". A known failure gets a new key, so that the receiver does not answer with the old one; while
// any attempt under the old key may have happened the key stays, so that the receiver can tell the repetition.
void Execution::feed_reopened(const core::Entry& entry) {
    const auto failed = voided_failures_.find(entry.path);
    const bool is_known = failed != voided_failures_.end() && failed->second != ErrorClass::unknown;
    if (is_known && !doubted_.contains(entry.path)) generations_[entry.path]++;
    voided_failures_.clear();
    for (OpBase* op : active_) {
        OpState& s = op->state;
        s.attempts = 0;
        s.first_us = 0;
        if (op->kind != OpKind::timer) s.due_us = 0;
        if (is_wait(op->kind)) s.phase = OpState::Phase::fresh;  // it is announced anew
        s.generation = generation_of(*op);
    }
}

int Execution::generation_of(const OpBase& op) const {
    const auto at = generations_.find(op.path);
    return at == generations_.end() ? 0 : at->second;
}

// Whether an attempt under the step's present key may have happened, whatever became of later ones. `op` is null while
// the code has not come to the step again.
void Execution::doubt_effect(const std::string& path, const OpBase* op, EntryKind kind, const std::string& result,
                             const std::string& error) {
    const bool was_unknown = op && op->state.unknown_open;
    switch (kind) {
        case EntryKind::step_unknown:
            doubted_.insert(path);
            return;
        case EntryKind::step_lost:  // of a `once` step it says that nothing had begun
            if (!op || op->options.effect == Effect::idempotent) doubted_.insert(path);
            return;
        case EntryKind::step_attempt_failed:
            if (core::decode_failure(error).cls == ErrorClass::unknown) doubted_.insert(path);
            else if (was_unknown) doubted_.erase(path);  // its check: it did not happen
            return;
        case EntryKind::step_resolved:
            // It did not happen, says its check or a person; on_unknown(retry) does not know it either.
            if (result.empty() && op && op->options.on_unknown.policy != OnUnknown::Policy::retry) doubted_.erase(path);
            return;
        default:
            return;
    }
}

// Its worker died, or its store was closed or lost under it: an idempotent step that it may have begun has no entry.
void Execution::doubt_what_ran(const core::Entry& entry) {
    const bool is_cut = entry.kind == EntryKind::taken_over ||
                        (entry.kind == EntryKind::handed_back && entry.number == core::handed_back_by_store);
    if (!is_cut) return;
    const std::int64_t at_us = core::count(entry.at);
    for (const OpBase* op : active_) {
        const OpState& s = op->state;
        const bool at_rest = s.phase == OpState::Phase::backoff && (s.due_us == 0 || s.due_us > at_us);
        if (op->kind == OpKind::step && op->options.effect == Effect::idempotent && !at_rest &&
            !voided_failures_.contains(op->path))
            doubted_.insert(op->path);
    }
}

}  // namespace pawl::detail
