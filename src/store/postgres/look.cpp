// The look at the tables before each batch: one round trip that locks and reads what its commands will touch.
#include "store/postgres/postgres_tables.hpp"

#include "core/assert.hpp"
#include "store/postgres/task_columns.hpp"
#include "store/postgres/worker_lease.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

// How often a process asks what others have made due, and which groups of lanes they have made.
constexpr Micros times_every = 1s;
constexpr Micros groups_every = 250ms;
// While a search of a group from the start is slow, this often is enough for what became ready before the known head:
// at most a twentieth of the time, and not so seldom that people wait for it.
constexpr Micros whole_claim_least = 500ms;
constexpr Micros whole_claim_most = 5s;
constexpr int whole_claim_share = 20;
constexpr Micros whole_claim_slow = 20ms;
constexpr std::int64_t transactions_behind_few = 300;
constexpr Micros head_margin = 1s;

#define PAWL_PG_TIME                                                                               \
    "pawl_now(), pg_current_xact_id()::text::bigint, exists (select 1 from task where line = 2), " \
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

// Held by all that write entries, from before they have a number: by it the feed tells them from transactions of others
// (feed_end). Nobody is ever kept from it.
constexpr PgStatement as_writer{
    "as_writer", "select pg_advisory_xact_lock_shared(hashtextextended(current_schema(), " PAWL_PG_WRITER_LOCK "))"};

// The row is gone, or has another number: then this process was declared dead, or a batch of it is unaccounted for.
constexpr PgStatement begin_as_worker{
    "begin_as_worker", "update writer set batch = batch + 1 where worker = $1 and batch = $2 returning " PAWL_PG_TIME};
constexpr PgStatement begin_as_client{"begin_as_client", "select " PAWL_PG_TIME};

// Nobody waits for a key: whoever has it may be in a transaction of a user, and that may be long.
constexpr PgStatement key_locks{
    "key_locks",
    "select namespace, type, k, pg_try_advisory_xact_lock(h) from (select d.*, "
    "hashtextextended(current_schema() || chr(31) || namespace || chr(31) || type || chr(31) || k, 7261) as h "
    "from unnest($1::text[], $2::text[], $3::text[]) as d(namespace, type, k) order by h) as ordered"};
constexpr PgStatement key_rows{
    "key_rows",
    "select d.namespace, d.type, d.k, key.task, key.fingerprint, key.expires from unnest($1::text[], $2::text[], "
    "$3::text[]) as d(namespace, type, k) left join key using (namespace, type, k)"};
constexpr PgStatement id_rows{"id_rows", "select " PAWL_PG_TASK_COLUMNS " from task t where t.public_id = any($1)"};
constexpr PgStatement ids_taken{"ids_taken", "select id, public_id from task where public_id = any($1)"};
// All rows that are known to be touched, in one statement and in the order of their ids: two batches that want the
// same ones wait for each other, but never both.
constexpr PgStatement lock_rows{
    "lock_rows",
    "select id, revision from task where id = any(array(select unnest($1::bigint[]) union select id from task where "
    "public_id = any($2::bytea[]))) order by id for no key update"};
constexpr PgStatement new_ids{"new_ids", "select nextval('task_id') from generate_series(1, $1)"};

// Declared dead is who has left no sign for the length of its lease, or whose session is over; looked at again here,
// since it may be back.
constexpr PgStatement dead_workers{
    "dead_workers",
    "update worker set ended = pawl_now() where id in (select w.id from worker w join writer on writer.worker = w.id "
    "where w.id = any($1) and w.ended is null and (w.lease_until < pawl_now() or (w.session is not null and not exists "
    "(select 1 "
    "from pg_locks where " PAWL_PG_SESSION_LOCK
    "))) "
    "for update skip locked) returning id, seen"};
constexpr PgStatement forget_writers{
    "forget_writers",
    "delete from writer where worker in (select worker from writer join worker on worker.id = writer.worker "
    "where writer.worker = any($1) and worker.ended is not null for update of writer skip locked)"};
