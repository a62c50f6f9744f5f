// Queues, keys, requests, blobs, tags, retention.
#include "store/postgres/postgres_tables.hpp"

namespace pawl::store {

using namespace core;

namespace {

// What one sweep clears away at most: a fraction of a second's work.
constexpr std::int64_t swept_entries = 4'096;
constexpr std::int64_t swept_requests = 1'000;

constexpr PgStatement pending_of_queue{
    "pending_of_queue",
    "select (select count(*) from task where line = 1 and line_group = any(g.ids)) + "
    "(select count(*) from task where line = 2 and line_group = any(g.ids)) + "
    "(select count(*) from task where state = 0 and line is null and line_group = any(g.ids)) from (select "
    "array(select id from line_group where namespace = $1 and queue = $2) as ids) g"};
constexpr PgStatement key_of{
    "key_of", "select task, fingerprint, expires from key where namespace = $1 and type = $2 and k = $3"};
constexpr PgStatement request_of{
    "request_of", "select verb, state, reason, changed, expires, arguments from request where task = $1 and id = $2"};
constexpr PgStatement blob_of{"blob_of", "select body from blob where namespace = $1 and hash = $2"};

constexpr PgStatement purgeable_rows{
    "purgeable_rows",
    "select id from task as t where state >= 4 and updated <= $1 and (k is null or updated <= $2) "
    "and not exists (select 1 from task as p where p.id = t.parent and p.state < 4) "
    "and not exists (select 1 from task as c where c.parent = t.id and c.state < 4) "
    "order by updated, id limit $3 for no key update skip locked"};
constexpr PgStatement leave_over{"leave_over",
                                 "insert into leftover(task, namespace) values($1, $2) on conflict do nothing"};
constexpr PgStatement delete_task{"delete_task", "delete from task where id = $1"};
constexpr PgStatement delete_tags{"delete_tags", "delete from tag where task = $1"};
constexpr PgStatement delete_requests{"delete_requests", "delete from request where task = $1"};
constexpr PgStatement delete_key{"delete_key",
                                 "delete from key where namespace = $1 and type = $2 and k = $3 and task = $4"};
constexpr PgStatement release_blob{"release_blob",
                                   "update blob set refs = refs - 1 where namespace = $1 and hash = $2"};
constexpr PgStatement delete_blob{"delete_blob", "delete from blob where namespace = $1 and hash = $2 and refs <= 0"};
constexpr PgStatement delete_old_requests{
    "delete_old_requests",
    "delete from request where (task, id) in (select task, id from request where expires <= $1 limit $2 "
    "for update skip locked)"};
constexpr PgStatement next_leftover{"next_leftover", "select task from leftover limit 1 for update skip locked"};
constexpr PgStatement delete_entries{
    "delete_entries",
    "delete from journal where task = $1 and no in (select no from journal where task = $1 order by no limit $2)"};
constexpr PgStatement delete_leftover{"delete_leftover", "delete from leftover where task = $1"};

}  // namespace

// ---- queues ------------------------------------------------------------------------------------------------------

void PostgresTables::put_queue(const QueueKey& key, const QueueSettings& settings) {
    writes_.put_queue(key, settings);
    settings_[key] = settings;
    has_news_ = true;
    drain();  // a second setting of the batch would meet the first one in one statement
}

std::int64_t PostgresTables::count_pending(const QueueKey& key) {
    std::int64_t count = 0;
    query(pending_of_queue, PgParameters().text(key.space).text(key.name),
          [&](const PgRows& rows) { count = rows.empty() ? 0 : rows.integer(0, 0); });
    return count;
}

// ---- keys --------------------------------------------------------------------------------------------------------

std::optional<KeyRow> PostgresTables::key(const KeyName& name) {
    if (const auto known = keys_.find(name); known != keys_.end()) return known->second;
    std::optional<KeyRow> found;
    query(key_of, PgParameters().text(name.space).text(name.type).text(name.key), [&](const PgRows& rows) {
        if (rows.empty()) return;
        found = KeyRow{rows.integer(0, 0), read_hash(rows, 0, 1), std::nullopt};
        if (!rows.is_null(0, 2)) found->expires = instant(rows.integer(0, 2));
    });
    return keys_[name] = found;
}

void PostgresTables::put_key(const KeyName& name, const KeyRow& row) {
    if (!written_keys_.insert(name).second) {
        drain();
        written_keys_.insert(name);
    }
    writes_.put_key(name, row);
    keys_[name] = row;
}

void PostgresTables::set_key_expiry(const KeyName& name, TaskRef task, std::optional<Instant> expires) {
    if (!written_expiries_.insert(name).second) {
        drain();
        written_expiries_.insert(name);
    }
    writes_.set_key_expiry(name, task, expires);
    const auto known = keys_.find(name);
    if (known != keys_.end() && known->second && known->second->task == task) known->second->expires = expires;
}

// ---- requests ----------------------------------------------------------------------------------------------------

std::optional<RequestRow> PostgresTables::request(TaskRef task, const std::string& id) {
    std::optional<RequestRow> found;
    query(request_of, PgParameters().int8(task).text(id), [&](const PgRows& rows) {
        if (rows.empty()) return;
        found = RequestRow{static_cast<Operate::Verb>(rows.integer(0, 0)),
                           read_hash(rows, 0, 5),
                           {task, static_cast<TaskState>(rows.integer(0, 1)), static_cast<Reason>(rows.integer(0, 2)),
                            rows.boolean(0, 3)},
                           instant(rows.integer(0, 4))};
    });
    return found;
}

void PostgresTables::put_request(TaskRef task, const std::string& id, const RequestRow& row) {
    writes_.put_request(task, id, row);
}

// ---- blobs, tags -------------------------------------------------------------------------------------------------

void PostgresTables::add_blob(const std::string& space, const Hash& hash, std::string_view body) {
    writes_.add_blob(space, hash, body);
}

std::optional<std::string> PostgresTables::blob(const std::string& space, const Hash& hash) {
    std::optional<std::string> body;
    query(blob_of, PgParameters().text(space).bytes(hash), [&](const PgRows& rows) {
        if (rows.empty()) return;
        bool is_readable = true;
        std::string text = read_payload(rows, 0, 0, &is_readable);
        if (is_readable) body = std::move(text);
    });
    return body;
}

void PostgresTables::add_tags(TaskRef task, const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) writes_.add_tag(task, tag);
}

