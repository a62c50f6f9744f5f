// Tasks, journal and the orders in which they are looked for.
#include "store/postgres/postgres_tables.hpp"

#include "core/assert.hpp"
#include "store/postgres/task_columns.hpp"

#include <chrono>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

// Of one round trip. The server gives up on a statement sooner, and says so.
constexpr Micros answer_max = 60s;

constexpr PgStatement task_lock{"task_lock", "select 1 from task where id = any($1) order by id for no key update"};
constexpr PgStatement task_rows{"task_rows", "select " PAWL_PG_TASK_COLUMNS " from task t where t.id = any($1)"};
constexpr PgStatement task_rows_with_input{"task_rows_with_input",
                                           "select " PAWL_PG_TASK_COLUMNS ", " PAWL_PG_INPUT_COLUMN
                                           " from task t where t.id = any($1)"};
constexpr PgStatement task_by_id{"task_by_id", "select id from task where public_id = $1"};
constexpr PgStatement entries_of{"entries_of",
                                 "select " PAWL_PG_JOURNAL_COLUMNS
                                 " from journal j where j.task = $1 and j.no > $2 order by j.no limit $3"};
constexpr PgStatement heads_of{"heads_of",
                               "select no, kind, path, number from journal where task = $1 and no > $2 order by no"};
constexpr PgStatement group_by_key{
    "group_by_key", "select id from line_group where namespace = $1 and queue = $2 and type = $3 and version = $4"};
constexpr PgStatement group_new{
    "group_new",
    "insert into line_group(namespace, queue, type, version) values($1, $2, $3, $4) on conflict do nothing"};
constexpr PgStatement group_key_of{"group_key_of",
                                   "select namespace, queue, type, version from line_group where id = $1"};

// Rows that another process is waking now are its own.
constexpr PgStatement due_rows{"due_rows",
                               "select id from task where due is not null and state <> 3 and due <= $1 and "
                               "format_min <= $3 order by due, id limit $2 for no key update skip locked"};
constexpr PgStatement expired_rows{"expired_rows",
                                   "select id from task where expires is not null and expires <= $1 and "
                                   "format_min <= $3 order by expires, id limit $2 for no key update skip locked"};
constexpr PgStatement overdue_rows{
    "overdue_rows",
    "select id from task where deadline is not null and ending = 0 and state < 4 and "
    "deadline <= $1 and format_min <= $3 order by deadline, id limit $2 for no key update skip locked"};
constexpr PgStatement first_due{"first_due",
                                "select due from task where due is not null and state <> 3 and format_min <= $2 and "
                                "not id = any($1) order by due limit 1"};
constexpr PgStatement first_expiry{"first_expiry",
                                   "select expires from task where expires is not null and format_min <= $2 and not id "
                                   "= any($1) order by expires limit 1"};
constexpr PgStatement first_deadline{"first_deadline",
                                     "select deadline from task where deadline is not null and ending = 0 and "
                                     "state < 4 and format_min <= $2 and not id = any($1) order by deadline limit 1"};

// One for each commit, and only where somebody may want to know.
constexpr PgStatement notify{"notify", "select pg_notify($1, $2)"};

PgArray array_of(const std::vector<TaskRef>& refs) {
    PgArray array(PgType::int8);
    for (const TaskRef ref : refs) array.add_int8(ref);
    return array;
}

}  // namespace

// ---- transactions ------------------------------------------------------------------------------------------------

void PostgresTables::fail_corrupt(const std::string& what) {
    if (!failure_) {
        failure_ = Error{Errc::store_corrupt,
                         connection_.url().shown + ": " + what + "; restore a backup (`pawl doctor` says more)"};
    }
}

void PostgresTables::fail(const PgError& error, std::string_view doing) {
    if (failure_) return;
    fault_ = error;
    failure_ = to_error(error, doing);
}

bool PostgresTables::run(PgPipeline& pipeline) {
    if (failure_) return false;
    if (auto done = pipeline.run(answer_max); !done) fail(done.error(), connection_.url().shown);
    return !failure_;
}

void PostgresTables::query(const PgStatement& statement, const PgParameters& parameters, const Rows& rows) {
    if (failure_) return;
    PgPipeline pipeline(connection_);
    writes_.send(pipeline);
    pipeline.add(statement, parameters, rows);
    written_.clear();
    run(pipeline);
}

void PostgresTables::drain() {
    if (failure_ || writes_.empty()) return;
    PgPipeline pipeline(connection_);
    writes_.send(pipeline);
    written_.clear();
    written_keys_.clear();
    written_expiries_.clear();
    run(pipeline);
}

void PostgresTables::commit() {
    if (failure_) return;
    PgPipeline pipeline(connection_);
    writes_.send(pipeline);
    if (has_news_ || !told_.empty()) {
        const std::string payload = news();
        pipeline.add(notify, PgParameters().text(connection_.url().schema).text(payload));
    }
    pipeline.commit();
    if (!run(pipeline)) return;
    end_transaction();
    has_forgotten_ = false;
}

