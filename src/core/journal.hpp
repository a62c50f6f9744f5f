// The journal: what happened to a task, in commit order. It is the truth, the feed and the replay in one
// (docs/dev/journal-format.md).
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>
#include <pawl/retry.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::core {

/// A task's number within its store. Never reused, never shown.
using TaskRef = std::int64_t;

/// The newest encoding of entries that this version reads and writes. Raised with every new kind, format or codec.
constexpr int journal_format_max = 1;

/// Kinds of entries. The numbers are on disk: never change or reuse one.
enum class EntryKind : std::uint8_t {
    // Transitions of the task.
    submitted = 1,    ///< result: input is in the task row; nothing here
    claimed = 2,      ///< number: version of the workflow that runs it
    parked = 3,       ///< number: Reason; due: when it wakes by itself
    woken = 4,        ///< a wait ended; the task may be claimed again
    handed_back = 5,  ///< a clean release by its worker; number: 0, or handed_back_by_store
    taken_over = 6,   ///< its owner is gone; number: crash count
    paused = 7,       ///< number: Reason; error: why
    resumed = 8,      ///< number: the Reason that was
    completed = 9,    ///< result: the output
    failed = 10,      ///< number: Reason; error; path: the step whose failure was not caught, if any
    cancelled = 11,   ///< number: Reason; error: who asked for it
    reopened = 12,    ///< by retry. number: entries from this no on are void, recorded results excepted;
                      ///< path: the step whose failure is voided
    ending = 13,      ///< cancel, kill or deadline reached a running task; number: Ending; error: who asked for it
    pause_requested = 14,
    // Messages: somebody's word, which the code observes when an operation takes it.
    signalled = 15,  ///< path: the signal's name; result: its value; error: who sent it
    answered = 16,   ///< to an approval. path: of its operation; result: {"approved","by","comment"}; error: who
    // What the code notes beside its operations.
    patched = 17,    ///< ctx.patched() said yes. path: the id
    progress = 18,   ///< result: {"done","text"}
    value_set = 19,  ///< path: the key; result: the value
    // Steps. `path` is the step's identity: scope path, name and occurrence.
    step_started = 40,  ///< intent of a `once` step, flushed before the effect; number: attempt; result: what runs
                        ///< (process identity)
    step_attempt_failed = 41,  ///< number: attempt; error; due: the next attempt
    step_lost = 42,            ///< a started attempt was cut by a crash, or its task ended while it ignored its stop,
                               ///< or stopped before anything of it happened; burns no attempt; number: attempt
    step_completed = 43,       ///< observed. number: attempt; result
    step_failed = 44,          ///< observed. number: attempts; error
    step_unknown = 45,         ///< a `once` step ended without a known answer; number: attempt; error
    step_resolved = 46,        ///< what is known of an unknown outcome. result: it happened, and this is its result,
                               ///< if it fits the code (else step_unknown follows); no result: it did not happen,
                               ///< attempts go on. number: attempt; error: who said so
    step_cancelled = 47,       ///< observed. A sibling failed first
    step_begun = 48,           ///< as step_started, of a step that may run again at any time (it has a total limit, or
                               ///< a process to be ended): its outcome is never unknown
    // Waits.
    timer_set = 50,    ///< due
    timer_fired = 51,  ///< observed
    wait_set = 52,     ///< for a signal or an approval; due, if it has a limit. number: 0 signal, 1 approval; result:
                       ///< the JSON Schema of the signal's value, or {"question"}
    wait_ended = 53,   ///< observed. number: of the message's entry, or 0: its time was up
    signal_refused =
        54,  ///< a signal that its wait cannot take; the wait goes on. number: of the signal's entry; error
};

/// Number of a `handed_back` that the store wrote at its closing, or when its process opened it anew: steps of the task
/// may have been running, and what they came to is not known.
constexpr std::int64_t handed_back_by_store = 1;