constexpr PgStatement rows_of_dead{
    "rows_of_dead",
    "select id, (fence & 4294967295)::bigint from task where line = 3 and (fence & 4294967295) = any($1) "
    "order by id for no key update"};

constexpr PgStatement all_queues{"all_queues", "select namespace, name, concurrency, depth_max, paused from queue"};
constexpr PgStatement all_groups{"all_groups", "select id, namespace, queue, type, version from line_group"};
constexpr PgStatement queue_lock{
    "queue_lock",
    "select pg_try_advisory_xact_lock(hashtextextended(current_schema() || chr(31) || $1 || chr(31) || $2, 7262))"};
// Of all its groups, also those that another process has made just now.
constexpr PgStatement queue_running{"queue_running",
                                    "select count(*) from task where line = 3 and line_group = any(array("
                                    "select id from line_group where namespace = $1 and queue = $2))"};
// Settings are read, changed and written: one process at a time.
constexpr PgStatement settings_lock{"settings_lock",
                                    "select pg_advisory_xact_lock(hashtextextended(current_schema(), 7263))"};

#define PAWL_PG_CLAIMABLE "t.format_min <= $2 and not t.id = any($3)"
#define PAWL_PG_GROUPS "unnest($1::int[], $5::bigint[], $6::bigint[]) as g(id, from_key, from_id)"
#define PAWL_PG_IN_GROUP "t.line = 1 and t.line_group = g.id and (t.sort_key, t.id) >= (g.from_key, g.from_id)"
// All that the groups' heads have, locked where they stand: as cheap as it gets while at most one of them has any.
constexpr PgStatement claim_each{
    "claim_each", "select " PAWL_PG_TASK_COLUMNS ", " PAWL_PG_INPUT_COLUMN " from " PAWL_PG_GROUPS
                  " cross join lateral (select * from task t where " PAWL_PG_IN_GROUP " and " PAWL_PG_CLAIMABLE
                  " order by t.sort_key, t.id limit $4 for no key update skip locked) as t order by t.sort_key, t.id"};
// The best of several groups, and no more than those are locked. Twice as many are looked at as are taken, since
// others look at the same ones. `line + 0`: they are found by their ids, not by the index of what is ready.
constexpr PgStatement claim_best{
    "claim_best",
    "select " PAWL_PG_TASK_COLUMNS ", " PAWL_PG_INPUT_COLUMN
    " from task t where t.id = any(array(select h.id from " PAWL_PG_GROUPS
    " cross join lateral (select t.id, t.sort_key from task t where " PAWL_PG_IN_GROUP " and " PAWL_PG_CLAIMABLE
    " order by t.sort_key, t.id limit 2 * $4 + 16) as h order by h.sort_key, h.id limit 2 * $4 + 16)) "
    "and t.line + 0 = 1 order by t.sort_key, t.id limit $4 for no key update skip locked"};
constexpr PgStatement claim_suspect{"claim_suspect",
                                    "select " PAWL_PG_TASK_COLUMNS ", " PAWL_PG_INPUT_COLUMN
                                    " from task t where t.line = 2 and t.line_group = any($1) and " PAWL_PG_CLAIMABLE
                                    " order by t.sort_key, t.id limit $4 for no key update skip locked"};

// The parameters of all three.
struct ClaimArrays {
    ClaimArrays(const std::vector<int>& wanted, const std::set<TaskRef>& unwanted) {
        for (const int group : wanted) groups.add_int4(group);
        for (const TaskRef ref : unwanted) aside.add_int8(ref);
    }
    PgParameters parameters(int rows_max) const {
        return PgParameters().array(groups).int4(journal_format_max).array(aside).int8(rows_max);
    }
    PgArray groups{PgType::int4}, aside{PgType::int8};
};

