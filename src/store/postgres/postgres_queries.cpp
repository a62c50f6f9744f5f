#include "store/postgres/postgres_queries.hpp"

#include "store/id_range.hpp"
#include "store/postgres/inbox.hpp"
#include "store/postgres/task_columns.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

constexpr Micros query_max = 35s;  // the server's own limit is sooner, and says so
constexpr std::size_t findings_max = 100;
constexpr int feed_end_tries = 4;

#define PAWL_PG_WHOLE_ROW "select " PAWL_PG_TASK_COLUMNS ", g.namespace, g.queue, g.type, g.version"
#define PAWL_PG_FROM " from task t join line_group g on g.id = t.line_group "
constexpr int whole_columns = pg_task_columns + 4;
#define PAWL_PG_OUTPUT_COLUMN \
    "case when t.state = 4 then (select result from journal where task = t.id and no = t.last_no) end"

constexpr PgStatement get_by_ref{"get_by_ref", PAWL_PG_WHOLE_ROW
                                 ", " PAWL_PG_INPUT_COLUMN ", " PAWL_PG_OUTPUT_COLUMN PAWL_PG_FROM "where t.id = $1"};
constexpr PgStatement get_by_id{"get_by_id",
                                PAWL_PG_WHOLE_ROW ", " PAWL_PG_INPUT_COLUMN ", " PAWL_PG_OUTPUT_COLUMN PAWL_PG_FROM
                                                  "where t.public_id = $1"};
// What users have submitted in transactions of their own, and no worker has taken in yet, is there as well: a statement
// sees it in one of the two places.
constexpr PgStatement inbox_by_ref{"inbox_by_ref", "select " PAWL_PG_INBOX_COLUMNS " from inbox i where i.id = $1"};
constexpr PgStatement inbox_by_id{"inbox_by_id",
                                  "select " PAWL_PG_INBOX_COLUMNS " from inbox i where i.public_id = $1"};
constexpr PgStatement ids_between{"ids_between",
                                  "select public_id from task where public_id between $1 and $2 union all "
                                  "select public_id from inbox where public_id between $1 and $2 "
                                  "order by public_id limit $3"};
constexpr PgStatement all_ids{"all_ids",
                              "select public_id from task where public_id > $1 union all "
                              "select public_id from inbox where public_id > $1 order by public_id limit 10000"};
constexpr PgStatement tags_of{"tags_of",
                              "select tag from (select tag from tag where task = $1 union all select unnest(tags) from "
                              "inbox where id = $1) as tags order by tag collate \"C\""};
constexpr PgStatement list_inbox{
    "list_inbox",
    "select " PAWL_PG_INBOX_COLUMNS
    " from inbox i where ($1::text is null or i.namespace = $1) and ($2::text is null or i.type = $2) and "
    "($3::text is null or i.queue = $3) and ($4::text is null or i.k = $4) and ($5::text is null or $5 = any(i.tags)) "
    "and ($6::int[] is null or 0 = any($6)) and ($7::bigint is null or i.id < $7) order by i.id desc limit $8"};
constexpr PgStatement list_tasks{
    "list_tasks", PAWL_PG_WHOLE_ROW PAWL_PG_FROM
    "where ($1::text is null or g.namespace = $1) and ($2::text is null or g.type = $2) and "
    "($3::text is null or g.queue = $3) and ($4::text is null or t.k = $4) and "
    "($5::text is null or exists (select 1 from tag where tag.task = t.id and tag.tag = $5)) and "
    "($6::int[] is null or t.state = any($6)) and ($7::bigint is null or t.id < $7) order by t.id desc limit $8"};
// Of a purged task some entries may still be there.
constexpr PgStatement journal_of{
    "journal_of", "select " PAWL_PG_JOURNAL_COLUMNS
                  " from journal j where j.task = $1 and j.no > $2 and exists (select 1 from task where id = $1) "
                  "order by j.no limit $3"};