/// Whether the workflow's code sees an entry of this kind (and so runs on after it).
constexpr bool is_observed(EntryKind k) {
    return k == EntryKind::step_completed || k == EntryKind::step_failed || k == EntryKind::step_cancelled ||
           k == EntryKind::timer_fired || k == EntryKind::wait_ended;
}
/// Whether an entry of this kind announces an attempt: until another entry of its step follows, something may run.
constexpr bool is_intent(EntryKind k) { return k == EntryKind::step_started || k == EntryKind::step_begun; }
/// Whether something begins with an entry of this kind: not while its task is being ended.
constexpr bool starts_something(EntryKind k) {
    return is_intent(k) || k == EntryKind::timer_set || k == EntryKind::wait_set;
}
/// Whether an entry of this kind shows that its task gets on: something of it has come to an end. What a worker merely
/// notes (an intent, a lost attempt, an unknown outcome) is written again in every life of a task that kills its
/// process.
constexpr bool shows_progress(EntryKind k) { return is_observed(k) || k == EntryKind::step_attempt_failed; }
/// Whether an entry of this kind belongs to an operation of the code (it has a path).
constexpr bool is_operation(EntryKind k) { return static_cast<std::uint8_t>(k) >= 40; }
/// Whether an entry of this kind is somebody's word to the task.
constexpr bool is_message(EntryKind k) { return k == EntryKind::signalled || k == EntryKind::answered; }
/// Whether a worker's code may note it beside its operations.
constexpr bool is_code_note(EntryKind k) {
    return k == EntryKind::patched || k == EntryKind::progress || k == EntryKind::value_set;
}

/// The kind's name in the feed, the timeline and JSON.
std::string_view to_string(EntryKind kind);

/// Who asked for something, and why: a person, or the engine itself (then `by` is empty).
struct Asked {
    std::string by;       ///< user@host
    std::string request;  ///< the request id, if one was given
    std::string note;

    friend bool operator==(const Asked&, const Asked&) = default;
};

/// For people: "by ann@host (request r1): the disk is full"; what is empty is left out.
std::string text_of(const Asked& asked);
/// As it stands in the `error` column of entries that record no failure: {"by","request","note"}, without empty ones.
std::string encode_asked(const Asked& asked);
/// Of an `answered` entry: {"approved","comment","by"}.
std::string encode_decision(bool approved, const Asked& asked);
/// Of any `error` column: what nobody wrote stays empty.
Asked decode_asked(std::string_view text);

/// A recorded failure.
struct Failure {
    ErrorClass cls = ErrorClass::retryable;
    Errc code = Errc::step_failed;
    std::string message;  ///< at most 16 KiB; longer texts are cut with a mark
    /// The effect of a `once` step happened, only its result could not be stored: it is never repeated.
    bool happened = false;
    Asked asked{};  ///< who brought it about, if a person did

    friend bool operator==(const Failure&, const Failure&) = default;
};

/// Failure as it stands in the `error` column: {"class","code","message"}; with "happened":true, "by", "request" and
/// "note" where they apply.
std::string encode_failure(const Failure& failure);
/// Requires text that encode_failure wrote; text of another origin becomes the message of a final failure.
Failure decode_failure(std::string_view text);

/// False: an entry of a version that this one does not know. Its task is left to newer workers.
struct Entry;
bool is_readable(const Entry& entry);

/// A place in the feed of all tasks. Opaque to clients.
struct FeedCursor {
    std::int64_t transaction = 0;  ///< 0 in a store with one writer
    std::int64_t seq = 0;

    friend auto operator<=>(const FeedCursor&, const FeedCursor&) = default;
};
std::string to_string(const FeedCursor& cursor);
/// Nothing when it is no text of to_string.
std::optional<FeedCursor> parse_feed_cursor(std::string_view text);

/// One recorded entry.
struct Entry {
    FeedCursor cursor;
    TaskRef task = 0;
    int no = 0;  ///< 1, 2, 3 ... within the task, without gaps
    EntryKind kind = EntryKind::submitted;
    int format = 1;  ///< version of this entry's encoding
    std::string path;
    Instant at{};
    std::int64_t number = 0;
    std::optional<Instant> due;
    std::string result;
    std::string error;
    std::int64_t cost_uusd = 0;  ///< money spent, in millionths of a dollar

    friend bool operator==(const Entry&, const Entry&) = default;
};

/// An entry as its writer proposes it: the store adds seq, no and its clock.
struct EntryDraft {
    EntryKind kind = EntryKind::submitted;
    std::string path;
    std::int64_t number = 0;
    std::optional<Micros> due_in;  ///< becomes `due` = the store's now + this
    std::string result;
    std::string error;
    std::int64_t cost_uusd = 0;
};

}  // namespace pawl::core