// Short, whatever happened: who is told of too much only looks in vain.
std::string PostgresTables::news() const {
    constexpr std::size_t told_max = 64;
    std::string text = std::to_string(membership_.worker) + ":";
    if (told_.size() > told_max) return text + "*";
    for (const std::int32_t worker : told_) text += (text.back() == ':' ? "" : ",") + std::to_string(worker);
    return text;
}

void PostgresTables::end_transaction() {
    in_transaction_ = false;
    told_.clear();
    foreseen_.reset();
    has_made_ready_ = false;
    rows_.clear();
    written_.clear();
    behind_.clear();
    ids_.clear();
    keys_.clear();
    busy_.clear();
    written_keys_.clear();
    written_expiries_.clear();
}

void PostgresTables::roll_back() {
    if (connection_.is_open()) (void)connection_.rollback(answer_max);
    end_transaction();
    failure_.reset();
    fault_.reset();
    is_disowned_ = false;
    has_forgotten_ = true;
    writes_.clear();
    new_refs_.clear();
    // Groups may have been made in it.
    group_ids_.clear();
    groups_.clear();
    groups_at_ = times_at_ = Micros{-1};
    heads_.clear();
    // What it has not taken in after all may stand before where the next search would begin.
    inbox_ = {};
}

// ---- groups of lanes ---------------------------------------------------------------------------------------------

int PostgresTables::group_of(const LaneKey& key) {
    LaneKey name = key;
    name.key.clear();
    if (const auto found = group_ids_.find(name); found != group_ids_.end()) return found->second;
    if (failure_) return 0;
    const PgParameters parameters = PgParameters().text(name.space).text(name.queue).text(name.type).int4(name.version);
    int id = 0;
    PgPipeline pipeline(connection_);
    pipeline.add(group_new, parameters);
    // A statement of its own: it sees what another transaction committed while the first one waited for it.
    pipeline.add(group_by_key, parameters, [&](const PgRows& rows) {
        if (!rows.empty()) id = static_cast<int>(rows.integer(0, 0));
    });
    if (run(pipeline) && id == 0) fail_corrupt("a group of lanes was removed while it was made");
    if (id != 0) {
        group_ids_[name] = id;
        groups_[id] = name;
    }
    return id;
}

const LaneKey* PostgresTables::group_key(int group) {
    if (const auto found = groups_.find(group); found != groups_.end()) return &found->second;
    std::optional<LaneKey> key;
    query(group_key_of, PgParameters().int4(group), [&](const PgRows& rows) {
        if (!rows.empty())
            key = LaneKey{rows.text(0, 0), rows.text(0, 1), rows.text(0, 2), static_cast<int>(rows.integer(0, 3)), {}};
    });
    if (!key) {
        fail_corrupt("the group of lanes of a task is missing");
        return nullptr;
    }
    group_ids_[*key] = group;
    return &(groups_[group] = std::move(*key));
}

// ---- tasks -------------------------------------------------------------------------------------------------------

void PostgresTables::take_rows(const PgRows& rows, bool with_input) {
    for (int r = 0; r < rows.size(); ++r) {
        PgTask task = read_task(rows, r);
        if (with_input) task.stored.row.input = read_payload(rows, r, pg_task_columns, &task.stored.is_readable);
        task.stored.lane = task.line_group;  // until the keys are known
        ids_[task.stored.row.id.bytes] = task.stored.row.ref;
        if (task.transaction > transaction_) behind_[task.stored.row.ref] = task.transaction;
        rows_[task.stored.row.ref] = {std::move(task.stored), with_input};
    }
}

void PostgresTables::load(const std::vector<TaskRef>& refs, bool with_input) {
    if (refs.empty() || failure_) return;
    PgPipeline pipeline(connection_);
    writes_.send(pipeline);
    written_.clear();
    const PgArray array = array_of(refs);
    const PgParameters parameters = PgParameters().array(array);
    pipeline.add(task_lock, parameters);
    // Only now: while it waited for the lock, another transaction may have gone on with the row's journal.
    pipeline.add(with_input ? task_rows_with_input : task_rows, parameters,
                 [&](const PgRows& rows) { take_rows(rows, with_input); });
    run(pipeline);
}

std::optional<StoredRow> PostgresTables::task(TaskRef ref, bool with_input) {
    auto found = rows_.find(ref);
    if (found == rows_.end() || (with_input && !found->second.has_input)) {
        load({ref}, with_input);
        found = rows_.find(ref);
        if (found == rows_.end()) return std::nullopt;
    }
    if (failure_) return std::nullopt;
    StoredRow stored = found->second.stored;
    const LaneKey* group = group_key(static_cast<int>(stored.lane));
    if (!group) return std::nullopt;
    const std::string flow_key = stored.row.lane.key;
    stored.row.lane = *group;
    stored.row.lane.key = flow_key;
    if (!with_input) stored.row.input.clear();
    return stored;
}