Micros monotonic() { return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

PostgresTables::Wanted PostgresTables::wanted_by(std::span<const Command> batch, const Held& held) const {
    Wanted wanted;
    const bool asks_all = membership_.asks_all || has_forgotten_;
    if (asks_all) wanted.held = held.all();
    for (const Command& command : batch) {
        if (const auto* submit = std::get_if<Submit>(&command)) {
            wanted.has_submit = true;
            wanted.submitted.push_back(submit->id.bytes);
            if (!submit->key.empty()) wanted.keys.insert({submit->lane.space, submit->lane.type, submit->key});
        } else if (const auto* operate = std::get_if<Operate>(&command)) {
            wanted.operated.push_back(operate->id.bytes);
        } else if (std::holds_alternative<Claim>(command)) {
            wanted.has_claim = true;
        } else if (std::holds_alternative<SetQueue>(command)) {
            wanted.sets_queue = true;
        } else {
            const auto* record = std::get_if<Record>(&command);
            const auto* load = std::get_if<Load>(&command);
            if (!record && !load) continue;
            const TaskRef ref = record ? record->task : load->task;
            if (const auto revision = held.revision(ref)) {
                if (!asks_all) wanted.held.push_back({ref, *revision});
            } else {
                wanted.rows.push_back(ref);
            }
        }
    }
    const auto by_ref = [](const Held::Row& a, const Held::Row& b) { return a.ref < b.ref; };
    const auto same = [](const Held::Row& a, const Held::Row& b) { return a.ref == b.ref; };
    std::sort(wanted.held.begin(), wanted.held.end(), by_ref);
    wanted.held.erase(std::unique(wanted.held.begin(), wanted.held.end(), same), wanted.held.end());
    return wanted;
}

// ---- what is asked -----------------------------------------------------------------------------------------------

void PostgresTables::begin(PgPipeline& pipeline) {
    PAWL_ASSERT(!in_transaction_);
    in_transaction_ = true;
    has_news_ = false;
    writes_.begin_transaction();
    pipeline.begin();
    const auto take = [this](const PgRows& rows) {
        if (rows.empty()) {
            is_disowned_ = true;
            return;
        }
        clock_.set(instant(rows.integer(0, 0)));
        transaction_ = rows.integer(0, 1);
        has_suspects_ = rows.boolean(0, 2);
        transactions_behind_ = transaction_ - rows.integer(0, 3);
    };
    pipeline.add(as_writer, {});
    if (membership_.worker == 0) {
        pipeline.add(begin_as_client, {}, take);
    } else {
        pipeline.add(begin_as_worker, PgParameters().int4(membership_.worker).int8(membership_.batch), take);
    }
}

void PostgresTables::ask_keys(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook) {
    if (wanted.keys.empty()) return ask_posted(pipeline, wanted, outlook);
    PgArray spaces(PgType::text), types(PgType::text), keys(PgType::text);
    for (const KeyName& name : wanted.keys) {
        spaces.add_text(name.space);
        types.add_text(name.type);
        keys.add_text(name.key);
    }
    const PgParameters parameters = PgParameters().array(spaces).array(types).array(keys);
    pipeline.add(key_locks, parameters, [this](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r)
            if (!rows.boolean(r, 3)) busy_.insert({rows.text(r, 0), rows.text(r, 1), rows.text(r, 2)});
    });
    // While the key is locked no user takes it: what is there now is all.
    ask_posted(pipeline, wanted, outlook);
    pipeline.add(key_rows, parameters, [this](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r) {
            std::optional<KeyRow>& key = keys_[{rows.text(r, 0), rows.text(r, 1), rows.text(r, 2)}];
            key.reset();
            if (rows.is_null(r, 3)) continue;
            key = KeyRow{rows.integer(r, 3), read_hash(rows, r, 4), std::nullopt};
            if (!rows.is_null(r, 5)) key->expires = instant(rows.integer(r, 5));
        }
    });
}

