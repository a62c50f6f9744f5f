// Rows of the tables task and journal, to and from their structs.
#pragma once

#include "core/tables.hpp"
#include "store/row_values.hpp"
#include "store/sqlite/connection.hpp"

namespace pawl::store {

// The columns in the order in which read_row takes them.
#define PAWL_TASK_COLUMNS                                                                                        \
    "task.id, task.public_id, task.lane, task.sort_key, task.state, task.reason, task.reason_before, task.due, " \
    "task.expires, task.deadline, task.fence, task.claimed_no, task.last_no, task.crash_count, task.ending, "    \
    "task.flags, task.updated, task.active, task.reopened, task.generation, task.priority, "                     \
    "task.deadline_length, task.queue_timeout, task.max_attempts, task.definition, task.root, task.parent, "     \
    "task.trace_id, task.created, task.k, task.error, task.format_min, task.journal_bytes, "                     \
    "task.memo"
constexpr int task_columns = 34;

/// What is of a newer version is said in `is_readable`, and no failure.
// What `line` follows from, but for the tasks set aside.
#define PAWL_LINE_OF_ROW                                                                            \
    "case when state = 1 then 3 when state = 0 and due is null and ending = 0 and (flags & 1) = 0 " \
    "then case when flags & 4 then 2 else 1 end end"

core::StoredRow read_row(Statement::Use& use);

/// Binds what changes in a row's life, in the order of `update task`; the id comes last.
void bind_changing(Statement::Use& use, const core::TaskRow& row, core::LaneId lane);
/// Binds what follows them in `insert into task`. `error_text` and the row must live until the statement has run.
void bind_fixed(Statement::Use& use, const core::TaskRow& row);

#define PAWL_JOURNAL_COLUMNS                                                                          \
    "journal.seq, journal.task, journal.no, journal.kind, journal.format, journal.path, journal.at, " \
    "journal.number, journal.due, journal.result, journal.error, journal.cost_uusd"
constexpr int journal_columns = 12;

/// A payload in an unknown codec stays as it is, and `format` says so (bits 8 to 15).
core::Entry read_entry(Statement::Use& use);

template <std::size_t N>
std::array<std::uint8_t, N> read_array(const Statement::Use& use, int column);
core::Hash read_hash(const Statement::Use& use, int column);
core::TaskId read_id(const Statement::Use& use, int column);

}  // namespace pawl::store