// Below it no transaction can still put an entry. What transactions of users do is of no account: those that write
// entries hold a lock from before they have a number until after others see what they did. One that has the lock and,
// as far as the locks tell, no number yet may have got it this very moment: then all that run count.
constexpr PgStatement feed_end{
    "feed_end",
    "with s as (select pg_snapshot_xmin(s)::text::bigint as low, pg_snapshot_xmax(s)::text::bigint as high, "
    "hashtextextended(current_schema(), " PAWL_PG_WRITER_LOCK
    ") as k from pg_current_snapshot() as s), "
    "locks as materialized (select * from pg_locks where granted and locktype in ('advisory', 'transactionid')), "
    "writers as (select (select transactionid::text::bigint from locks x where x.virtualtransaction = "
    "w.virtualtransaction and x.locktype = 'transactionid' and x.mode = 'ExclusiveLock') as xact from locks w, s where "
    "w.locktype = 'advisory' and w.objsubid = 1 and w.classid = ((s.k >> 32) & 4294967295)::oid and w.objid = "
    "(s.k & 4294967295)::oid and w.database = (select oid from pg_database where datname = current_database())) "
    // A lock knows the lower half of a number; those that run are near each other.
    "select case when exists (select 1 from writers where xact is null) then low else least(high, (select min(high + "
    "(((xact - high + 2147483648) & 4294967295) - 2147483648)) from writers)) end, "
    "exists (select 1 from writers where xact is null) and low < high from s"};
// A statement of its own: it sees what was committed while the locks were looked at.
constexpr PgStatement feed_after{
    "feed_after",
    "select " PAWL_PG_JOURNAL_COLUMNS
    ", t.public_id from journal j join task t on t.id = j.task where (j.xact, j.seq) > ($1::text::xid8, $2) "
    "and j.xact < $4::text::xid8 order by j.xact, j.seq limit $3"};
constexpr PgStatement queue_settings{"queue_settings",
                                     "select namespace, name, concurrency, depth_max, paused from queue"};
constexpr PgStatement queue_counts{"queue_counts",
                                   "select g.namespace, g.queue, t.state, count(*) from task t join line_group g on "
                                   "g.id = t.line_group where t.state < 3 group by 1, 2, 3 union all "
                                   "select namespace, queue, 0, count(*) from inbox group by 1, 2"};
constexpr PgStatement live_workers{
    "live_workers",
    "select w.id, w.host, w.pid, w.program, w.version, w.types, w.queues, w.slots, coalesce(held.n, 0), w.registered, "
    "w.seen from worker w left join (select fence & 4294967295 as worker, count(*) as n from task where line = 3 "
    "group by 1) as held on held.worker = w.id where w.ended is null order by w.id"};
constexpr PgStatement state_counts{"state_counts",
                                   "select state, count(*) from task group by state union all "
                                   "select 0, count(*) from inbox"};

// What must hold: a query for what does not, whose first column names it.
struct Invariant {
    const char* text;
    PgStatement violations;
};
constexpr Invariant invariants[] = {
    {"its journal has a gap",
     {"check_gap",
      "select public_id from task join (select task, min(no) as low, max(no) as high, count(*) as n from journal "
      "group by task) as j on j.task = task.id where low <> 1 or high <> n limit 100"}},
    {"it has no journal",
     {"check_journal",
      "select public_id from task where not exists (select 1 from journal where task = task.id and no = 1) limit 100"}},
    {"its row knows another newest entry than its journal",
     {"check_newest",
      "select public_id from task where state <> 1 and last_no <> (select max(no) from journal where task = task.id) "
      "limit 100"}},
    {"it runs without a worker",
     {"check_held",
      "select public_id from task where state = 1 and not exists (select 1 from worker where id = (fence & "
      "4294967295)) "
      "limit 100"}},
    {"its place in the queue does not fit its state",
     {"check_line",
      "select public_id from task where line is distinct from (case when state = 1 then 3 when state = 0 and due is "
      "null and ending = 0 and (flags & 1) = 0 then case when flags & 4 <> 0 then 2 else 1 end end) limit 100"}},
    {"it has a state that is not known",
     {"check_state",
      "select public_id from task where state not between 0 and 6 or reason not between 0 and 21 or "
      "reason_before not between 0 and 21 or ending not between 0 and 4 limit 100"}},
    {"a part of it has a codec that this version cannot read",
     {"check_codec",
      "select public_id from task where get_byte(error, 0) <> 0 or get_byte(input, 0) <> 0 or exists (select 1 from "
      "journal where task = task.id and no = 1 and get_byte(result, 0) <> 0) limit 100"}},
};
constexpr Invariant store_invariants[] = {
    {"a blob's count of references is wrong",
     {"check_blobs",
      "select count(*) from blob left join (select g.namespace as space, definition, count(*) as n from task join "
      "line_group g on g.id = task.line_group where definition is not null group by 1, 2) as used on "
      "used.space = blob.namespace and used.definition = blob.hash where blob.refs <> coalesce(n, 0)"}},
    {"a task's definition is missing",
     {"check_definitions",
      "select count(*) from task join line_group g on g.id = task.line_group where definition is not null and not "
      "exists (select 1 from blob where namespace = g.namespace and hash = task.definition)"}},
    {"a key belongs to no task",
     {"check_keys", "select count(*) from key where not exists (select 1 from task where id = key.task)"}},
    {"entries belong to no task",
     {"check_entries",
      "select count(*) from journal where not exists (select 1 from task where id = journal.task) and not exists "
      "(select 1 from leftover where leftover.task = journal.task)"}},
};