void PostgresTables::ask_rows(PgPipeline& pipeline, const Wanted& wanted) {
    if (!wanted.submitted.empty()) {
        PgArray ids(PgType::bytea);
        for (const auto& id : wanted.submitted) {
            ids.add_bytes(id);
            ids_[id] = 0;
        }
        pipeline.add(ids_taken, PgParameters().array(ids), [this](const PgRows& rows) {
            for (int r = 0; r < rows.size(); ++r) ids_[read_task_id(rows, r, 1).bytes] = rows.integer(r, 0);
        });
        // What refused submits left over comes first.
        const std::size_t missing = wanted.submitted.size() - std::min(wanted.submitted.size(), new_refs_.size());
        if (missing != 0) {
            pipeline.add(new_ids, PgParameters().int4(static_cast<std::int32_t>(missing)), [this](const PgRows& rows) {
                for (int r = 0; r < rows.size(); ++r) new_refs_.push_back(rows.integer(r, 0));
            });
        }
    }
    if (!wanted.operated.empty()) {
        PgArray ids(PgType::bytea);
        for (const auto& id : wanted.operated) ids.add_bytes(id);
        pipeline.add(id_rows, PgParameters().array(ids), [this](const PgRows& rows) { take_rows(rows, false); });
    }
}

void PostgresTables::ask_locks(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook) {
    if (wanted.held.empty() && wanted.rows.empty() && wanted.operated.empty()) return;
    PgArray refs(PgType::int8), ids(PgType::bytea);
    for (const Held::Row& row : wanted.held) refs.add_int8(row.ref);
    for (const TaskRef ref : wanted.rows) refs.add_int8(ref);
    for (const auto& id : wanted.operated) ids.add_bytes(id);
    pipeline.add(lock_rows, PgParameters().array(refs).array(ids), [&wanted, &outlook](const PgRows& rows) {
        // Both are in the order of the refs.
        int r = 0;
        for (const Held::Row& row : wanted.held) {
            while (r < rows.size() && rows.integer(r, 0) < row.ref) ++r;
            const bool is_there = r < rows.size() && rows.integer(r, 0) == row.ref;
            const bool is_same = is_there && rows.integer(r, 1) == row.revision;
            (is_same ? outlook.unchanged : outlook.changed).push_back(row.ref);
        }
    });
}

void PostgresTables::ask_dead(PgPipeline& pipeline, Outlook& outlook) {
    if (membership_.dead.empty()) return;
    PgArray ids(PgType::int4), numbers(PgType::int8);
    for (const std::int32_t id : membership_.dead) {
        ids.add_int4(id);
        numbers.add_int8(id);
    }
    pipeline.add(dead_workers, PgParameters().array(ids), [&outlook](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r)
            outlook.dead.push_back({static_cast<std::int32_t>(rows.integer(r, 0)), instant(rows.integer(r, 1)), {}});
    });
    pipeline.add(forget_writers, PgParameters().array(ids));
    pipeline.add(rows_of_dead, PgParameters().array(numbers), [&outlook](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r) {
            const auto dead = std::find_if(outlook.dead.begin(), outlook.dead.end(),
                                           [&](const Dead& d) { return d.worker == rows.integer(r, 1); });
            if (dead != outlook.dead.end()) dead->held.push_back(rows.integer(r, 0));
        }
    });
}

void PostgresTables::refresh_groups(PgPipeline& pipeline) {
    pipeline.add(all_groups, {}, [this](const PgRows& rows) {
        for (int r = 0; r < rows.size(); ++r) {
            const int id = static_cast<int>(rows.integer(r, 0));
            LaneKey key{rows.text(r, 1), rows.text(r, 2), rows.text(r, 3), static_cast<int>(rows.integer(r, 4)), {}};
            group_ids_[key] = id;
            groups_[id] = std::move(key);
        }
        groups_at_ = monotonic();
    });
}

void PostgresTables::ask_queues(PgPipeline& pipeline) {
    pipeline.add(all_queues, {}, [this](const PgRows& rows) {
        settings_.clear();
        for (int r = 0; r < rows.size(); ++r) {
            settings_[{rows.text(r, 0), rows.text(r, 1)}] = {static_cast<int>(rows.integer(r, 2)),
                                                             static_cast<int>(rows.integer(r, 3)), rows.boolean(r, 4)};
        }
    });
}

// ---- the look ----------------------------------------------------------------------------------------------------

