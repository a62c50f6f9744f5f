// Tasks, journal and the orders in which they are looked for.
#include "store/sqlite/sqlite_tables.hpp"

#include "store/sqlite/row_codec.hpp"

#include <algorithm>

namespace pawl::store {

using namespace core;

Statement& SqliteTables::statement(const char* sql) {
    for (const auto& [text, known] : by_text_) {
        if (text == sql) return *known;
    }
    Statement& made = statements_.emplace_back(connection_, sql);
    by_text_.emplace_back(sql, &made);
    return made;
}

void SqliteTables::finalize() {
    append_.finalize();
    by_text_.clear();
    statements_.clear();
}

void SqliteTables::fail_corrupt(const std::string& what) {
    connection_.fail(
        {Errc::store_corrupt,
         connection_.path() + ": " + what + "; keep the file as it is and restore a backup (`pawl doctor` says more)"});
}

// ---- meta --------------------------------------------------------------------------------------------------------

SqliteTables::Meta SqliteTables::meta() {
    auto use = statement("select epoch, clean from meta").use();
    if (!use.next()) return {};
    return {static_cast<std::int32_t>(use.integer(0)), use.integer(1) != 0};
}

void SqliteTables::set_meta(const Meta& meta) {
    statement("update meta set epoch = ?1, clean = ?2").use().bind(meta.epoch).bind(meta.clean ? 1 : 0).run();
}

void SqliteTables::set_epoch(std::int32_t epoch) { statement("update meta set epoch = ?1").use().bind(epoch).run(); }

void SqliteTables::save_marks(const Marks& marks) {
    statement("update meta set seq = ?1, ref = ?2, clock = ?3")
        .use()
        .bind(marks.seq)
        .bind(marks.ref)
        .bind(core::count(marks.clock))
        .run();
}

Marks SqliteTables::newest_marks() {
    // The newest entry has the newest time: store time never goes back.
    auto use = statement(
                   "select meta.seq, meta.ref, meta.clock, "
                   "(select max(seq) from journal), (select max(id) from task), "
                   "(select at from journal order by seq desc limit 1) from meta")
                   .use();
    if (!use.next()) return {};
    return {std::max(use.integer(0), use.integer(3)), std::max(use.integer(1), use.integer(4)),
            instant(std::max(use.integer(2), use.integer(5)))};
}

// ---- tasks -------------------------------------------------------------------------------------------------------

std::optional<StoredRow> SqliteTables::task(TaskRef ref, bool with_input) {
    auto use = statement("select " PAWL_TASK_COLUMNS ", task.input from task where id = ?1").use();
    if (!use.bind(ref).next()) return std::nullopt;
    StoredRow stored = read_row(use);
    if (!with_input) return stored;
    stored.row.input = use.is_null(task_columns) ? long_input(ref, &stored.is_readable)
                                                 : use.payload(task_columns, &stored.is_readable);
    return stored;
}

std::string SqliteTables::long_input(TaskRef task, bool* is_readable) {
    auto use = statement("select result from journal where task = ?1 and no = 1").use();
    return use.bind(task).next() ? use.payload(0, is_readable) : std::string();
}

TaskRef SqliteTables::find(const TaskId& id) {
    auto use = statement("select id from task where public_id = ?1").use();
    return use.bind(Bytes(id.bytes)).next() ? use.integer(0) : 0;
}

void SqliteTables::insert(const TaskRow& row, LaneId lane) {
    auto use = statement(
                   "insert into task(line, lane, state, reason, reason_before, due, expires, deadline, fence, "
                   "claimed_no, last_no, crash_count, ending, flags, updated, active, reopened, deadline_length, "
                   "error, format_min, journal_bytes, definition, memo, id, public_id, sort_key, generation, priority, "
                   "queue_timeout, "
                   "max_attempts, root, parent, trace_id, created, k, input) "
                   "values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, "
                   "?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)")
                   .use();
    bind_changing(use, row, lane);
    bind_fixed(use, row);
    use.run();
}

void SqliteTables::update(const TaskRow& row, LaneId lane) {
    auto use = statement(
                   "update task set line = ?1, lane = ?2, state = ?3, reason = ?4, reason_before = ?5, due = ?6, "
                   "expires = ?7, deadline = ?8, fence = ?9, claimed_no = ?10, last_no = ?11, crash_count = ?12, "
                   "ending = ?13, flags = ?14, updated = ?15, active = ?16, reopened = ?17, "
                   "deadline_length = ?18, error = ?19, format_min = ?20, journal_bytes = ?21, "
                   "definition = ?22, memo = ?23 where id = ?24")
                   .use();
    bind_changing(use, row, lane);
    use.run();
}

void SqliteTables::set_aside(TaskRef ref) { statement("update task set line = 4 where id = ?1").use().bind(ref).run(); }

void SqliteTables::readmit() {
    statement("update task set line = " PAWL_LINE_OF_ROW " where line = 4 and format_min <= ?1")
        .use()
        .bind(std::int64_t{journal_format_max})
        .run();
}

std::vector<StoredRow> SqliteTables::running() {
    std::vector<StoredRow> rows;
    auto use = statement("select " PAWL_TASK_COLUMNS
                         ", (select max(no) from journal where task = task.id), "
                         "exists (select 1 from journal where task = task.id and no > task.claimed_no and kind "
                         "in " PAWL_PROGRESS_KINDS
                         "), (select coalesce(sum(ifnull(length(result) - 1, 0) + "
                         "ifnull(length(error) - 1, 0)), 0) from journal where task = task.id and no > task.last_no) "
                         "from task where line = 3 order by task.id")
                   .use();
    while (use.next()) {
        rows.push_back(read_row(use));
        rows.back().row.last_no = use.small(task_columns);
        rows.back().row.has_progressed = use.small(task_columns + 1) != 0;
        rows.back().row.journal_bytes += use.integer(task_columns + 2);
    }
    return rows;
}

// ---- journal -----------------------------------------------------------------------------------------------------

void SqliteTables::append(std::int64_t seq, const TaskRow& row, Instant at, const transition::NewEntry& entry) {
    const bool has_long_input = entry.kind == EntryKind::submitted && row.input.size() > inline_input_max;
    auto use = append_.use();
    use.bind(seq)
        .bind(row.ref)
        .bind(static_cast<std::int64_t>(row.last_no))
        .bind(static_cast<std::int64_t>(entry.kind))
        .bind(std::int64_t{1});
    if (entry.path.empty()) {
        use.bind_null();
    } else {
        use.bind(entry.path);
    }
    use.bind(core::count(at))
        .bind(entry.number)
        .bind_optional(entry.due)
        .bind(Payload{has_long_input ? std::string_view(row.input) : entry.result})
        .bind(Payload{entry.error})
        .bind(entry.cost_uusd)
        .run();
}

std::vector<Entry> SqliteTables::entries(TaskRef task, const Span& span) {
    std::vector<Entry> found;
    auto use =
        statement("select " PAWL_JOURNAL_COLUMNS " from journal where task = ?1 and no > ?2 order by no limit ?3")
            .use();
    use.bind(task).bind(static_cast<std::int64_t>(span.after_no)).bind(static_cast<std::int64_t>(span.entries_max));
    std::size_t bytes = 0;
    while (use.next()) {
        Entry entry = read_entry(use);
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > span.bytes_max) break;
        found.push_back(std::move(entry));
    }
    return found;
}