TaskRow whole_row(const PgRows& rows, int r, bool* is_readable) {
    PgTask task = read_task(rows, r);
    if (!task.stored.is_readable) *is_readable = false;
    TaskRow row = std::move(task.stored.row);
    const int c = pg_task_columns;
    row.lane = {rows.text(r, c), rows.text(r, c + 1), rows.text(r, c + 2), static_cast<int>(rows.integer(r, c + 3)),
                row.lane.key};
    return row;
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace

Result<PgRows> PostgresQueries::ask(const PgStatement& statement, const PgParameters& parameters) {
    // A connection that was idle may have been cut: reading again does no harm.
    for (int attempt = 0;; ++attempt) {
        if (!connection_.is_open()) {
            const PostgresUrl url = connection_.url();
            if (auto opened = connection_.open(url, 5s); !opened) return opened.error();
        }
        auto rows = connection_.query(statement, parameters, query_max);
        if (rows) return std::move(*rows);
        if (attempt > 0 || !is_outcome_unknown(rows.error().fault))
            return to_error(rows.error(), connection_.url().shown);
    }
}

// ---- one task ----------------------------------------------------------------------------------------------------

Result<TaskRow> PostgresQueries::get(const PgStatement& statement, const PgStatement& in_inbox,
                                     const PgParameters& parameters, const Error& missing) {
    auto rows = ask(statement, parameters);
    if (!rows) return rows.error();
    if (rows->empty()) {
        const auto posted = ask(in_inbox, parameters);
        if (!posted) return posted.error();
        if (!posted->empty()) return shown_posted(*posted, 0);
        rows = ask(statement, parameters);  // it may have been taken in meanwhile
        if (!rows) return rows.error();
    }
    if (rows->empty()) return missing;
    bool is_readable = true;
    TaskRow row = whole_row(*rows, 0, &is_readable);
    row.input = read_payload(*rows, 0, whole_columns, &is_readable);
    row.output = read_payload(*rows, 0, whole_columns + 1, &is_readable);
    if (is_readable) return row;
    return Error{Errc::store_newer, to_string(row.id) +
                                        ": a part of it is in a form that this version cannot read: a newer Pawl "
                                        "wrote it, or it is damaged (`pawl doctor` says more); use a newer Pawl"};
}

Result<TaskRow> PostgresQueries::get(TaskRef ref) {
    return get(get_by_ref, inbox_by_ref, PgParameters().int8(ref), {Errc::not_found, "no such task in this store"});
}

Result<TaskRow> PostgresQueries::get(const TaskId& id) {
    return get(get_by_id, inbox_by_id, PgParameters().bytes(id.bytes),
               {Errc::not_found, "no task " + to_string(id) + " in this store; `pawl list` shows all"});
}

Result<std::vector<TaskId>> PostgresQueries::match(std::string_view part, int tasks_max) {
    std::vector<TaskId> ids;
    const auto keep = [&](const TaskId& id) {
        if (static_cast<int>(ids.size()) < tasks_max && std::find(ids.begin(), ids.end(), id) == ids.end())
            ids.push_back(id);
    };
    if (const std::optional<IdRange> range = range_of_prefix(part)) {
        const auto rows =
            ask(ids_between, PgParameters().bytes(range->low.bytes).bytes(range->high.bytes).int8(tasks_max));
        if (!rows) return rows.error();
        for (int r = 0; r < rows->size(); ++r) keep(read_task_id(*rows, r, 0));
    }
    // No index knows an id by its end: this walks the index of all ids.
    std::string after;
    while (static_cast<int>(ids.size()) < tasks_max) {
        const auto rows = ask(all_ids, PgParameters().bytes(std::string_view(after)));
        if (!rows) return rows.error();
        for (int r = 0; r < rows->size(); ++r) {
            const TaskId id = read_task_id(*rows, r, 0);
            if (to_string(id).ends_with(part)) keep(id);
        }
        if (rows->empty()) break;
        after = rows->text(rows->size() - 1, 0);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<std::vector<std::string>> PostgresQueries::tags(TaskRef task) {
    const auto rows = ask(tags_of, PgParameters().int8(task));
    if (!rows) return rows.error();
    std::vector<std::string> tags;
    for (int r = 0; r < rows->size(); ++r) tags.push_back(rows->text(r, 0));
    return tags;
}

// ---- many tasks --------------------------------------------------------------------------------------------------

Result<std::vector<TaskRow>> PostgresQueries::list(const ListFilter& filter) {
    PgArray states(PgType::int4);
    for (const TaskState state : filter.states) states.add_int4(static_cast<std::int32_t>(state));
    PgParameters parameters;
    parameters.optional_text(view(filter.space))
        .optional_text(view(filter.type))
        .optional_text(view(filter.queue))
        .optional_text(view(filter.key))
        .optional_text(view(filter.tag));
    if (filter.states.empty()) parameters.null(PgType::int4_array);
    else parameters.array(states);
    parameters.optional_int8(filter.before).int8(filter.tasks_max);
    // First the inbox: what is taken in meanwhile is there twice, and not missing.
    const auto posted = ask(list_inbox, parameters);
    if (!posted) return posted.error();
    const auto found = ask(list_tasks, parameters);
    if (!found) return found.error();
    std::vector<TaskRow> rows;
    bool is_readable = true;  // what cannot be read is shown as far as it can
    for (int r = 0; r < found->size(); ++r) rows.push_back(whole_row(*found, r, &is_readable));
    const auto newer = [](const TaskRow& a, const TaskRow& b) { return a.ref > b.ref; };
    for (int r = 0; r < posted->size(); ++r) {
        TaskRow row = shown_posted(*posted, r);
        row.input.clear();
        const auto at = std::lower_bound(rows.begin(), rows.end(), row, newer);
        if (at == rows.end() || at->ref != row.ref) rows.insert(at, std::move(row));
    }
    if (std::ssize(rows) > filter.tasks_max) rows.resize(static_cast<std::size_t>(filter.tasks_max));
    return rows;
}

Result<std::vector<QueueStatus>> PostgresQueries::queues() {
    std::map<std::pair<std::string, std::string>, QueueStatus> found;
    const auto settings = ask(queue_settings, {});
    if (!settings) return settings.error();
    for (int r = 0; r < settings->size(); ++r) {
        QueueStatus& status = found[{settings->text(r, 0), settings->text(r, 1)}];
        status.concurrency = static_cast<int>(settings->integer(r, 2));
        status.depth_max = static_cast<int>(settings->integer(r, 3));
        status.paused = settings->boolean(r, 4);
    }
    const auto counts = ask(queue_counts, {});
    if (!counts) return counts.error();
    for (int r = 0; r < counts->size(); ++r) {
        QueueStatus& status = found[{counts->text(r, 0), counts->text(r, 1)}];
        const auto state = static_cast<TaskState>(counts->integer(r, 2));
        const std::int64_t count = counts->integer(r, 3);
        if (state == TaskState::running) status.running = static_cast<int>(count);
        if (state == TaskState::pending) status.pending += count;
        if (state == TaskState::waiting) status.waiting = count;
    }
    std::vector<QueueStatus> all;
    for (auto& [key, status] : found) {
        status.space = key.first;
        status.name = key.second;
        all.push_back(std::move(status));
    }
    return all;
}

Result<std::vector<std::int64_t>> PostgresQueries::counts() {
    const auto rows = ask(state_counts, {});
    if (!rows) return rows.error();
    std::vector<std::int64_t> counts(static_cast<std::size_t>(TaskState::cancelled) + 1);
    for (int r = 0; r < rows->size(); ++r) {
        const std::int64_t state = rows->integer(r, 0);
        if (state < 0 || state >= std::ssize(counts)) continue;  // damage: check() names it
        counts[static_cast<std::size_t>(state)] += rows->integer(r, 1);
    }
    return counts;
}

Result<std::vector<WorkerRow>> PostgresQueries::workers() {
    const auto rows = ask(live_workers, {});
    if (!rows) return rows.error();
    std::vector<WorkerRow> workers;
    for (int r = 0; r < rows->size(); ++r) {
        WorkerRow& worker = workers.emplace_back();
        worker.id = static_cast<std::int32_t>(rows->integer(r, 0));
        worker.host = rows->text(r, 1);
        worker.pid = static_cast<int>(rows->integer(r, 2));
        worker.program = rows->text(r, 3);
        worker.version = rows->text(r, 4);
        std::istringstream types(rows->text(r, 5)), queues(rows->text(r, 6));
        for (ServedType type; types >> type.type >> type.version >> type.compatible_from;) worker.types.push_back(type);
        for (std::string queue; std::getline(queues, queue);) worker.queues.push_back(queue);
        worker.slots = static_cast<int>(rows->integer(r, 7));
        worker.running = static_cast<int>(rows->integer(r, 8));
        worker.registered = instant(rows->integer(r, 9));
        worker.seen = instant(rows->integer(r, 10));
    }
    return workers;
}

// ---- journal -----------------------------------------------------------------------------------------------------

Result<std::vector<Entry>> PostgresQueries::journal(TaskRef task, int after_no, int entries_max) {
    const auto rows = ask(journal_of, PgParameters().int8(task).int4(after_no).int8(entries_max));
    if (!rows) return rows.error();
    std::vector<Entry> found;
    std::size_t bytes = 0;
    for (int r = 0; r < rows->size(); ++r) {
        Entry entry = read_entry(*rows, r);
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > Span{}.bytes_max) break;
        found.push_back(std::move(entry));
    }
    return found;
}

Result<std::vector<std::pair<Entry, TaskId>>> PostgresQueries::feed(const FeedCursor& after, int entries_max) {
    // It lasts but a moment until a writer has its number; what runs meanwhile may last for long.
    auto end = ask(feed_end, {});
    for (int tries = 1; end && end->boolean(0, 1) && tries < feed_end_tries; ++tries) end = ask(feed_end, {});
    if (!end) return end.error();
    const std::string transaction = std::to_string(after.transaction), before = std::to_string(end->integer(0, 0));
    const auto rows = ask(feed_after, PgParameters().text(transaction).int8(after.seq).int8(entries_max).text(before));
    if (!rows) return rows.error();
    std::vector<std::pair<Entry, TaskId>> found;
    std::size_t bytes = 0;
    for (int r = 0; r < rows->size(); ++r) {
        Entry entry = read_entry(*rows, r);
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > Span{}.bytes_max) break;
        found.emplace_back(std::move(entry), read_task_id(*rows, r, pg_journal_columns));
    }
    return found;
}

Result<std::vector<std::string>> PostgresQueries::check() {
    std::vector<std::string> findings;
    for (const Invariant& invariant : invariants) {
        const auto rows = ask(invariant.violations, {});
        if (!rows) return rows.error();
        for (int r = 0; r < rows->size() && findings.size() < findings_max; ++r)
            findings.push_back(to_string(read_task_id(*rows, r, 0)) + ": " + invariant.text);
    }
    for (const Invariant& invariant : store_invariants) {
        const auto rows = ask(invariant.violations, {});
        if (!rows) return rows.error();
        const std::int64_t count = rows->empty() ? 0 : rows->integer(0, 0);
        if (count != 0) findings.push_back(std::string(invariant.text) + " (" + std::to_string(count) + ")");
    }
    return findings;
}

}  // namespace pawl::store