SharedTables::Outlook PostgresTables::look(std::span<const Command> batch, const Held& held) {
    Outlook outlook;
    const Wanted wanted = wanted_by(batch, held);
    PgPipeline pipeline(connection_);
    begin(pipeline);
    if (wanted.sets_queue) pipeline.add(settings_lock, {});
    // Before any task is locked: whoever waits for a row of the inbox holds nothing that its taker may want.
    ask_keys(pipeline, wanted, outlook);
    ask_inbox(pipeline, outlook);
    ask_dead(pipeline, outlook);
    ask_locks(pipeline, wanted, outlook);
    ask_rows(pipeline, wanted);
    if (wanted.has_claim || wanted.has_submit || wanted.sets_queue) ask_queues(pipeline);
    if (wanted.has_claim && monotonic() - groups_at_ >= groups_every) refresh_groups(pipeline);
    else foresee_claim(pipeline, batch);
    if (!run_look(pipeline)) return {};
    finish_look(batch, wanted, outlook);
    return failure_ ? Outlook{} : outlook;
}

bool PostgresTables::run_look(PgPipeline& pipeline) {
    run(pipeline);
    if (!failure_ && is_disowned_) {
        failure_ =
            Error{Errc::store_unavailable, connection_.url().shown +
                                               ": this process was silent for too long and was declared dead; what "
                                               "it held belongs to others; nothing was stored"};
    }
    return !failure_;
}

void PostgresTables::finish_look(std::span<const Command> batch, const Wanted& wanted, Outlook& outlook) {
    std::vector<TaskRef> rows = outlook.changed;
    rows.insert(rows.end(), wanted.rows.begin(), wanted.rows.end());
    for (const Dead& dead : outlook.dead) rows.insert(rows.end(), dead.held.begin(), dead.held.end());
    std::sort(rows.begin(), rows.end());
    load(rows, false);
    if (wanted.has_submit || wanted.has_claim || wanted.sets_queue) note_queues(batch, outlook);
    if (monotonic() - times_at_ >= times_every) {
        times_at_ = monotonic();
        outlook.look_at_times = true;
    }
}

SharedTables::Outlook PostgresTables::look_at_held(const Held& held) {
    Outlook outlook;
    Wanted wanted;
    wanted.held = held.all();
    PgPipeline pipeline(connection_);
    begin(pipeline);
    ask_locks(pipeline, wanted, outlook);
    if (!run_look(pipeline)) return {};
    load(outlook.changed, false);
    return outlook;
}

TaskRef PostgresTables::new_ref() {
    PAWL_ASSERT(!new_refs_.empty());
    const TaskRef ref = new_refs_.front();
    new_refs_.pop_front();
    return ref;
}

// ---- queues ------------------------------------------------------------------------------------------------------

// A limit counts over all processes: one of them at a time claims from such a queue, the others pass it by.
void PostgresTables::note_queues(std::span<const Command> batch, Outlook& outlook) {
    const auto any = [](const QueueKey&) { return true; };
    std::set<QueueKey> submitted, claimed, changed;
    std::vector<const Claim*> claims;
    for (const Command& command : batch) {
        if (const auto* submit = std::get_if<Submit>(&command))
            submitted.insert({submit->lane.space, submit->lane.queue});
        if (const auto* set = std::get_if<SetQueue>(&command)) changed.insert({set->space, set->name});
        if (const auto* claim = std::get_if<Claim>(&command)) {
            claims.push_back(claim);
            for (const int group : groups_for(*claim, any))
                claimed.insert({groups_.at(group).space, groups_.at(group).queue});
        }
    }
    if (!claims.empty()) claimed.insert(submitted.begin(), submitted.end());
    for (const QueueKey& key : changed) settings_.try_emplace(key);

    std::set<QueueKey> limited;
    for (const auto& [key, settings] : settings_) {
        const bool has_limit = changed.contains(key) || (settings.concurrency != 0 && !settings.paused);
        if (has_limit && claimed.contains(key)) limited.insert(key);
    }
    const std::map<QueueKey, int> running = lock_and_count_running(limited);
    for (const auto& [key, settings] : settings_) {
        const auto counted = running.find(key);
        // Nobody knows: none of its tasks is taken in this batch, whatever leaves it.
        const int unknown = std::numeric_limits<int>::max() / 2;
        Lanes::QueueNow now{settings, counted == running.end() ? unknown : counted->second, std::nullopt};
        if (settings.depth_max != 0 && submitted.contains(key)) now.pending = count_pending(key);
        outlook.queues.emplace_back(key, now);
    }
}

