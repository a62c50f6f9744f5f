// The moves that several transitions are made of. For core/transition*.cpp only.
#pragma once

#include "core/transition.hpp"

namespace pawl::core::transition {

constexpr std::int64_t number_of(Reason reason) { return static_cast<std::int64_t>(reason); }

/// Numbers the entry and hands it to the sink.
void append(const Stage& stage, TaskRow& row, const NewEntry& entry);

/// Notes the time of a transition; time since the last one was spent running if the row runs.
void stamp(const Stage& stage, TaskRow& row);

/// Changes the state, and drops what only the old state needed. Asserts the graph.
void move(const Stage& stage, TaskRow& row, TaskState state, Reason reason);

/// The common part of every final state; its entry was appended before.
void make_final(const Stage& stage, TaskRow& row, TaskState state, Reason reason);

/// Final `failed` for a reason that no step brought about.
void fail(const Stage& stage, TaskRow& row, Reason reason, std::string_view text);

/// Ends a running task softly: its worker hears of it and settles.
void request_end(const Stage& stage, TaskRow& row, Ending cause, const Asked& asked);

/// The final state that `row.ending` asks for. `note`: how it came about, when that is worth a word.
void finish_ending(const Stage& stage, TaskRow& row, std::string_view note);

/// paused(reason), with a text for `why`.
void stop_for_a_person(const Stage& stage, TaskRow& row, Reason reason, std::string_view text);

/// The task is ended while steps may have been in the middle of an attempt: from now on the journal says of each that
/// its outcome is unknown, or that it was lost.
void close_intents(const Stage& stage, TaskRow& row, const JournalFacts& facts);

/// A running task left its worker without a decision of its code: what was asked of it meanwhile now happens,
/// else it is ready again.
void leave(const Stage& stage, TaskRow& row, const JournalFacts& facts);

/// paused(operator): who asked for it stands in the row since then.
void stop_for_operator(const Stage& stage, TaskRow& row, Reason reason_before, std::optional<Instant> due);

/// A wait is over: ready, in its old place.
void go_to_queue(const Stage& stage, TaskRow& row);

/// A message came for an operation that waits for it: the task goes on as soon as it may.
void wake_for_message(const Stage& stage, TaskRow& row);

/// `error` of a row whose pause a person asked for.
std::string pause_error(const Asked& asked);

}  // namespace pawl::core::transition
