#include "store/sqlite/sqlite_queries.hpp"

#include "store/id_range.hpp"
#include "store/sqlite/row_codec.hpp"

#include <algorithm>
#include <map>

namespace pawl::store {

using namespace core;

namespace {

#define PAWL_LANE_COLUMNS "lane.namespace, lane.queue, lane.type, lane.version, lane.key"
constexpr int lane_columns = 5;

template <class T>
Result<T> answer(Connection& connection, T value) {
    if (connection.failure()) return *connection.failure();
    return value;
}

void bind_time_ordered(Statement::Use& use, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) use.bind(std::string_view(text));
}

}  // namespace

// ---- one task ----------------------------------------------------------------------------------------------------

TaskRow SqliteQueries::read_whole_row(Statement::Use& use, bool* is_readable) {
    StoredRow stored = read_row(use);
    if (!stored.is_readable) *is_readable = false;
    TaskRow row = std::move(stored.row);
    const int c = task_columns;
    row.lane = {use.text(c), use.text(c + 1), use.text(c + 2), use.small(c + 3), use.text(c + 4)};
    // The row of a running task is not written at every entry.
    if (!use.is_null(c + lane_columns)) row.last_no = use.small(c + lane_columns);
    // What is set aside takes a newer version to go on, or a person.
    if (use.small(c + lane_columns + 1) == static_cast<int>(Line::aside))
        row.format_min = std::max(row.format_min, journal_format_max + 1);
    return row;
}

#define PAWL_WHOLE_ROW                                 \
    "select " PAWL_TASK_COLUMNS ", " PAWL_LANE_COLUMNS \
    ", case when task.state = 1 then (select max(no) from journal where task = task.id) end, task.line"
constexpr int whole_columns = task_columns + lane_columns + 2;

SqliteQueries::SqliteQueries(Connection& connection)
    : connection_(connection),
      find_(connection, "select id from task where public_id = ?1"),
      get_(connection, PAWL_WHOLE_ROW
           ", task.input from task join lane on lane.id = task.lane "
           "where task.id = ?1"),
      result_(connection, "select result from journal where task = ?1 and no = ?2"),
      // Of a purged task some entries may still be there.
      journal_(connection, "select " PAWL_JOURNAL_COLUMNS
                           " from journal where task = ?1 and no > ?2 "
                           "and exists (select 1 from task where id = ?1) order by no limit ?3"),
      feed_(connection, "select " PAWL_JOURNAL_COLUMNS
                        ", task.public_id from journal join task on task.id = journal.task "
                        "where seq > ?1 order by seq limit ?2") {}

void SqliteQueries::finalize() {
    for (Statement* statement : {&find_, &get_, &result_, &journal_, &feed_}) statement->finalize();
}

std::string SqliteQueries::entry_result(TaskRef task, int no, bool* is_readable) {
    auto use = result_.use();
    if (!use.bind(task).bind(static_cast<std::int64_t>(no)).next()) return {};
    return use.payload(0, is_readable);
}

void SqliteQueries::add_payloads(TaskRow& row, Statement::Use& use, int input_column, bool* is_readable) {
    row.input =
        use.is_null(input_column) ? entry_result(row.ref, 1, is_readable) : use.payload(input_column, is_readable);
    if (row.state == TaskState::completed) row.output = entry_result(row.ref, row.last_no, is_readable);
}

Result<TaskRow> SqliteQueries::get(TaskRef ref) {
    FreshStart fresh(connection_);
    auto use = get_.use();
    if (!use.bind(ref).next()) {
        if (connection_.failure()) return *connection_.failure();
        return Error{Errc::not_found, "no such task in this store"};
    }
    bool is_readable = true;
    TaskRow row = read_whole_row(use, &is_readable);
    add_payloads(row, use, whole_columns, &is_readable);
    if (!is_readable && !connection_.failure()) {
        return Error{Errc::store_newer, to_string(row.id) +
                                            ": a part of it is in a form that this version cannot read: a newer Pawl "
                                            "wrote it, or it is damaged (`pawl doctor` says more); use a newer Pawl"};
    }
    return answer(connection_, std::move(row));
}

Result<TaskRow> SqliteQueries::get(const TaskId& id) {
    TaskRef ref = 0;
    {
        FreshStart fresh(connection_);
        auto use = find_.use();
        if (use.bind(Bytes(id.bytes)).next()) ref = use.integer(0);
        if (connection_.failure()) return *connection_.failure();
    }
    if (ref == 0) return Error{Errc::not_found, "no task " + to_string(id) + " in this store; `pawl list` shows all"};
    return get(ref);
}

Result<std::vector<TaskId>> SqliteQueries::match(std::string_view part, int tasks_max) {
    FreshStart fresh(connection_);
    std::vector<TaskId> ids;
    const auto keep = [&](const TaskId& id) {
        if (static_cast<int>(ids.size()) < tasks_max && std::find(ids.begin(), ids.end(), id) == ids.end()) {
            ids.push_back(id);
        }
    };
    if (const std::optional<IdRange> range = range_of_prefix(part)) {
        Statement statement(connection_,
                            "select public_id from task where public_id between ?1 and ?2 "
                            "order by public_id limit ?3");
        auto use = statement.use();
        use.bind(Bytes(range->low.bytes)).bind(Bytes(range->high.bytes)).bind(static_cast<std::int64_t>(tasks_max));
        while (use.next()) keep(read_id(use, 0));
    }
    // No index knows an id by its end: this walks the index of all ids.
    Statement statement(connection_, "select public_id from task order by public_id");
    auto use = statement.use();
    while (static_cast<int>(ids.size()) < tasks_max && use.next()) {
        const TaskId id = read_id(use, 0);
        if (to_string(id).ends_with(part)) keep(id);
    }
    std::sort(ids.begin(), ids.end());
    return answer(connection_, std::move(ids));
}