std::map<QueueKey, int> PostgresTables::lock_and_count_running(const std::set<QueueKey>& keys) {
    std::map<QueueKey, int> running;
    if (keys.empty()) return running;
    PgPipeline pipeline(connection_);
    for (const QueueKey& key : keys) {
        const PgParameters parameters = PgParameters().text(key.space).text(key.name);
        pipeline.add(queue_lock, parameters, [&](const PgRows& rows) {
            if (rows.boolean(0, 0)) running[key] = 0;
        });
        // A statement of its own: it sees the claims of whoever had the lock before.
        pipeline.add(queue_running, parameters, [&](const PgRows& rows) {
            if (const auto found = running.find(key); found != running.end())
                found->second = static_cast<int>(rows.integer(0, 0));
        });
    }
    run(pipeline);
    return running;
}

// ---- claims ------------------------------------------------------------------------------------------------------

std::vector<int> PostgresTables::groups_for(const Claim& claim, const IsOpen& is_open) const {
    std::vector<int> groups;
    for (const auto& [key, id] : group_ids_) {
        const bool is_wanted = claim.queues.empty() ||
                               std::find(claim.queues.begin(), claim.queues.end(), key.queue) != claim.queues.end();
        if (is_wanted && serving_version(claim.types, key) && is_open({key.space, key.queue})) groups.push_back(id);
    }
    std::sort(groups.begin(), groups.end());
    return groups;
}

void PostgresTables::ask_claimable(PgPipeline& pipeline, const std::vector<int>& groups, int rows_max,
                                   std::vector<TaskRef>& found) {
    const bool is_best = filled_groups_ > 1;
    const Micros began = monotonic();
    const ClaimArrays arrays(groups, aside_);
    PgArray keys(PgType::int8), ids(PgType::int8);
    std::vector<int> whole;
    for (const int group : groups) {
        const GroupHead& head = heads_[group];
        const bool is_whole = began >= head.whole_at;
        if (is_whole) whole.push_back(group);
        const bool is_known = !is_whole && head.first;
        keys.add_int8(is_known ? head.first->first : std::numeric_limits<std::int64_t>::min());
        ids.add_int8(is_known ? head.first->second : 0);
    }
    pipeline.add(is_best ? claim_best : claim_each, arrays.parameters(rows_max).array(keys).array(ids),
                 [this, rows_max, is_best, began, groups, whole, &found](const PgRows& rows) {
                     take_rows(rows, true);
                     std::set<LaneId> filled;
                     for (int r = 0; r < rows.size(); ++r) {
                         const TaskRef ref = rows.integer(r, 0);
                         filled.insert(rows_.at(ref).stored.lane);
                         if (r < rows_max) found.push_back(ref);
                     }
                     filled_groups_ = static_cast<int>(filled.size());
                     note_heads(groups, rows, rows_max, is_best);
                     plan_whole_claims(whole, monotonic() - began);
                 });
}

// A group that has no row here has none that is older than the newest of a full answer, or none at all; one that comes
// now seldom has an older key.
void PostgresTables::note_heads(const std::vector<int>& groups, const PgRows& rows, int rows_max, bool is_best) {
    using Place = std::pair<std::int64_t, TaskRef>;
    std::set<int> seen;
    for (int r = 0; r < rows.size(); ++r) {
        const int group = static_cast<int>(rows.integer(r, 2));
        if (seen.insert(group).second) heads_[group].first = Place{rows.integer(r, 4), rows.integer(r, 0)};
    }
    Place from{core::count(clock_.now() - head_margin), 0};
    if (is_best) {
        if (rows.size() < rows_max) return;
        from = std::min(from, Place{rows.integer(rows.size() - 1, 4), 0});
    }
    for (const int group : groups) {
        if (seen.contains(group)) continue;
        GroupHead& head = heads_[group];
        head.first = head.first ? std::max(*head.first, from) : from;
    }
}

