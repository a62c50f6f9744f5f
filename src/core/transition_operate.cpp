// What a person asks of a task: cancel, kill, pause, resume, retry, resolve.
#include "core/assert.hpp"
#include "core/transition_parts.hpp"

#include <algorithm>

namespace pawl::core::transition {
namespace {

using Verb = Operate::Verb;

std::string_view verb_name(Verb verb) {
    switch (verb) {
        case Verb::cancel:
            return "cancel";
        case Verb::kill:
            return "kill";
        case Verb::pause:
            return "pause";
        case Verb::resume:
            return "resume";
        case Verb::retry:
            return "retry";
        case Verb::resolve:
            return "resolve";
        case Verb::signal:
            return "signal";
        case Verb::approve:
            return "approve";
        case Verb::deny:
            return "deny";
    }
    return "operate";
}

Error refusal(Errc code, const TaskRow& row, const Operate& command, std::string_view text) {
    return {code, std::string(verb_name(command.verb)) + " " + to_string(row.id) + ": " + std::string(text) +
                      "; nothing was changed"};
}

std::string state_of(const TaskRow& row) {
    std::string text(pawl::to_string(row.state));
    if (row.reason != Reason::none) text += "(" + std::string(pawl::to_string(row.reason)) + ")";
    return text;
}

// What the journal keeps of an operator.
Asked asked_by(const Operate& command) {
    return {command.who.empty() ? "an operator" : command.who, command.request_id, command.reason};
}

Operated answer_of(const TaskRow& row, bool changed) { return {row.ref, row.state, row.reason, changed}; }

Result<Operated> end(const Stage& stage, TaskRow& row, const Operate& command, const JournalFacts& facts) {
    const Ending cause = command.verb == Verb::kill ? Ending::kill : Ending::cancel;
    if (row.state == TaskState::cancelled) return answer_of(row, false);
    if (is_final(row.state)) return refusal(Errc::already_final, row, command, "it is " + state_of(row));
    if (row.ending == Ending::kill || (row.ending != Ending::none && cause == Ending::cancel)) {
        return answer_of(row, false);
    }
    if (row.state == TaskState::running) {
        request_end(stage, row, cause, asked_by(command));
        return answer_of(row, true);
    }
    close_intents(stage, row, facts);
    row.ending = cause;
    row.error = encode_asked(asked_by(command));
    finish_ending(stage, row, {});
    return answer_of(row, true);
}

Result<Operated> pause(const Stage& stage, TaskRow& row, const Operate& command) {
    if (is_final(row.state)) return refusal(Errc::already_final, row, command, "it is " + state_of(row));
    if (row.ending != Ending::none) {
        return refusal(Errc::refused, row, command, "it is being ended (" + std::string(to_string(row.ending)) + ")");
    }
    if (row.state == TaskState::paused || row.pause_requested) return answer_of(row, false);
    const Asked asked = asked_by(command);
    row.error = pause_error(asked);
    if (row.state == TaskState::running) {
        stamp(stage, row);
        row.pause_requested = true;
        append(stage, row, {.kind = EntryKind::pause_requested, .error = encode_asked(asked)});
        stage.sink.notice(Notice::What::pause_requested, row);
        return answer_of(row, true);
    }
    stop_for_operator(stage, row, row.reason, row.due);
    return answer_of(row, true);
}

// Where a paused task goes on: in its wait when that is not over, else at the head of the queue.
void go_on(const Stage& stage, TaskRow& row) {
    const Reason before = row.reason_before;
    const bool by_event = before == Reason::signal || before == Reason::approval || before == Reason::child;
    const bool waits = row.due ? *row.due > stage.now : by_event;
    row.error.clear();
    if (!waits) {
        move(stage, row, TaskState::pending, Reason::queued);
        row.due.reset();
        return;
    }
    const bool is_pending = before == Reason::retry || before == Reason::scheduled || before == Reason::queued;
    move(stage, row, is_pending ? TaskState::pending : TaskState::waiting, before);
}

Result<Operated> resume(const Stage& stage, TaskRow& row, const Operate& command) {
    if (is_final(row.state)) return refusal(Errc::already_final, row, command, "it is " + state_of(row));
    if (row.pause_requested) {
        stamp(stage, row);
        row.pause_requested = false;
        if (row.ending == Ending::none) row.error.clear();  // else it says who ends the task
        append(stage, row,
               {.kind = EntryKind::resumed,
                .number = number_of(Reason::by_operator),
                .error = encode_asked(asked_by(command))});
        return answer_of(row, true);
    }
    if (row.state != TaskState::paused) return answer_of(row, false);
    if (row.reason == Reason::outcome_unknown) {
        return refusal(Errc::refused, row, command,
                       "the outcome of a step is unknown, and Pawl does not guess; find out, then say so with "
                       "`pawl resolve`");
    }
    if (row.reason == Reason::budget) {
        const bool is_journal = is_journal_full(decode_failure(row.error));
        return refusal(Errc::refused, row, command,
                       is_journal ? "its journal is full; cancel it, and do the work in smaller tasks"
                                  : "its budget is spent and was not raised; submit it anew with more");
    }
    const Reason was = row.reason;
    if (was == Reason::poison) {
        row.crash_count = 0;
        row.suspect = false;
    }
    go_on(stage, row);
    append(stage, row,
           {.kind = EntryKind::resumed,
            .number = number_of(was),
            .due = row.due,
            .error = encode_asked(asked_by(command))});
    return answer_of(row, true);
}

Result<Operated> retry(const Stage& stage, TaskRow& row, const Operate& command, const JournalFacts& facts) {
    if (row.state == TaskState::completed) {
        return refusal(Errc::already_final, row, command, "it is completed, and that never changes; submit a new task");
    }
    if (!is_final(row.state)) {
        return refusal(Errc::refused, row, command, "it is " + state_of(row) + "; only an ended task can be retried");
    }
    if (command.deadline && *command.deadline <= Micros{0}) {
        return refusal(Errc::bad_input, row, command, "the new deadline is in the past; give a later one or none");
    }
    const JournalFacts::Voided voided = facts.voided_by_retry();
    if (command.deadline) row.deadline_length = *command.deadline;
    row.deadline.reset();
    if (row.deadline_length) row.deadline = stage.wall + *row.deadline_length;
    if (row.queue_timeout) row.expires = stage.now + *row.queue_timeout;
    row.ending = Ending::none;
    row.crash_count = 0;
    row.suspect = false;
    row.output.clear();
    row.error.clear();
    ++row.reopened;
    row.memo.unread = std::max(0, row.memo.unread + voided.unread);  // what was taken in vain is there again
    move(stage, row, TaskState::pending, Reason::queued);
    append(stage, row,
           {.kind = EntryKind::reopened,
            .number = voided.no,
            .path = voided.path,
            .error = encode_asked(asked_by(command))});
    return answer_of(row, true);
}

Result<JournalFacts::Step> step_to_resolve(const TaskRow& row, const Operate& command, const JournalFacts& facts) {
    const std::vector<JournalFacts::Step> unknown = facts.unknown_steps();
    if (unknown.empty()) return refusal(Errc::refused, row, command, "none of its steps has an unknown outcome");
    if (command.step.empty() && unknown.size() == 1) return unknown.front();
    std::string names;
    for (const JournalFacts::Step& step : unknown) {
        if (step.path == command.step) return step;
        names += (names.empty() ? "" : ", ") + step.path;
    }
    const std::string what = command.step.empty()
                                 ? "several steps have an unknown outcome; name one of: "
                                 : command.step + " is not a step with an unknown outcome; these are: ";
    return refusal(Errc::bad_input, row, command, what + names);
}

Result<Operated> resolve(const Stage& stage, TaskRow& row, const Operate& command, const JournalFacts& facts) {
    if (is_final(row.state)) return refusal(Errc::already_final, row, command, "it is " + state_of(row));
    if (row.state != TaskState::paused || row.reason != Reason::outcome_unknown) {
        return refusal(Errc::refused, row, command,
                       "it is " + state_of(row) + "; only a task paused for an unknown outcome can be resolved");
    }
    const Result<JournalFacts::Step> step = step_to_resolve(row, command, facts);
    if (!step) return step.error();
    const Asked asked = asked_by(command);
    const std::string note = encode_asked(asked);
    switch (command.outcome) {
        case Operate::Outcome::happened:
            // Its worker completes the step with it, or finds that it is no result of that step.
            append(stage, row,
                   {.kind = EntryKind::step_resolved,
                    .number = step->attempt,
                    .path = step->path,
                    .result = command.result,
                    .error = note});
            break;
        case Operate::Outcome::not_happened:
            append(stage, row,
                   {.kind = EntryKind::step_resolved, .number = step->attempt, .path = step->path, .error = note});
            break;
        case Operate::Outcome::fail: {
            const std::string failure = encode_failure(
                {ErrorClass::unknown, Errc::outcome_unknown, "given up " + text_of(asked), false, asked});
            append(stage, row,
                   {.kind = EntryKind::step_failed, .number = step->attempt, .path = step->path, .error = failure});
            break;
        }
    }
    const Reason was = row.reason;
    go_on(stage, row);
    append(stage, row, {.kind = EntryKind::resumed, .number = number_of(was), .due = row.due, .error = note});
    return answer_of(row, true);
}

// What a message to a task needs, whatever it says.
Result<void> check_open(const Stage& stage, const TaskRow& row, const Operate& command) {
    if (is_final(row.state)) return refusal(Errc::already_final, row, command, "it is " + state_of(row));
    if (row.ending != Ending::none) {
        return refusal(Errc::refused, row, command,
                       "it is being ended (" + std::string(to_string(row.ending)) + ") and takes nothing any more");
    }
    if (row.memo.unread >= limits::unread_messages_max) {
        return refusal(Errc::queue_full, row, command,
                       "it has " + std::to_string(row.memo.unread) +
                           " messages that it has not taken yet, the limit; send it again when it has");
    }
    const auto size = static_cast<std::int64_t>(command.result.size());
    if (row.journal_bytes + size > stage.journal_bytes_max)
        return refusal(Errc::too_large, row, command, "its journal is full");
    return {};
}

void deliver(const Stage& stage, TaskRow& row, bool is_awaited) {
    if (row.state == TaskState::running) {
        stamp(stage, row);
        stage.sink.notice(Notice::What::message, row);
    } else if (is_awaited) {
        wake_for_message(stage, row);
    }
}

Result<Operated> signal(const Stage& stage, TaskRow& row, const Operate& command) {
    if (auto open = check_open(stage, row, command); !open) return open.error();
    const bool is_awaited = wait_for_signal(row.memo, command.signal) != nullptr;
    const Asked asked{command.who, command.request_id, {}};
    append(
        stage, row,
        {.kind = EntryKind::signalled, .path = command.signal, .result = command.result, .error = encode_asked(asked)});
    deliver(stage, row, is_awaited);
    return answer_of(row, true);
}

Result<Operated> answer(const Stage& stage, TaskRow& row, const Operate& command) {
    if (auto open = check_open(stage, row, command); !open) return open.error();
    const OpenWait* wait = wait_for_answer(row.memo, command.step);
    if (!wait) {
        std::string names;
        for (const OpenWait& other : row.memo.waits)
            if (other.is_approval) names += (names.empty() ? "" : ", ") + other.path;
        if (names.empty()) return refusal(Errc::refused, row, command, "it waits for no approval, or no longer");
        return refusal(Errc::bad_input, row, command,
                       (command.step.empty() ? std::string("several approvals are open; name one of: ")
                                             : command.step + " is not an approval that is open; these are: ") +
                           names);
    }
    if (wait->due && *wait->due <= stage.now) return refusal(Errc::refused, row, command, "the approval has expired");
    const Asked asked = asked_by(command);
    const std::string decision = encode_decision(command.verb == Verb::approve, asked);
    const std::string path = wait->path;
    append(stage, row, {.kind = EntryKind::answered, .path = path, .result = decision, .error = encode_asked(asked)});
    deliver(stage, row, true);
    return answer_of(row, true);
}

}  // namespace

bool needs_facts(const TaskRow& row, const Operate& command) {
    const bool ends = command.verb == Verb::cancel || command.verb == Verb::kill;
    return (ends && row.has_open_intent && row.state != TaskState::running) ||
           (command.verb == Verb::retry && is_final(row.state) && row.state != TaskState::completed) ||
           (command.verb == Verb::resolve && row.state == TaskState::paused);
}

Result<Operated> operate(const Stage& stage, TaskRow& row, const Operate& command, const JournalFacts& facts) {
    switch (command.verb) {
        case Verb::cancel:
        case Verb::kill:
            return end(stage, row, command, facts);
        case Verb::pause:
            return pause(stage, row, command);
        case Verb::resume:
            return resume(stage, row, command);
        case Verb::retry:
            return retry(stage, row, command, facts);
        case Verb::resolve:
            return resolve(stage, row, command, facts);
        case Verb::signal:
            return signal(stage, row, command);
        case Verb::approve:
        case Verb::deny:
            return answer(stage, row, command);
    }
    return refusal(Errc::bad_input, row, command, "no such verb");
}

}  // namespace pawl::core::transition