// ---- many tasks --------------------------------------------------------------------------------------------------

Result<std::vector<TaskRow>> SqliteQueries::list(const ListFilter& filter) {
    FreshStart fresh(connection_);
    std::string sql = PAWL_WHOLE_ROW " from task join lane on lane.id = task.lane where 1";
    std::vector<std::string> texts;
    const auto need = [&](const char* condition, const std::optional<std::string>& text) {
        if (!text) return;
        sql += condition;
        texts.push_back(*text);
    };
    need(" and lane.namespace = ?", filter.space);
    need(" and lane.type = ?", filter.type);
    need(" and lane.queue = ?", filter.queue);
    need(" and task.k = ?", filter.key);
    need(" and task.id in (select task from tag where tag = ?)", filter.tag);
    if (!filter.states.empty()) {
        sql += " and task.state in (";
        for (const TaskState state : filter.states)
            sql += (state == filter.states.front() ? "" : ",") + std::to_string(static_cast<int>(state));
        sql += ")";
    }
    if (filter.before) sql += " and task.id < " + std::to_string(*filter.before);
    sql += " order by task.id desc limit " + std::to_string(filter.tasks_max);

    Statement statement(connection_, sql.c_str());
    auto use = statement.use();
    bind_time_ordered(use, texts);
    std::vector<TaskRow> rows;
    bool is_readable = true;  // what cannot be read is shown as far as it can
    while (use.next()) rows.push_back(read_whole_row(use, &is_readable));
    return answer(connection_, std::move(rows));
}

Result<std::vector<QueueStatus>> SqliteQueries::queues() {
    FreshStart fresh(connection_);
    std::map<std::pair<std::string, std::string>, QueueStatus> found;
    Statement settings(connection_, "select namespace, name, concurrency, depth_max, paused from queue");
    for (auto use = settings.use(); use.next();) {
        QueueStatus& status = found[{use.text(0), use.text(1)}];
        status.concurrency = use.small(2);
        status.depth_max = use.small(3);
        status.paused = use.small(4) != 0;
    }
    Statement rows(connection_,
                   "select lane.namespace, lane.queue, state, count(*) from task "
                   "join lane on lane.id = task.lane group by lane.namespace, lane.queue, state");
    for (auto use = rows.use(); use.next();) {
        QueueStatus& status = found[{use.text(0), use.text(1)}];
        const std::int64_t count = use.integer(3);
        switch (static_cast<TaskState>(use.small(2))) {
            case TaskState::running:
                status.running = static_cast<int>(count);
                break;
            case TaskState::pending:
                status.pending = count;
                break;
            case TaskState::waiting:
                status.waiting = count;
                break;
            default:
                break;
        }
    }
    std::vector<QueueStatus> all;
    for (auto& [key, status] : found) {
        status.space = key.first;
        status.name = key.second;
        all.push_back(std::move(status));
    }
    return answer(connection_, std::move(all));
}

Result<std::vector<std::string>> SqliteQueries::tags(TaskRef task) {
    FreshStart fresh(connection_);
    std::vector<std::string> tags;
    Statement statement(connection_, "select tag from tag where task = ?1 order by tag");
    auto use = statement.use();
    for (use.bind(task); use.next();) tags.push_back(use.text(0));
    return answer(connection_, std::move(tags));
}

Result<std::vector<std::int64_t>> SqliteQueries::counts() {
    FreshStart fresh(connection_);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(TaskState::cancelled) + 1);
    Statement statement(connection_, "select state, count(*) from task group by state");
    for (auto use = statement.use(); use.next();) {
        const std::int64_t state = use.integer(0);
        if (state < 0 || state >= std::ssize(counts)) continue;  // damage: check() names it
        counts[static_cast<std::size_t>(state)] = use.integer(1);
    }
    return answer(connection_, std::move(counts));
}

// ---- journal -----------------------------------------------------------------------------------------------------

Result<std::vector<Entry>> SqliteQueries::journal(TaskRef task, int after_no, int entries_max) {
    FreshStart fresh(connection_);
    auto use = journal_.use();
    use.bind(task).bind(static_cast<std::int64_t>(after_no)).bind(static_cast<std::int64_t>(entries_max));
    std::vector<Entry> found;
    std::size_t bytes = 0;
    while (use.next()) {
        Entry entry = read_entry(use);
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > Span{}.bytes_max) break;
        found.push_back(std::move(entry));
    }
    return answer(connection_, std::move(found));
}

Result<std::vector<std::pair<Entry, TaskId>>> SqliteQueries::feed(const FeedCursor& after, int entries_max) {
    FreshStart fresh(connection_);
    auto use = feed_.use();
    use.bind(after.seq).bind(static_cast<std::int64_t>(entries_max));
    std::vector<std::pair<Entry, TaskId>> found;
    std::size_t bytes = 0;
    while (use.next()) {
        Entry entry = read_entry(use);
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > Span{}.bytes_max) break;
        found.emplace_back(std::move(entry), read_id(use, journal_columns));
    }
    return answer(connection_, std::move(found));
}

}  // namespace pawl::store
