// What a store keeps, as the ledger sees it: rows and the orders in which they are looked for, no decisions. The ledger
// on top is the same for every store, so their answers are equal by construction.
#pragma once

#include "core/journal_facts.hpp"
#include "core/store.hpp"
#include "core/transition.hpp"

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pawl::core {

class SharedTables;

/// A lane's number within its store. There may be gaps.
using LaneId = std::int64_t;

/// A place in a lane: lower goes first.
struct Head {
    std::int64_t sort_key = 0;
    TaskRef ref = 0;
    friend auto operator<=>(const Head&, const Head&) = default;
};
inline Head head_of(const TaskRow& row) { return {row.sort_key, row.ref}; }

/// The line that a row stands in, for a claim or a takeover. The numbers are on disk.
enum class Line : std::uint8_t {
    none = 0,
    ready = 1,
    suspect = 2,
    running = 3,
    aside = 4,  ///< left alone until the next opening: this version cannot read it, or must not work on it
};
Line line_of(const TaskRow& row);

struct StoredRow {
    TaskRow row;
    LaneId lane = 0;          ///< 0 on shared tables, whose rows come with the key of their lane
    bool is_readable = true;  ///< false: a state or a payload that this version does not know
};

struct QueueKey {
    std::string space, name;
    friend auto operator<=>(const QueueKey&, const QueueKey&) = default;
};
struct QueueSettings {
    int concurrency = 0;  ///< 0 = no limit
    int depth_max = 0;    ///< 0 = no limit
    bool paused = false;
};

/// An idempotency key; scoped by namespace and type.
struct KeyName {
    std::string space, type, key;
    friend auto operator<=>(const KeyName&, const KeyName&) = default;
};
struct KeyRow {
    TaskRef task = 0;
    Hash fingerprint{};
    /// Set when its task is final; from then on another task may take the key. The row stays as long as the task, so
    /// that a retry finds it.
    std::optional<Instant> expires;
};

/// The answer that a repeated request id gets.
struct RequestRow {
    Operate::Verb verb = Operate::Verb::cancel;
    Hash arguments{};  ///< of the verb and all that it was told
    Operated answer;
    Instant expires{};
};

/// Numbers that go on after their rows were purged.
struct Marks {
    std::int64_t seq = 0;
    TaskRef ref = 0;
    Instant clock{};
};

/// Bounds of one read of a journal.
struct Span {
    int after_no = 0;
    int entries_max = 256;
    std::size_t bytes_max = 8u << 20;  ///< of results and errors; the first entry always fits
};

/// What a purge may take.
struct PurgeBounds {
    Instant final_before{};        ///< tasks that were final before this
    Instant keyed_final_before{};  ///< the same for tasks with an idempotency key
    int tasks_max = 0;
};

/// Failure is sticky: after one, every call does nothing and answers empty, and failure() tells why. The ledger looks
/// at it after each command, and the store then drops the whole batch.
class Tables {
public:
    virtual ~Tables() = default;
    virtual const std::optional<Error>& failure() const = 0;
    /// For the ledger, when what it reads contradicts itself: a damaged store must stop, not bring the process down.
    virtual void fail_corrupt(const std::string& what) = 0;
    /// Null when this process is the only one that writes.
    virtual SharedTables* shared() { return nullptr; }

    // ---- tasks
    /// Without output, and without input unless asked for. Sees what was written before.
    virtual std::optional<StoredRow> task(TaskRef ref, bool with_input) = 0;
    /// 0 when there is none.
    virtual TaskRef find(const TaskId& id) = 0;
    virtual void insert(const TaskRow& row, LaneId lane) = 0;
    /// All but the input. Of a completed row the output is kept, too.
    virtual void update(const TaskRow& row, LaneId lane) = 0;
    /// Leaves a task alone: it is in no order below, and only in that of the tasks set aside.
    virtual void set_aside(TaskRef ref) = 0;
    /// Puts what was set aside back into the orders, except rows of a newer format: a new opening looks again.
    virtual void readmit() = 0;
    /// Rows in state running, by ref. Their last_no is the journal's: a running row is not written at every entry. None
    /// on shared tables, where task() answers so.
    virtual std::vector<StoredRow> running() = 0;

    // ---- journal
    virtual void append(std::int64_t seq, const TaskRow& row, Instant at, const transition::NewEntry& entry) = 0;
    virtual std::vector<Entry> entries(TaskRef task, const Span& span) = 0;
    /// All entries with a number above `after_no`, in order.
    virtual void scan(TaskRef task, int after_no, const std::function<void(const EntryHead&)>& see) = 0;

    // ---- orders
    /// The first ready rows of a lane.
    virtual std::vector<Head> ready(LaneId lane, int rows_max) = 0;
    virtual std::vector<std::pair<LaneId, Head>> suspects() = 0;
    /// Rows whose time has come, soonest first, then by ref.
    virtual std::vector<TaskRef> due(Instant now, int rows_max) = 0;
    virtual std::vector<TaskRef> expired(Instant now, int rows_max) = 0;
    virtual std::vector<TaskRef> overdue(WallInstant wall, int rows_max) = 0;
    virtual std::optional<Instant> next_due() = 0;
    virtual std::optional<Instant> next_expiry() = 0;
    virtual std::optional<WallInstant> next_deadline() = 0;

    // ---- lanes and queues
    virtual std::vector<std::pair<LaneId, LaneKey>> lanes() = 0;
    virtual void add_lane(LaneId id, const LaneKey& key) = 0;
    virtual std::vector<std::pair<QueueKey, QueueSettings>> queues() = 0;
    virtual void put_queue(const QueueKey& key, const QueueSettings& settings) = 0;
    virtual std::int64_t count_pending(const QueueKey& key) = 0;

    // ---- keys, requests, blobs, tags
    virtual std::optional<KeyRow> key(const KeyName& name) = 0;
    virtual void put_key(const KeyName& name, const KeyRow& row) = 0;
    /// Only while the key still belongs to `task`.
    virtual void set_key_expiry(const KeyName& name, TaskRef task, std::optional<Instant> expires) = 0;
    virtual std::optional<RequestRow> request(TaskRef task, const std::string& id) = 0;
    virtual void put_request(TaskRef task, const std::string& id, const RequestRow& row) = 0;
    /// One more reference; `body` is stored with the first.
    virtual void add_blob(const std::string& space, const Hash& hash, std::string_view body) = 0;
    /// Nothing when there is none that this version can read.
    virtual std::optional<std::string> blob(const std::string& space, const Hash& hash) = 0;
    virtual void add_tags(TaskRef task, const std::vector<std::string>& tags) = 0;

    // ---- retention
    /// Final tasks that may go, oldest first; never one whose parent or child is not final.
    virtual std::vector<TaskRef> purgeable(const PurgeBounds& bounds) = 0;
    /// Removes a task with all that belongs to it; its blobs lose a reference.
    virtual void erase(const TaskRow& row) = 0;
    /// Clears away a bounded amount of what is past its life: requests, journals of erased tasks. True when more is
    /// left.
    virtual bool sweep(Instant now) = 0;
    virtual void save_marks(const Marks& marks) = 0;
    virtual void set_epoch(std::int32_t epoch) = 0;
};

}  // namespace pawl::core
