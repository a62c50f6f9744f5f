// Rows of the tables task and journal, to and from their structs.
#pragma once

#include "core/tables.hpp"
#include "store/postgres/parameters.hpp"
#include "store/row_values.hpp"

#include <string>
#include <string_view>

namespace pawl::store {

// The columns in the order in which read_task takes them. The last ones are for a running row, which is not written at
// every entry: what the journal says of it.
#define PAWL_PG_TASK_COLUMNS                                                                                     \
    "t.id, t.public_id, t.line_group, t.flow_key, t.sort_key, t.state, t.reason, t.reason_before, t.due, "       \
    "t.expires, t.deadline, t.fence, t.revision, t.claimed_no, t.last_no, t.crash_count, t.ending, t.flags, "    \
    "t.updated, t.active, t.reopened, t.generation, t.priority, t.deadline_length, t.queue_timeout, "            \
    "t.max_attempts, t.definition, t.root, t.parent, t.trace_id, t.created, t.k, t.error, t.format_min, "        \
    "t.journal_bytes, t.memo, "                                                                                  \
    "case when t.state = 1 then (select max(no) from journal where task = t.id) end, "                           \
    "t.state = 1 and exists (select 1 from journal where task = t.id and no > t.claimed_no and kind "            \
    "in " PAWL_PROGRESS_KINDS                                                                                    \
    "), "                                                                                                        \
    "case when t.state = 1 then (select coalesce(sum(coalesce(octet_length(result) - 1, 0) + "                   \
    "coalesce(octet_length(error) - 1, 0)), 0)::bigint from journal where task = t.id and no > t.last_no) end, " \
    "(case when t.state = 1 then (select xact from journal where task = t.id order by no desc limit 1) else "    \
    "t.xact end)::text::bigint"
constexpr int pg_task_columns = 40;

// The input, wherever it stands.
#define PAWL_PG_INPUT_COLUMN "coalesce(t.input, (select result from journal where task = t.id and no = 1))"

/// A row of the columns above. Its lane is not filled in; `line_group` and `flow_key` say it.
struct PgTask {
    core::StoredRow stored;
    int line_group = 0;
    std::int64_t transaction = 0;  ///< where its newest entry stands in the feed
};
PgTask read_task(const PgRows& rows, int row);

// Seed of the advisory lock that every transaction has that writes entries.
#define PAWL_PG_WRITER_LOCK "7264"

#define PAWL_PG_JOURNAL_COLUMNS                                                                       \
    "j.task, j.no, j.kind, j.format, j.path, j.at, j.number, j.due, j.result, j.error, j.cost_uusd, " \
    "j.xact::text::bigint, j.seq"
constexpr int pg_journal_columns = 13;

/// A payload in an unknown codec stays as it is, and `format` says so (bits 8 to 15).
core::Entry read_entry(const PgRows& rows, int row);

/// A payload as it stands in a column: a codec byte, then the text. Empty text is null.
class PgPayload {
public:
    void add_to(PgArray& array, std::string_view text);

private:
    std::string buffer_;
};
/// The text of a payload; anything but the plain codec clears `is_readable` and is left as it is.
std::string read_payload(const PgRows& rows, int row, int column, bool* is_readable);

core::TaskId read_task_id(const PgRows& rows, int row, int column);
core::Hash read_hash(const PgRows& rows, int row, int column);

}  // namespace pawl::store