TaskRef PostgresTables::find(const TaskId& id) {
    if (const auto known = ids_.find(id.bytes); known != ids_.end()) return known->second;
    TaskRef ref = 0;
    query(task_by_id, PgParameters().bytes(id.bytes), [&](const PgRows& rows) {
        if (!rows.empty()) ref = rows.integer(0, 0);
    });
    if (ref != 0) ids_[id.bytes] = ref;
    return ref;
}

void PostgresTables::insert(const TaskRow& row, LaneId) {
    const int group = group_of(row.lane);
    if (failure_) return;
    writes_.insert(row, group);
    ids_[row.id.bytes] = row.ref;
    if (line_of(row) == Line::ready) {
        has_news_ = has_made_ready_ = true;
        lower_head(group, row);
    }
}

void PostgresTables::update(const TaskRow& row, LaneId) {
    const int group = group_of(row.lane);
    if (!written_.insert(row.ref).second) {  // one statement changes a row once
        drain();
        written_.insert(row.ref);
    }
    if (failure_) return;
    writes_.update(row, group, behind(row.ref));
    rows_.erase(row.ref);  // what was read of it is no longer so
    if (row.fence.claim != 0 && row.fence.claim != membership_.worker) told_.insert(row.fence.claim);
    if (line_of(row) == Line::ready || is_final(row.state) || row.state == TaskState::paused) has_news_ = true;
    if (line_of(row) == Line::ready) {
        has_made_ready_ = true;
        lower_head(group, row);
    }
    if (line_of(row) == Line::suspect) has_suspects_ = true;
}

// ---- journal -----------------------------------------------------------------------------------------------------

void PostgresTables::append(std::int64_t, const TaskRow& row, Instant at, const transition::NewEntry& entry) {
    writes_.append(row, at, entry, behind(row.ref));
    newest_ = {transaction_, writes_.seq()};
}

// It waited for the row, or found it after others had gone on with it: they began later, and were done sooner.
std::optional<std::int64_t> PostgresTables::behind(TaskRef ref) const {
    const auto found = behind_.find(ref);
    return found == behind_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Entry> PostgresTables::entries(TaskRef task, const Span& span) {
    std::vector<Entry> found;
    query(entries_of, PgParameters().int8(task).int4(span.after_no).int8(span.entries_max), [&](const PgRows& rows) {
        std::size_t bytes = 0;
        for (int r = 0; r < rows.size(); ++r) {
            Entry entry = read_entry(rows, r);
            bytes += entry.result.size() + entry.error.size();
            if (!found.empty() && bytes > span.bytes_max) break;
            found.push_back(std::move(entry));
        }
    });
    return found;
}

void PostgresTables::scan(TaskRef task, int after_no, const std::function<void(const EntryHead&)>& see) {
    query(heads_of, PgParameters().int8(task).int4(after_no), [&](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r) {
            see({static_cast<int>(rows.integer(r, 0)), static_cast<EntryKind>(rows.integer(r, 1)), rows.text(r, 2),
                 rows.integer(r, 3)});
        }
    });
}

// ---- orders ------------------------------------------------------------------------------------------------------

std::vector<TaskRef> PostgresTables::timed(const PgStatement& statement, std::int64_t until, int rows_max) {
    std::vector<TaskRef> found;
    query(statement, PgParameters().int8(until).int8(rows_max).int4(journal_format_max), [&](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r)
            if (!aside_.contains(rows.integer(r, 0))) found.push_back(rows.integer(r, 0));
    });
    load(found, false);
    return found;
}

std::vector<TaskRef> PostgresTables::due(Instant now, int rows_max) {
    return timed(due_rows, core::count(now), rows_max);
}
std::vector<TaskRef> PostgresTables::expired(Instant now, int rows_max) {
    return timed(expired_rows, core::count(now), rows_max);
}
std::vector<TaskRef> PostgresTables::overdue(WallInstant wall, int rows_max) {
    return timed(overdue_rows, core::count(wall), rows_max);
}

std::optional<std::int64_t> PostgresTables::first(const PgStatement& statement) {
    std::optional<std::int64_t> found;
    const PgArray aside = array_of({aside_.begin(), aside_.end()});
    query(statement, PgParameters().array(aside).int4(journal_format_max), [&](const PgRows& rows) {
        if (!rows.empty()) found = rows.integer(0, 0);
    });
    return found;
}

std::optional<Instant> PostgresTables::next_due() {
    const auto at = first(first_due);
    return at ? std::optional(instant(*at)) : std::nullopt;
}
std::optional<Instant> PostgresTables::next_expiry() {
    const auto at = first(first_expiry);
    return at ? std::optional(instant(*at)) : std::nullopt;
}
std::optional<WallInstant> PostgresTables::next_deadline() {
    const auto at = first(first_deadline);
    return at ? std::optional(wall_instant(*at)) : std::nullopt;
}

}  // namespace pawl::store
