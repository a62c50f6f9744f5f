// Every decision about a task's state, as pure functions: the row, the time and the command come in, the changed row
// and its new entries go out. Stores differ in where rows lie, never in what happens to them (spec sections 3, 5, 6).
//
// A function that can refuse checks first and changes the row after: a refused command has changed nothing.
#pragma once

#include "core/journal_facts.hpp"
#include "core/limits.hpp"
#include "core/store.hpp"

#include <string_view>

namespace pawl::core::transition {

/// An entry on its way into the journal. The texts live until Sink::entry returns.
struct NewEntry {
    EntryKind kind = EntryKind::submitted;
    std::int64_t number = 0;
    std::string_view path{};
    std::optional<Instant> due{};
    std::string_view result{};
    std::string_view error{};
    std::int64_t cost_uusd = 0;
};

/// Where a transition leaves what it produced.
class Sink {
public:
    virtual ~Sink() = default;
    /// `row.last_no` is the entry's number.
    virtual void entry(const TaskRow& row, const NewEntry& entry) = 0;
    virtual void notice(Notice::What what, const TaskRow& row) = 0;
};

/// One transaction's time, and where its entries go.
struct Stage {
    Instant now;
    WallInstant wall;
    Sink& sink;
    std::int64_t journal_bytes_max = limits::journal_bytes_max;
};

/// The documented graph. Staying in a state is allowed for pending only (a back-off that ends).
bool is_allowed(TaskState from, TaskState to);

/// A claim may take it.
bool is_ready(const TaskRow& row);
/// `due` makes it ready by itself. Not while paused: the wait goes on after the resume.
bool wakes_by_itself(const TaskRow& row);
/// Its deadline still has an effect.
bool has_open_deadline(const TaskRow& row);

// ---- clients ---------------------------------------------------------------------------------------------------

/// The row of a new task, `submitted` appended. Refusal: bad_input when the deadline is in the past.
Result<TaskRow> submit(const Stage& stage, const Submit& command, TaskRef ref, const std::optional<Hash>& definition);

/// cancel, kill, pause, resume, retry, resolve. `facts` are looked at when needs_facts() says so.
/// Refusals: already_final, refused, bad_input; each says which verb would do.
Result<Operated> operate(const Stage& stage, TaskRow& row, const Operate& command, const JournalFacts& facts);

/// True when `operate` needs the facts.
bool needs_facts(const TaskRow& row, const Operate& command);

// ---- workers ---------------------------------------------------------------------------------------------------

/// Requires: is_ready(row) and a fence above the row's. `definition`: for a row that has none; recorded for good.
void claim(const Stage& stage, TaskRow& row, Fence fence, int version, const std::optional<Hash>& definition = {});

/// A worker's write; its fence was checked before (core/ledger.hpp). `facts` of the journal before it, looked at when
/// needs_facts() says so. Refusals: already_final, stopping, refused.
Result<Recorded> record(const Stage& stage, TaskRow& row, const Record& command, JournalFacts facts = {});

/// True when `record` needs the facts.
bool needs_facts(const TaskRow& row, const Record& command);

// ---- time and owners -------------------------------------------------------------------------------------------

/// A wait ended. Requires: wakes_by_itself(row).
void wake(const Stage& stage, TaskRow& row);
/// Never claimed within its queue_timeout. Requires: pending or paused, and `expires`. `facts` as below.
void expire(const Stage& stage, TaskRow& row, const JournalFacts& facts);
/// Its deadline has passed. Requires: has_open_deadline(row). `facts` are looked at when the row has an open intent and
/// does not run.
void reach_deadline(const Stage& stage, TaskRow& row, const JournalFacts& facts);

/// The owner is gone without a word. `alone`: no other suspect was at risk beside it (core/poison.hpp). `last_seen`:
/// the newest time the owner left in the store; what passed since is not counted as time spent running. `facts`: all
/// intents that are open now.
void take_over(const Stage& stage, TaskRow& row, bool alone, Instant last_seen, const JournalFacts& facts);
/// The owner closes the store cleanly, or lost it and goes on: nothing counts against the task, but steps of it may
/// have been running. `facts` as for take_over.
void hand_back(const Stage& stage, TaskRow& row, const JournalFacts& facts);

}  // namespace pawl::core::transition
