#include "core/transition.hpp"

#include "core/assert.hpp"
#include "core/limits.hpp"
#include "core/poison.hpp"
#include "core/transition_parts.hpp"

#include <algorithm>

namespace pawl::core::transition {
namespace {

Error error_about(Errc code, const TaskRow& row, std::string_view verb, std::string_view text) {
    return {code, std::string(verb) + " " + to_string(row.id) + ": " + std::string(text)};
}

// While a task is being ended nothing new may start, but what runs may still be recorded: its effect has happened.
Result<void> check_against_ending(const TaskRow& row, const Record& command) {
    if (row.ending == Ending::none) {
        // A worker may only carry out an end that was asked for; anything else is a bug that must not pass.
        if (std::holds_alternative<Cancelled>(command.next)) {
            return error_about(Errc::refused, row, "cancelled", "nobody asked for its end");
        }
        return {};
    }
    const bool starts = std::any_of(command.entries.begin(), command.entries.end(),
                                    [](const EntryDraft& e) { return starts_something(e.kind); });
    const auto* fail = std::get_if<Fail>(&command.next);
    const bool goes_on = std::holds_alternative<Park>(command.next) || std::holds_alternative<Complete>(command.next) ||
                         std::holds_alternative<Pause>(command.next) || (fail && fail->reason != Reason::deadline);
    if (!starts && !goes_on) return {};
    return error_about(Errc::stopping, row, "record",
                       "it is being ended (" + std::string(to_string(row.ending)) + "); stop its steps and say so");
}

std::optional<Instant> wake_instant(const Stage& stage, const Park& park) {
    std::optional<Instant> due = park.wake_at;
    if (park.wake_in) {
        const Instant by_length = stage.now + *park.wake_in;
        due = due ? std::min(*due, by_length) : by_length;
    }
    return due;
}

// Its worker, while it has one, lets go of it.
bool is_full(const Stage& stage, const TaskRow& row) {
    return row.state == TaskState::running && row.journal_bytes > stage.journal_bytes_max;
}

void park(const Stage& stage, TaskRow& row, const Park& command) {
    const std::optional<Instant> due = wake_instant(stage, command);
    // It lived through a claim up to a wait that it chose: whatever it was suspected of, it was not this.
    row.crash_count = 0;
    row.suspect = false;
    if (is_full(stage, row)) return stop_for_a_person(stage, row, Reason::budget, journal_full_text);
    if (row.pause_requested) {
        row.pause_requested = false;
        const bool has_news = row.memo.newest > command.newest_message && row.memo.unread > 0;
        return has_news ? stop_for_operator(stage, row, Reason::queued, {})
                        : stop_for_operator(stage, row, command.reason, due);
    }
    const bool is_retry = command.reason == Reason::retry;
    move(stage, row, is_retry ? TaskState::pending : TaskState::waiting, command.reason);
    row.due = due;
    append(stage, row, {.kind = EntryKind::parked, .number = number_of(command.reason), .due = due});
    if (row.memo.newest > command.newest_message && row.memo.unread > 0) wake_for_message(stage, row);
}

void complete(const Stage& stage, TaskRow& row, const Complete& command) {
    append(stage, row, {.kind = EntryKind::completed, .result = command.output});
    row.output = command.output;
    row.error.clear();
    make_final(stage, row, TaskState::completed, Reason::none);
}

void fail_by_code(const Stage& stage, TaskRow& row, const Fail& command) {
    PAWL_ASSERT(command.reason == Reason::error || command.reason == Reason::deadline ||
                command.reason == Reason::budget);
    row.error = encode_failure(command.failure);
    append(stage, row,
           {.kind = EntryKind::failed, .number = number_of(command.reason), .path = command.path, .error = row.error});
    make_final(stage, row, TaskState::failed, command.reason);
}

// By its worker, when nothing of it runs any more.
void release(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    append(stage, row, {.kind = EntryKind::handed_back});
    leave(stage, row, facts);
}

void pause(const Stage& stage, TaskRow& row, const Pause& command, const JournalFacts& facts) {
    // The request was taken back by a resume before the worker had settled: the task simply goes on.
    if (command.reason == Reason::by_operator) {
        if (!row.pause_requested) return release(stage, row, facts);
        return stop_for_operator(stage, row, Reason::queued, {});
    }
    stop_for_a_person(stage, row, command.reason, command.text);
}

// In any state of the task; others may end it, too.
bool ends_task(const Transition& next) {
    return std::holds_alternative<Complete>(next) || std::holds_alternative<Fail>(next) ||
           std::holds_alternative<Cancelled>(next);
}

void apply_next(const Stage& stage, TaskRow& row, const Transition& next, const JournalFacts& facts) {
    struct Visitor {
        const Stage& stage;
        TaskRow& row;
        const JournalFacts& facts;
        void operator()(std::monostate) const {}
        void operator()(const Park& c) const { park(stage, row, c); }
        void operator()(const Complete& c) const { complete(stage, row, c); }
        void operator()(const Fail& c) const {
            if (row.ending != Ending::none) return finish_ending(stage, row, c.failure.message);
            fail_by_code(stage, row, c);
        }
        void operator()(const Cancelled& c) const { finish_ending(stage, row, c.note); }
        void operator()(const Pause& c) const { pause(stage, row, c, facts); }
        void operator()(const HandBack& c) const {
            row.format_min = std::max(row.format_min, c.format_min);
            release(stage, row, facts);
        }
    };
    std::visit(Visitor{stage, row, facts}, next);
}

}  // namespace

bool needs_facts(const TaskRow& row, const Record& command) {
    return row.has_open_intent && !std::holds_alternative<std::monostate>(command.next);
}

bool is_allowed(TaskState from, TaskState to) {
    switch (from) {
        case TaskState::pending:
            return to != TaskState::waiting && to != TaskState::completed;
        case TaskState::running:
            return to != TaskState::running;
        case TaskState::waiting:
            return to == TaskState::pending || to == TaskState::paused || to == TaskState::failed ||
                   to == TaskState::cancelled;
        case TaskState::paused:
            return to == TaskState::pending || to == TaskState::waiting || to == TaskState::failed ||
                   to == TaskState::cancelled;
        case TaskState::completed:
            return false;
        case TaskState::failed:
        case TaskState::cancelled:
            return to == TaskState::pending;
    }
    return false;
}

bool is_ready(const TaskRow& row) {
    return row.state == TaskState::pending && !row.due && row.ending == Ending::none && !row.pause_requested;
}

bool wakes_by_itself(const TaskRow& row) {
    return row.due && (row.state == TaskState::pending || row.state == TaskState::waiting);
}

bool has_open_deadline(const TaskRow& row) {
    return row.deadline && !is_final(row.state) && row.ending == Ending::none;
}

Result<TaskRow> submit(const Stage& stage, const Submit& command, TaskRef ref, const std::optional<Hash>& definition) {
    TaskRow row;
    row.ref = ref;
    row.id = command.id;
    if (const auto* length = std::get_if<Micros>(&command.deadline)) {
        row.deadline = stage.wall + *length;
    } else if (const auto* wall = std::get_if<WallInstant>(&command.deadline)) {
        row.deadline = *wall;
    }
    if (row.deadline) {
        if (*row.deadline <= stage.wall) {
            // Without the id: no task of it was ever stored.
            return Error{Errc::bad_input,
                         "submit: the deadline is in the past; nothing was stored; give a later one or none"};
        }
        row.deadline_length = *row.deadline - stage.wall;
    }
    row.lane = command.lane;
    row.priority = command.priority;
    const Instant first_ready = stage.now + command.delay.value_or(Micros{0});
    if (first_ready > stage.now) {
        row.due = first_ready;
        row.reason = Reason::scheduled;
    }
    row.sort_key = count(first_ready) - command.priority * limits::aging_step.count();
    row.queue_timeout = command.queue_timeout;
    if (command.queue_timeout) row.expires = stage.now + *command.queue_timeout;
    row.max_attempts = command.max_attempts;
    row.definition = definition;
    row.root = ref;
    row.trace_id = command.trace_id;
    row.created = row.updated = stage.now;
    row.key = command.key;
    row.input = command.input;
    append(stage, row, {.kind = EntryKind::submitted, .due = row.due});
    return row;
}

void claim(const Stage& stage, TaskRow& row, Fence fence, int version, const std::optional<Hash>& definition) {
    PAWL_ASSERT(is_ready(row));
    PAWL_ASSERT(fence > row.fence);
    PAWL_ASSERT(version >= 1);

    move(stage, row, TaskState::running, Reason::none);
    row.fence = fence;
    row.lane.version = version;
    if (!row.definition) row.definition = definition;
    row.expires.reset();
    append(stage, row, {.kind = EntryKind::claimed, .number = version});
    row.claimed_no = row.last_no;
    row.has_progressed = false;
}

Result<Recorded> record(const Stage& stage, TaskRow& row, const Record& command, JournalFacts facts) {
    if (is_final(row.state)) {
        return error_about(Errc::already_final, row, "record",
                           "it is " + std::string(pawl::to_string(row.state)) + "; its result is fixed");
    }
    PAWL_ASSERT(row.state == TaskState::running);
    if (auto checked = check_against_ending(row, command); !checked) return checked.error();

    Recorded answer;
    answer.first_no = row.last_no + 1;
    answer.at = stage.now;
    answer.due.reserve(command.entries.size());
    for (const EntryDraft& draft : command.entries) {
        PAWL_ASSERT(is_operation(draft.kind) || is_code_note(draft.kind));
        std::optional<Instant> due;
        if (draft.due_in) due = stage.now + *draft.due_in;
        append(stage, row,
               {.kind = draft.kind,
                .number = draft.number,
                .path = draft.path,
                .due = due,
                .result = draft.result,
                .error = draft.error,
                .cost_uusd = draft.cost_uusd});
        answer.due.push_back(due);
        row.has_progressed = row.has_progressed || shows_progress(draft.kind);
        if (row.has_open_intent) facts.see({row.last_no, draft.kind, draft.path, draft.number});
    }
    if (needs_facts(row, command)) {
        if (ends_task(command.next)) close_intents(stage, row, facts);
        row.has_open_intent = facts.has_open_intent();
    }
    apply_next(stage, row, command.next, facts);
    answer.journal_full = is_full(stage, row);
    answer.state = row.state;
    return answer;
}

void wake(const Stage& stage, TaskRow& row) {
    PAWL_ASSERT(wakes_by_itself(row));
    go_to_queue(stage, row);
}

void expire(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    PAWL_ASSERT(row.expires && row.state != TaskState::running && !is_final(row.state));
    close_intents(stage, row, facts);
    fail(stage, row, Reason::expired,
         "no worker started it within its queue_timeout; submit it again, or give it more time by `pawl retry`");
}

void reach_deadline(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    PAWL_ASSERT(has_open_deadline(row));
    if (row.state == TaskState::running)
        return request_end(stage, row, Ending::deadline, {{}, {}, "its deadline has passed"});
    close_intents(stage, row, facts);
    fail(stage, row, Reason::deadline, "its deadline passed before it was done");
}

void take_over(const Stage& stage, TaskRow& row, bool alone, Instant last_seen, const JournalFacts& facts) {
    PAWL_ASSERT(row.state == TaskState::running);
    // It ran until its owner was gone, and the journal's end is the last that is known of that one.
    row.active += std::max(Micros{0}, Micros(last_seen - row.updated));
    row.updated = stage.now;
    if (is_silent(row) && (!row.suspect || alone)) ++row.crash_count;
    row.suspect = row.crash_count >= limits::suspect_crashes;
    append(stage, row, {.kind = EntryKind::taken_over, .number = row.crash_count});
    if (row.ending == Ending::none && row.crash_count >= limits::poison_crashes) {
        row.has_open_intent = facts.has_open_intent();
        return stop_for_a_person(stage, row, Reason::poison,
                                 "its process died " + std::to_string(row.crash_count) +
                                     " times right after starting it; mend its code, then `pawl resume`");
    }
    leave(stage, row, facts);
}

void hand_back(const Stage& stage, TaskRow& row, const JournalFacts& facts) {
    PAWL_ASSERT(row.state == TaskState::running);
    append(stage, row, {.kind = EntryKind::handed_back, .number = handed_back_by_store});
    leave(stage, row, facts);
}

}  // namespace pawl::core::transition
