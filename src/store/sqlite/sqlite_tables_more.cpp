// Lanes, queues, keys, requests, blobs, tags, retention.
#include "core/assert.hpp"
#include "store/sqlite/row_codec.hpp"
#include "store/sqlite/sqlite_tables.hpp"

namespace pawl::store {

using namespace core;

namespace {

// What one sweep clears away at most: a fraction of a second's work.
constexpr std::int64_t swept_entries = 4'096;
constexpr std::int64_t swept_requests = 1'000;

}  // namespace

// ---- lanes and queues --------------------------------------------------------------------------------------------

std::vector<std::pair<LaneId, LaneKey>> SqliteTables::lanes() {
    std::vector<std::pair<LaneId, LaneKey>> found;
    auto use = statement("select id, namespace, queue, type, version, key from lane order by id").use();
    while (use.next()) {
        found.emplace_back(use.integer(0), LaneKey{use.text(1), use.text(2), use.text(3), use.small(4), use.text(5)});
    }
    return found;
}

void SqliteTables::add_lane(LaneId id, const LaneKey& key) {
    statement("insert into lane(id, namespace, queue, type, version, key) values(?1, ?2, ?3, ?4, ?5, ?6)")
        .use()
        .bind(id)
        .bind(std::string_view(key.space))
        .bind(std::string_view(key.queue))
        .bind(std::string_view(key.type))
        .bind(static_cast<std::int64_t>(key.version))
        .bind(std::string_view(key.key))
        .run();
}

std::vector<std::pair<QueueKey, QueueSettings>> SqliteTables::queues() {
    std::vector<std::pair<QueueKey, QueueSettings>> found;
    auto use = statement("select namespace, name, concurrency, depth_max, paused from queue").use();
    while (use.next()) {
        found.emplace_back(QueueKey{use.text(0), use.text(1)},
                           QueueSettings{use.small(2), use.small(3), use.small(4) != 0});
    }
    return found;
}

void SqliteTables::put_queue(const QueueKey& key, const QueueSettings& settings) {
    statement(
        "insert or replace into queue(namespace, name, concurrency, depth_max, paused) "
        "values(?1, ?2, ?3, ?4, ?5)")
        .use()
        .bind(std::string_view(key.space))
        .bind(std::string_view(key.name))
        .bind(static_cast<std::int64_t>(settings.concurrency))
        .bind(static_cast<std::int64_t>(settings.depth_max))
        .bind(std::int64_t{settings.paused})
        .run();
}

std::int64_t SqliteTables::count_pending(const QueueKey& key) {
    auto use = statement(
                   "select count(*) from task where state = 0 and "
                   "lane in (select id from lane where namespace = ?1 and queue = ?2)")
                   .use();
    use.bind(std::string_view(key.space)).bind(std::string_view(key.name));
    return use.next() ? use.integer(0) : 0;
}

// ---- keys --------------------------------------------------------------------------------------------------------

std::optional<KeyRow> SqliteTables::key(const KeyName& name) {
    auto use =
        statement("select task, fingerprint, expires from key where namespace = ?1 and type = ?2 and k = ?3").use();
    use.bind(std::string_view(name.space)).bind(std::string_view(name.type)).bind(std::string_view(name.key));
    if (!use.next()) return std::nullopt;
    return KeyRow{use.integer(0), read_hash(use, 1), use.optional<Instant>(2, instant)};
}

void SqliteTables::put_key(const KeyName& name, const KeyRow& row) {
    auto use = statement(
                   "insert or replace into key(namespace, type, k, task, fingerprint, expires) "
                   "values(?1, ?2, ?3, ?4, ?5, ?6)")
                   .use();
    use.bind(std::string_view(name.space))
        .bind(std::string_view(name.type))
        .bind(std::string_view(name.key))
        .bind(row.task)
        .bind(Bytes(row.fingerprint))
        .bind_optional(row.expires)
        .run();
}

void SqliteTables::set_key_expiry(const KeyName& name, TaskRef task, std::optional<Instant> expires) {
    auto use =
        statement("update key set expires = ?1 where namespace = ?2 and type = ?3 and k = ?4 and task = ?5").use();
    use.bind_optional(expires)
        .bind(std::string_view(name.space))
        .bind(std::string_view(name.type))
        .bind(std::string_view(name.key))
        .bind(task)
        .run();
}

// ---- requests ----------------------------------------------------------------------------------------------------

std::optional<RequestRow> SqliteTables::request(TaskRef task, const std::string& id) {
    auto use =
        statement("select verb, state, reason, changed, expires, arguments from request where task = ?1 and id = ?2")
            .use();
    if (!use.bind(task).bind(std::string_view(id)).next()) return std::nullopt;
    return RequestRow{
        static_cast<Operate::Verb>(use.small(0)),
        read_hash(use, 5),
        {task, static_cast<TaskState>(use.small(1)), static_cast<Reason>(use.small(2)), use.small(3) != 0},
        instant(use.integer(4))};
}

void SqliteTables::put_request(TaskRef task, const std::string& id, const RequestRow& row) {
    statement(
        "insert or replace into request(task, id, verb, arguments, state, reason, changed, expires) "
        "values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .use()
        .bind(task)
        .bind(std::string_view(id))
        .bind(static_cast<std::int64_t>(row.verb))
        .bind(Bytes(row.arguments))
        .bind(static_cast<std::int64_t>(row.answer.state))
        .bind(static_cast<std::int64_t>(row.answer.reason))
        .bind(std::int64_t{row.answer.changed})
        .bind(core::count(row.expires))
        .run();
}

// ---- blobs, tags -------------------------------------------------------------------------------------------------

void SqliteTables::add_blob(const std::string& space, const Hash& hash, std::string_view body) {
    statement(
        "insert into blob(namespace, hash, refs, body) values(?1, ?2, 1, ?3) "
        "on conflict(namespace, hash) do update set refs = refs + 1")
        .use()
        .bind(std::string_view(space))
        .bind(Bytes(hash))
        .bind(Payload{body})
        .run();
}

std::optional<std::string> SqliteTables::blob(const std::string& space, const Hash& hash) {
    auto use = statement("select body from blob where namespace = ?1 and hash = ?2").use();
    if (!use.bind(std::string_view(space)).bind(Bytes(hash)).next()) return std::nullopt;
    bool is_readable = true;
    std::string body = use.payload(0, &is_readable);
    return is_readable ? std::optional(std::move(body)) : std::nullopt;
}

void SqliteTables::release_blob(const std::string& space, const Hash& hash) {
    statement("update blob set refs = refs - 1 where namespace = ?1 and hash = ?2")
        .use()
        .bind(std::string_view(space))
        .bind(Bytes(hash))
        .run();
    statement("delete from blob where namespace = ?1 and hash = ?2 and refs = 0")
        .use()
        .bind(std::string_view(space))
        .bind(Bytes(hash))
        .run();
}

void SqliteTables::add_tags(TaskRef task, const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) {
        statement("insert or ignore into tag(tag, task) values(?1, ?2)")
            .use()
            .bind(std::string_view(tag))
            .bind(task)
            .run();
    }
}

// ---- retention ---------------------------------------------------------------------------------------------------

std::vector<TaskRef> SqliteTables::purgeable(const PurgeBounds& bounds) {
    std::vector<TaskRef> found;
    auto use = statement(
                   "select id from task as t where state >= 4 and line is not 4 and updated <= ?1 and (k is null or "
                   "updated <= ?2) "
                   "and not exists (select 1 from task as p where p.id = t.parent and p.state < 4) "
                   "and not exists (select 1 from task as c where c.parent = t.id and c.state < 4) "
                   "order by updated, id limit ?3")
                   .use();
    use.bind(core::count(bounds.final_before))
        .bind(core::count(bounds.keyed_final_before))
        .bind(static_cast<std::int64_t>(bounds.tasks_max));
    while (use.next()) found.push_back(use.integer(0));
    return found;
}

void SqliteTables::erase(const TaskRow& row) {
    // The journal may be long: it is cleared away in pieces by later sweeps.
    statement("insert into leftover(task, namespace) values(?1, ?2)")
        .use()
        .bind(row.ref)
        .bind(std::string_view(row.lane.space))
        .run();
    statement("delete from task where id = ?1").use().bind(row.ref).run();
    statement("delete from tag where task = ?1").use().bind(row.ref).run();
    statement("delete from request where task = ?1").use().bind(row.ref).run();
    if (!row.key.empty()) {
        statement("delete from key where namespace = ?1 and type = ?2 and k = ?3 and task = ?4")
            .use()
            .bind(std::string_view(row.lane.space))
            .bind(std::string_view(row.lane.type))
            .bind(std::string_view(row.key))
            .bind(row.ref)
            .run();
    }
    if (row.definition) release_blob(row.lane.space, *row.definition);
    has_erased_ = true;
}

bool SqliteTables::sweep(Instant now) {
    sweep_leftovers();
    statement("delete from request where (task, id) in (select task, id from request where expires <= ?1 limit ?2)")
        .use()
        .bind(core::count(now))
        .bind(swept_requests)
        .run();
    if (sqlite3_changes64(connection_.handle()) >= swept_requests) return true;
    return statement("select 1 from leftover limit 1").use().next();
}

void SqliteTables::sweep_leftovers() {
    std::int64_t left = swept_entries;
    while (left > 0 && !failure()) {
        TaskRef task = 0;
        {
            auto use = statement("select task from leftover limit 1").use();
            if (!use.next()) return;
            task = use.integer(0);
        }
        statement("delete from journal where seq in (select seq from journal where task = ?1 order by no limit ?2)")
            .use()
            .bind(task)
            .bind(left)
            .run();
        const std::int64_t deleted = sqlite3_changes64(connection_.handle());
        has_erased_ = true;
        if (deleted < left) statement("delete from leftover where task = ?1").use().bind(task).run();
        left -= deleted;
    }
}

}  // namespace pawl::store