void SqliteTables::scan(TaskRef task, int after_no, const std::function<void(const EntryHead&)>& see) {
    auto use = statement("select no, kind, path, number from journal where task = ?1 and no > ?2 order by no").use();
    use.bind(task).bind(static_cast<std::int64_t>(after_no));
    while (use.next()) see({use.small(0), static_cast<EntryKind>(use.small(1)), use.text(2), use.integer(3)});
}

// ---- orders ------------------------------------------------------------------------------------------------------

std::vector<Head> SqliteTables::ready(LaneId lane, int rows_max) {
    std::vector<Head> heads;
    auto use =
        statement("select sort_key, id from task where line = 1 and lane = ?1 order by sort_key, id limit ?2").use();
    use.bind(lane).bind(static_cast<std::int64_t>(rows_max));
    while (use.next()) heads.push_back({use.integer(0), use.integer(1)});
    return heads;
}

std::vector<std::pair<LaneId, Head>> SqliteTables::suspects() {
    std::vector<std::pair<LaneId, Head>> found;
    auto use = statement("select lane, sort_key, id from task where line = 2 order by lane, sort_key, id").use();
    while (use.next()) found.emplace_back(use.integer(0), Head{use.integer(1), use.integer(2)});
    return found;
}

std::vector<TaskRef> SqliteTables::refs(const char* sql, std::int64_t until, int rows_max) {
    std::vector<TaskRef> found;
    auto use = statement(sql).use();
    use.bind(until).bind(static_cast<std::int64_t>(rows_max));
    while (use.next()) found.push_back(use.integer(0));
    return found;
}

std::vector<TaskRef> SqliteTables::due(Instant now, int rows_max) {
    return refs(
        "select id from task where due is not null and state <> 3 and line is not 4 and due <= ?1 order by due, id "
        "limit ?2",
        core::count(now), rows_max);
}

std::vector<TaskRef> SqliteTables::expired(Instant now, int rows_max) {
    return refs(
        "select id from task where expires is not null and line is not 4 and expires <= ?1 order by expires, id limit "
        "?2",
        core::count(now), rows_max);
}

std::vector<TaskRef> SqliteTables::overdue(WallInstant wall, int rows_max) {
    return refs(
        "select id from task where deadline is not null and ending = 0 and state < 4 and line is not 4 and deadline <= "
        "?1 "
        "order by deadline, id limit ?2",
        core::count(wall), rows_max);
}

std::optional<Instant> SqliteTables::next_due() {
    auto use =
        statement("select due from task where due is not null and state <> 3 and line is not 4 order by due limit 1")
            .use();
    return use.next() ? std::optional(instant(use.integer(0))) : std::nullopt;
}

std::optional<Instant> SqliteTables::next_expiry() {
    auto use =
        statement("select expires from task where expires is not null and line is not 4 order by expires limit 1")
            .use();
    return use.next() ? std::optional(instant(use.integer(0))) : std::nullopt;
}

std::optional<WallInstant> SqliteTables::next_deadline() {
    auto use =
        statement(
            "select deadline from task where deadline is not null and ending = 0 and state < 4 and line is not 4 "
            "order by deadline limit 1")
            .use();
    return use.next() ? std::optional(wall_instant(use.integer(0))) : std::nullopt;
}

}  // namespace pawl::store
