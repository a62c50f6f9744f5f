#include "core/transition_parts.hpp"

#include "core/assert.hpp"

namespace pawl::core::transition {
namespace {

Reason cancelled_reason(Ending cause) {
    switch (cause) {
        case Ending::parent:
            return Reason::parent;
        case Ending::kill:
            return Reason::killed;
        default:
            return Reason::user;
    }
}

Errc code_of_pause(Reason reason) {
    switch (reason) {
        case Reason::diverged:
            return Errc::diverged;
        case Reason::outcome_unknown:
            return Errc::outcome_unknown;
        default:
            return Errc::task_paused;
    }
}

}  // namespace

void append(const Stage& stage, TaskRow& row, const NewEntry& entry) {
    ++row.last_no;
    row.journal_bytes += static_cast<std::int64_t>(entry.result.size() + entry.error.size());
    note(row.memo, row.last_no, entry.kind, entry.number, entry.path, entry.result, entry.due);
    stage.sink.entry(row, entry);
}

void stamp(const Stage& stage, TaskRow& row) {
    if (row.state == TaskState::running && stage.now > row.updated) row.active += stage.now - row.updated;
    row.updated = stage.now;
}

void move(const Stage& stage, TaskRow& row, TaskState state, Reason reason) {
    PAWL_ASSERT(is_allowed(row.state, state));
    stamp(stage, row);
    row.state = state;
    row.reason = reason;
    row.reason_before = Reason::none;
    if (state == TaskState::running || is_final(state)) row.due.reset();
    if (state != TaskState::running) row.pause_requested = false;  // it has had its effect, or is pointless now
}

void make_final(const Stage& stage, TaskRow& row, TaskState state, Reason reason) {
    PAWL_ASSERT(is_final(state));
    move(stage, row, state, reason);
    row.expires.reset();
    row.memo.waits.clear();
    stage.sink.notice(Notice::What::final, row);
}

void fail(const Stage& stage, TaskRow& row, Reason reason, std::string_view text) {
    row.error = encode_failure({ErrorClass::final, Errc::task_failed, std::string(text)});
    append(stage, row, {.kind = EntryKind::failed, .number = number_of(reason), .error = row.error});
    make_final(stage, row, TaskState::failed, reason);
}

void request_end(const Stage& stage, TaskRow& row, Ending cause, const Asked& asked) {
    PAWL_ASSERT(row.state == TaskState::running);
    PAWL_ASSERT(cause != Ending::none);
    stamp(stage, row);
    row.ending = cause;
    const Errc code = cause == Ending::deadline ? Errc::task_failed : Errc::task_cancelled;
    row.error = encode_failure({ErrorClass::final, code, text_of(asked), false, asked});
    append(stage, row,
           {.kind = EntryKind::ending, .number = static_cast<std::int64_t>(cause), .error = encode_asked(asked)});
    stage.sink.notice(Notice::What::ending, row);
}

void finish_ending(const Stage& stage, TaskRow& row, std::string_view note) {
    PAWL_ASSERT(row.ending != Ending::none);
    if (row.ending == Ending::deadline) {
        return fail(stage, row, Reason::deadline, note.empty() ? "its deadline passed before it was done" : note);
    }
    const Reason reason = cancelled_reason(row.ending);
    Failure failure{ErrorClass::final, Errc::task_cancelled, {}, false, decode_asked(row.error)};
    if (!note.empty()) failure.asked.note += (failure.asked.note.empty() ? "" : "; ") + std::string(note);
    failure.message = text_of(failure.asked);
    row.error = encode_failure(failure);
    append(stage, row, {.kind = EntryKind::cancelled, .number = number_of(reason), .error = row.error});
    make_final(stage, row, TaskState::cancelled, reason);
}

void stop_for_a_person(const Stage& stage, TaskRow& row, Reason reason, std::string_view text) {
    move(stage, row, TaskState::paused, reason);
    row.reason_before = Reason::queued;
    row.due.reset();
    row.error = encode_failure({ErrorClass::final, code_of_pause(reason), std::string(text)});
    append(stage, row, {.kind = EntryKind::paused, .number = number_of(reason), .error = row.error});
    stage.sink.notice(Notice::What::stopped, row);
}

void stop_for_operator(const Stage& stage, TaskRow& row, Reason reason_before, std::optional<Instant> due) {
    move(stage, row, TaskState::paused, Reason::by_operator);
    row.reason_before = reason_before;
    row.due = due;
    append(stage, row,
           {.kind = EntryKind::paused,
            .number = number_of(row.reason),
            .due = due,
            .error = encode_asked(decode_asked(row.error))});
    stage.sink.notice(Notice::What::stopped, row);
}

void go_to_queue(const Stage& stage, TaskRow& row) {
    const std::int64_t waited_for = number_of(row.reason);
    move(stage, row, TaskState::pending, Reason::queued);
    row.due.reset();
    append(stage, row, {.kind = EntryKind::woken, .number = waited_for});
}

void wake_for_message(const Stage& stage, TaskRow& row) {
    const bool waits = row.state == TaskState::waiting || (row.state == TaskState::pending && row.due);
    if (row.state == TaskState::paused) {
        row.reason_before = Reason::queued;
        row.due.reset();
    } else if (waits) {
        go_to_queue(stage, row);
    }
}

std::string pause_error(const Asked& asked) {
    return encode_failure({ErrorClass::final, Errc::task_paused, text_of(asked), false, asked});
}

void close_intents(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    row.has_open_intent = false;
    for (const JournalFacts::Intent& intent : facts.open_intents()) {
        NewEntry entry{.kind = EntryKind::step_lost, .number = intent.attempt, .path = intent.path};
        std::string failure;
        if (intent.once) {
            failure = encode_failure({ErrorClass::unknown, Errc::outcome_unknown,
                                      "the worker ended in the middle of attempt " + std::to_string(intent.attempt) +
                                          ", and the task was ended before anybody looked"});
            entry.kind = EntryKind::step_unknown;
            entry.error = failure;
        }
        append(stage, row, entry);
    }
}

void leave(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    row.has_open_intent = facts.has_open_intent();
    if (row.ending != Ending::none && !row.has_undo) {
        close_intents(stage, row, facts);
        return finish_ending(stage, row, "its worker left meanwhile");
    }
    if (row.pause_requested) return stop_for_operator(stage, row, Reason::queued, {});
    move(stage, row, TaskState::pending, Reason::queued);
}

}  // namespace pawl::core::transition