void PostgresTables::lower_head(int group, const TaskRow& row) {
    const auto head = heads_.find(group);
    if (head != heads_.end() && head->second.first)
        head->second.first = std::min(*head->second.first, {row.sort_key, row.ref});
}

// A search from the start costs as much as has ended since the oldest open transaction began: what such transactions
// write is known, others only by how long it takes.
void PostgresTables::plan_whole_claims(const std::vector<int>& groups, Micros took) {
    Micros whole_at{0};
    if (transactions_behind_ > transactions_behind_few || took > whole_claim_slow)
        whole_at = monotonic() + std::clamp(took * whole_claim_share, whole_claim_least, whole_claim_most);
    for (const int group : groups) heads_[group].whole_at = whole_at;
}

std::optional<Micros> PostgresTables::next_whole_claim(Micros now) const {
    std::optional<Micros> next;
    for (const auto& [group, head] : heads_)
        if (head.whole_at > now && (!next || head.whole_at < *next)) next = head.whole_at;
    return next;
}

void PostgresTables::ask_suspect(PgPipeline& pipeline, const std::vector<int>& groups, std::vector<TaskRef>& found) {
    const ClaimArrays arrays(groups, aside_);
    pipeline.add(claim_suspect, arrays.parameters(1), [this, &found](const PgRows& rows) {
        take_rows(rows, true);
        for (int r = 0; r < rows.size(); ++r) found.push_back(rows.integer(r, 0));
    });
}

// What a claim will find is mostly known before its batch has written anything: then it is asked for with the look.
void PostgresTables::foresee_claim(PgPipeline& pipeline, std::span<const Command> batch) {
    const Claim* claim = nullptr;
    for (const Command& command : batch) {
        if (std::holds_alternative<Record>(command)) continue;
        const auto* found = std::get_if<Claim>(&command);
        if (!found || claim) return;
        claim = found;
    }
    if (!claim || claim->tasks_max <= 0 || !membership_.dead.empty()) return;
    const std::vector<int> groups = groups_for(*claim, [this](const QueueKey& key) {
        const auto settings = settings_.find(key);
        return settings == settings_.end() || (!settings->second.paused && settings->second.concurrency == 0);
    });
    if (groups.empty()) return;
    foreseen_.emplace(groups, claim->tasks_max);
    ask_claimable(pipeline, groups, claim->tasks_max, foreseen_->ready);
}

SharedTables::Claimable PostgresTables::claimable(const Claim& claim, int rows_max, const IsOpen& is_open) {
    Claimable found;
    const std::vector<int> groups = groups_for(claim, is_open);
    if (groups.empty() || failure_) return found;
    const std::optional<Foreseen> foreseen = std::exchange(foreseen_, std::nullopt);
    const bool is_foreseen = foreseen && foreseen->groups == groups && rows_max <= foreseen->rows_max;
    std::vector<TaskRef> ready, suspects;
    if (is_foreseen && !has_made_ready_ && !has_suspects_) {
        ready = foreseen->ready;
        ready.resize(std::min(ready.size(), static_cast<std::size_t>(rows_max)));
    } else {
        PgPipeline pipeline(connection_);
        writes_.send(pipeline);
        written_.clear();
        ask_claimable(pipeline, groups, rows_max, ready);
        if (has_suspects_) ask_suspect(pipeline, groups, suspects);
        if (!run(pipeline)) return found;
    }
    found.ready = stored(ready);
    found.suspects = stored(suspects);
    return found;
}

std::vector<StoredRow> PostgresTables::stored(const std::vector<TaskRef>& refs) {
    std::vector<StoredRow> rows;
    for (const TaskRef ref : refs)
        if (std::optional<StoredRow> row = task(ref, true)) rows.push_back(std::move(*row));
    return rows;
}

}  // namespace pawl::store
