// What can be asked of a store. A batch of commands is one transaction; each command succeeds or is refused on its
// own. Commands carry durations: the store adds its clock once per batch and returns the instants it wrote.
#pragma once

#include "core/task_row.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pawl::core {

// ---- clients ---------------------------------------------------------------------------------------------------

/// Stores a new task. Validated before (core/validate.hpp): the store checks only what needs its state.
struct Submit {
    TaskId id;
    LaneKey lane;  ///< version 0
    std::string input;
    Hash fingerprint{};  ///< core/fingerprint.hpp
    std::string key;     ///< empty = none
    OnExisting on_existing = OnExisting::attach;
    int priority = 0;
    std::optional<Micros> delay;
    std::variant<std::monostate, Micros, WallInstant> deadline;
    std::optional<Micros> queue_timeout;
    std::optional<int> max_attempts;
    std::string definition;  ///< recorded definition (agents), stored by hash; empty = none
    std::array<std::uint8_t, 16> trace_id{};
    std::vector<std::string> tags;
};
/// Refusals: idempotency_key_reused, key_exists, queue_full, bad_input (deadline in the past).
struct Submitted {
    TaskRef ref = 0;
    TaskId id;
    bool replayed = false;  ///< an earlier submit with this key made the task
    TaskState state = TaskState::pending;
};

/// What a person asks of a task. Repeat-safe: the same request id again gives the first answer and changes nothing;
/// with another verb or other arguments it is idempotency_key_reused.
struct Operate {
    enum class Verb : std::uint8_t { cancel, kill, pause, resume, retry, resolve, signal, approve, deny };
    Verb verb = Verb::cancel;
    TaskId id;
    std::string request_id;  ///< empty = not repeat-safe by id (cancel, kill, pause are anyway)
    std::string who;         ///< for the journal
    std::string reason;      ///< pause: the text that `why` shows; approve, deny: the comment
    // resolve
    enum class Outcome : std::uint8_t { happened, not_happened, fail };
    std::string step;  ///< path of the unknown step, or of the approval; empty when there is only one
    Outcome outcome = Outcome::happened;
    std::string result = "null";  ///< JSON; of a signal its value
    std::string signal{};         ///< its name
    // retry
    std::optional<Micros> deadline;  ///< a new length; else the original one starts again
};
/// Refusals: not_found, already_final, refused, bad_input, idempotency_key_reused.
struct Operated {
    TaskRef ref = 0;
    TaskState state = TaskState::pending;  ///< after the verb; a running task that is being ended is still running
    Reason reason = Reason::none;
    bool changed = true;  ///< false: it was so already
};

/// Settings of a queue; fields that are absent stay.
struct SetQueue {
    std::string space = "default", name = "default";
    std::optional<int> concurrency;  ///< running tasks at once over all workers; 0 = no limit
    std::optional<int> depth_max;    ///< 0 = no limit
    std::optional<bool> paused;
};
struct QueueSet {};

// ---- workers ---------------------------------------------------------------------------------------------------

/// A type that the claimer can run: tasks not yet bound to a version, and bound ones within [compatible_from, version].
struct ServedType {
    std::string type;
    int version = 1;
    int compatible_from = 1;
    /// What is recorded with a task that has no definition yet when its first claim binds it to this version; null =
    /// none.
    std::shared_ptr<const std::string> definition{};
    friend bool operator==(const ServedType&, const ServedType&) = default;
};

/// Takes up to `tasks_max` ready tasks, the best of the lanes that `types` and `queues` may serve.
struct Claim {
    std::vector<ServedType> types;
    std::vector<std::string> queues;  ///< empty = all
    int tasks_max = 1;
    int slots = 0;  ///< of the whole process, for others to see; 0 = tasks_max
};
struct ClaimedTask {
    TaskRow row;             ///< with input; fence is the proof for Record
    std::string definition;  ///< the blob's text when the row has one
    bool fresh = false;      ///< no entry but submitted and claimed: nothing to load
    /// For each `reopened` entry, in order: entries from the first number up to it are void, results excepted.
    std::vector<std::pair<int, int>> voided;
};
struct Claimed {
    std::vector<ClaimedTask> tasks;
};

/// The task leaves its worker and holds no slot. `wake_at` or `wake_in`, else only an event wakes it.
struct Park {
    Reason reason = Reason::timer;   ///< retry: becomes pending(retry); else waiting(reason)
    std::optional<Instant> wake_at;  ///< an instant that the store returned earlier
    std::optional<Micros> wake_in;   ///< or a length; the earlier of the two counts
    int newest_message = 0;  ///< entry of the newest one that the worker knows: a newer one wakes the task at once
};
struct Complete {
    std::string output;
};
struct Fail {
    Reason reason = Reason::error;
    Failure failure;
    std::string path;  ///< the step whose failure the code did not catch
};
/// Final `cancelled`, after the end of task was carried out; the reason follows from the row's `ending`.
struct Cancelled {
    std::string note;
};
struct Pause {
    Reason reason = Reason::by_operator;
    std::string text;
};
/// A clean release: the task is ready again, nothing counts against it.
struct HandBack {
    /// The part of its journal that the worker could not read needs this journal_format_max: until then nobody claims
    /// it. 0 = it could read all.
    int format_min = 0;
};
using Transition = std::variant<std::monostate, Park, Complete, Fail, Cancelled, Pause, HandBack>;

/// The one write of a worker: entries of one task, and with them the transition they lead to, if any.
/// Refusals: lease_lost (fence or epoch moved on: discard everything), stopping (an intent, timer_set or Park
/// while the task is being ended), already_final.
struct Record {
    TaskRef task = 0;
    Fence fence;
    std::vector<EntryDraft> entries;
    Transition next;
    TaskId id{};  ///< for people, when it cannot be stored
};
struct Recorded {
    int first_no = 0;                         ///< number of the first entry; the others follow without gaps
    Instant at{};                             ///< when the entries were recorded
    std::vector<std::optional<Instant>> due;  ///< one for each draft, in order
    TaskState state = TaskState::running;
    /// The journal is at its limit: end what runs, then Pause(budget) with journal_full_text. A Park becomes that
    /// pause.
    bool journal_full = false;
};
/// For `why`.
constexpr std::string_view journal_full_text =
    "the results and errors in its journal are more than 1 GiB, the limit of one task: store what is large elsewhere "
    "and return references, or split the work into several tasks";
/// Of a task that is paused(budget): it is the journal's limit that it has reached, the same for every task.
inline bool is_journal_full(const Failure& why) { return why.message == journal_full_text; }

/// Reads a part of a task's journal, in order. In the queue, so that it sees every write before it.
struct Load {
    TaskRef task = 0;
    int after_no = 0;
    int entries_max = 256;
};
struct Loaded {
    std::vector<Entry> entries;
    bool end = true;  ///< no newer entry existed
};

// ---- upkeep ----------------------------------------------------------------------------------------------------

/// Nothing by itself: every batch first wakes what is due, fails what is expired and ends what is past its
/// deadline (at most 1,000 rows a batch; Applied::next_due says when more is due).
struct Tick {};
struct Ticked {};

/// Deletes final tasks older than `older_than`, at most `tasks_max`, and request ids past their life.
struct Purge {
    Micros older_than{};
    int tasks_max = 256;
};
struct Purged {
    int tasks = 0;
    bool more = false;  ///< what may go is not all gone: ask again
};

using Command = std::variant<Submit, Operate, SetQueue, Claim, Record, Load, Tick, Purge>;
using Answer = std::variant<Submitted, Operated, QueueSet, Claimed, Recorded, Loaded, Ticked, Purged>;

}  // namespace pawl::core
