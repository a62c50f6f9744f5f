// The store contract. Every store passes tests/conformance whole.
#pragma once

#include "core/command.hpp"

#include <pawl/result.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace pawl::core {

/// What running code and waiting clients must hear of a batch, besides its answers.
struct Notice {
    enum class What : std::uint8_t {
        ending,           ///< a running task is to be ended (`row.ending` says why)
        pause_requested,  ///< a running task is to be paused
        message,          ///< a running task has got a signal or an answer
        final,            ///< a task reached a final state
        stopped,          ///< a task now waits for a person (paused)
        lost,             ///< a task is no longer held by this process: everything that runs for it is void
    };
    What what = What::final;
    TaskRef task = 0;
    TaskId id;
    TaskState state = TaskState::pending;
    Ending ending = Ending::none;
    Fence fence;
};

struct Reply {
    Result<Answer> answer = Answer{Ticked{}};
    /// True when this answer may be delivered before the flush: a claim of tasks that were durable before the
    /// batch, or a read of such. Everything else waits (spec section 1: nothing is acknowledged before it is durable).
    bool early = false;
    /// Not looked at, since another transaction has what it needs: the same command again, a little later.
    bool again = false;
};

struct Applied {
    std::vector<Reply> replies;   ///< one for each command, in order
    std::vector<Notice> notices;  ///< deliver before the replies, after the flush
    Instant now{};
    std::optional<Instant> next_due;           ///< store time of the next due row
    std::optional<WallInstant> next_deadline;  ///< wall time of the next deadline of any task that is not final
    FeedCursor newest;                         ///< newest entry of the feed, as far as this process knows
    std::optional<Micros> look_again;          ///< others write, too: an empty batch after this time sees what they did
    bool more_ready = false;                   ///< a Claim like one seen since the open would get a task now
};

struct ListFilter {
    std::optional<std::string> space;
    std::vector<TaskState> states;  ///< empty = all
    std::optional<std::string> type, queue, key, tag;
    std::optional<TaskRef> before;  ///< newest first; page on with the last row's ref
    int tasks_max = 100;            ///< 1 to 1,000
};

struct LaneStatus {
    LaneKey lane;
    int running = 0;
    std::int64_t ready = 0;
};
struct QueueStatus {
    std::string space, name;
    int concurrency = 0, depth_max = 0;
    bool paused = false;
    int running = 0;
    std::int64_t pending = 0, waiting = 0;
};

/// A process that works a store which several may work.
struct WorkerRow {
    std::int32_t id = 0;
    std::string host;
    int pid = 0;
    std::string program, version;
    std::vector<ServedType> types;    ///< without definitions
    std::vector<std::string> queues;  ///< empty = all
    int slots = 0;
    int running = 0;  ///< tasks that it holds
    Instant registered{}, seen{};
};

/// Reads for people: listings, `get`, `why`, the feed. May run on another thread with a connection of its own and
/// then sees everything that was flushed before the call, perhaps more.
class Reader {
public:
    virtual ~Reader() = default;

    /// With input, output and error. not_found.
    virtual Result<TaskRow> get(const TaskId& id) = 0;
    virtual Result<TaskRow> get(TaskRef ref) = 0;
    /// Tasks whose public id (without `t_`, upper case) starts or ends with `part`; at most `tasks_max`.
    virtual Result<std::vector<TaskId>> match(std::string_view part, int tasks_max) = 0;
    /// Its tags in byte order.
    virtual Result<std::vector<std::string>> tags(TaskRef task) = 0;
    /// Rows without input and output.
    virtual Result<std::vector<TaskRow>> list(const ListFilter& filter) = 0;
    /// Entries of one task with no > after_no, in order.
    virtual Result<std::vector<Entry>> journal(TaskRef task, int after_no, int entries_max) = 0;
    /// Entries of all tasks behind a cursor, those of one task in their order, and the id of each entry's task. Nothing
    /// comes later that would have stood before an answer's last entry.
    virtual Result<std::vector<std::pair<Entry, TaskId>>> feed(const FeedCursor& after, int entries_max) = 0;
    virtual Result<std::vector<QueueStatus>> queues() = 0;
    /// Counts by state, in the order of TaskState.
    virtual Result<std::vector<std::int64_t>> counts() = 0;

    /// Those that have neither left nor been declared dead, by number. Empty where one process owns the store: it knows
    /// itself.
    virtual Result<std::vector<WorkerRow>> workers() { return std::vector<WorkerRow>{}; }

    /// A consistent copy of the store while it is in use. Long: a reader on a thread of its own holds nobody up.
    /// Errors: refused when the file exists.
    virtual Result<void> backup(const std::string& file) = 0;
    /// Deep check of the store; the findings, empty = sound. Long, too.
    virtual Result<std::vector<std::string>> check() = 0;
};

/// The only door to durable state.
///
/// Thread safety: none. A store lives on one thread; the runtime wraps it.
/// Ownership: commands are read, answers are owned by the caller.
/// Failure: an Error from apply or flush is about the whole batch and its outcome is unknown (disk_full before the
/// flush: nothing happened). The store must then be closed and opened again; nothing of the batch may be acknowledged.
class Store : public Reader {
public:
    /// Applies the batch in order: later commands see earlier ones. Durable after flush(), on some stores before.
    virtual Result<Applied> apply(std::span<const Command> batch) = 0;

    /// Makes everything applied durable. Everything or nothing of what was applied since the last flush survives a
    /// crash before it returns.
    virtual Result<void> flush() = 0;

    /// This opening's epoch: part of every fence it gives out.
    virtual std::int32_t epoch() const = 0;

    /// True when the last holder did not close the store: then claims are flushed before their code runs, for the
    /// first minute (poison, spec section 5).
    virtual bool unclean() const = 0;

    /// True when a checkpoint or other upkeep would do good now; call upkeep() when there is nothing better to do. Its
    /// error concerns nothing but the upkeep: the store works on.
    virtual bool wants_upkeep() const { return false; }
    virtual Result<void> upkeep() { return {}; }

    /// After an error of apply: the store is away and may come back. Applying the very same batch again decides what
    /// became of it, and nothing that the caller holds is lost meanwhile. No other batch may be applied before. A Claim
    /// in it may ask for fewer tasks by then; those that it got the first time it gets all the same.
    virtual bool keeps_batch() const { return false; }

    /// Marks the end as clean. Nothing may be applied afterwards.
    virtual Result<void> close() = 0;
};

}  // namespace pawl::core