// ---- retention ---------------------------------------------------------------------------------------------------

std::vector<TaskRef> PostgresTables::purgeable(const PurgeBounds& bounds) {
    std::vector<TaskRef> found;
    query(purgeable_rows,
          PgParameters()
              .int8(core::count(bounds.final_before))
              .int8(core::count(bounds.keyed_final_before))
              .int8(bounds.tasks_max),
          [&](const PgRows& rows) {
              for (int r = 0; r < rows.size(); ++r) found.push_back(rows.integer(r, 0));
          });
    load(found, false);
    return found;
}

void PostgresTables::erase(const TaskRow& row) {
    if (failure_) return;
    PgPipeline pipeline(connection_);
    writes_.send(pipeline);
    written_.clear();
    // The journal may be long: it is cleared away in pieces by later sweeps.
    pipeline.add(leave_over, PgParameters().int8(row.ref).text(row.lane.space));
    const PgParameters task = PgParameters().int8(row.ref);
    pipeline.add(delete_task, task);
    pipeline.add(delete_tags, task);
    pipeline.add(delete_requests, task);
    if (!row.key.empty()) {
        pipeline.add(delete_key, PgParameters().text(row.lane.space).text(row.lane.type).text(row.key).int8(row.ref));
        keys_.erase({row.lane.space, row.lane.type, row.key});
    }
    if (row.definition) {
        const PgParameters blob = PgParameters().text(row.lane.space).bytes(*row.definition);
        pipeline.add(release_blob, blob);
        pipeline.add(delete_blob, blob);
    }
    rows_.erase(row.ref);
    ids_.erase(row.id.bytes);
    run(pipeline);
}

bool PostgresTables::sweep(Instant now) {
    std::int64_t left = swept_entries;
    while (left > 0 && !failure_) {
        TaskRef task = 0;
        query(next_leftover, {}, [&](const PgRows& rows) { task = rows.empty() ? 0 : rows.integer(0, 0); });
        if (task == 0) break;
        std::int64_t deleted = 0;
        query(delete_entries, PgParameters().int8(task).int8(left),
              [&](const PgRows& rows) { deleted = rows.affected(); });
        if (deleted < left) query(delete_leftover, PgParameters().int8(task), nullptr);
        left -= deleted;
    }
    std::int64_t requests = 0;
    query(delete_old_requests, PgParameters().int8(core::count(now)).int8(swept_requests),
          [&](const PgRows& rows) { requests = rows.affected(); });
    return left <= 0 || requests >= swept_requests;
}

}  // namespace pawl::store
