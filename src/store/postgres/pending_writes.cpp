#include "store/postgres/pending_writes.hpp"

#include "core/assert.hpp"

namespace pawl::store {

using namespace core;

namespace {

std::vector<PgArray> arrays(std::initializer_list<PgType> types) {
    std::vector<PgArray> made;
    for (const PgType type : types) made.emplace_back(type);
    return made;
}

void add_optional(PgArray& array, const std::optional<std::int64_t>& value) {
    if (value) array.add_int8(*value);
    else array.add_null();
}
template <class T>
std::optional<std::int64_t> number(const std::optional<T>& value) {
    if (!value) return std::nullopt;
    if constexpr (requires { core::count(*value); }) return core::count(*value);
    else return static_cast<std::int64_t>(value->count());
}

constexpr PgType i4 = PgType::int4, i8 = PgType::int8, text = PgType::text, bytes = PgType::bytea,
                 boolean = PgType::boolean;

// The columns that change in a row's life, in the order of add_changing; the id comes last.
#define PAWL_PG_CHANGING                                                                                             \
    "line, line_group, state, reason, reason_before, due, expires, deadline, fence, revision, claimed_no, last_no, " \
    "crash_count, ending, flags, updated, active, reopened, deadline_length, error, format_min, journal_bytes, "     \
    "definition, memo, id"
#define PAWL_PG_CHANGING_ARRAYS                                                                                       \
    "$1::int[], $2::int[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], "               \
    "$9::bigint[], $10::int[], $11::int[], $12::int[], $13::int[], $14::int[], $15::int[], $16::bigint[], "           \
    "$17::bigint[], $18::int[], $19::bigint[], $20::bytea[], $21::int[], $22::bigint[], $23::bytea[], $24::bytea[], " \
    "$25::bigint[]"

constexpr PgStatement insert_tasks{
    "insert_tasks",
    "insert into task(" PAWL_PG_CHANGING
    ", public_id, flow_key, sort_key, generation, priority, queue_timeout, max_attempts, root, parent, trace_id, "
    "created, k, input) select * from unnest(" PAWL_PG_CHANGING_ARRAYS
    ", $26::bytea[], $27::text[], $28::bigint[], $29::int[], $30::int[], $31::bigint[], $32::int[], $33::bigint[], "
    "$34::bigint[], $35::bytea[], $36::bigint[], $37::text[], $38::bytea[])"};
constexpr PgStatement update_tasks{
    "update_tasks",
    "update task as t set line = d.line, line_group = d.line_group, state = d.state, reason = d.reason, "
    "reason_before = d.reason_before, due = d.due, expires = d.expires, deadline = d.deadline, fence = d.fence, "
    "revision = d.revision, claimed_no = d.claimed_no, last_no = d.last_no, crash_count = d.crash_count, "
    "ending = d.ending, flags = d.flags, updated = d.updated, active = d.active, reopened = d.reopened, "
    "deadline_length = d.deadline_length, error = d.error, format_min = d.format_min, "
    "journal_bytes = d.journal_bytes, definition = d.definition, memo = d.memo, "
    "xact = case when d.behind is null then pg_current_xact_id() else d.behind::text::xid8 end "
    "from unnest(" PAWL_PG_CHANGING_ARRAYS ", $26::bigint[]) as d(" PAWL_PG_CHANGING ", behind) where t.id = d.id"};
constexpr PgStatement insert_entries{
    "insert_entries",
    "insert into journal(task, no, kind, format, path, at, number, due, result, error, cost_uusd, seq, xact) "
    "select task, no, kind, format, path, at, number, due, result, error, cost_uusd, "
    "case when behind is null then seq else 4294967296 + nextval('feed_order') end, "
    "case when behind is null then pg_current_xact_id() else behind::text::xid8 end "
    "from unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::bytea[], $6::bigint[], $7::bigint[], "
    "$8::bigint[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bigint[], $13::bigint[]) "
    "as d(task, no, kind, format, path, at, number, due, result, error, cost_uusd, seq, behind)"};
constexpr PgStatement put_keys{
    "put_keys",
    "insert into key(namespace, type, k, task, fingerprint, expires) select * from unnest($1::text[], $2::text[], "
    "$3::text[], $4::bigint[], $5::bytea[], $6::bigint[]) on conflict (namespace, type, k) do update set "
    "task = excluded.task, fingerprint = excluded.fingerprint, expires = excluded.expires"};
constexpr PgStatement set_expiries{
    "set_expiries",
    "update key set expires = d.expires from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) "
    "as d(namespace, type, k, task, expires) where key.namespace = d.namespace and key.type = d.type "
    "and key.k = d.k and key.task = d.task"};
constexpr PgStatement put_requests{
    "put_requests",
    "insert into request(task, id, verb, arguments, state, reason, changed, expires) select * from "
    "unnest($1::bigint[], $2::text[], $3::int[], $4::bytea[], $5::int[], $6::int[], $7::bool[], $8::bigint[]) "
    "on conflict (task, id) do nothing"};
constexpr PgStatement add_tags{
    "add_tags", "insert into tag(task, tag) select * from unnest($1::bigint[], $2::text[]) on conflict do nothing"};
constexpr PgStatement put_queues{
    "put_queues",
    "insert into queue(namespace, name, concurrency, depth_max, paused) select * from unnest($1::text[], $2::text[], "
    "$3::int[], $4::int[], $5::bool[]) on conflict (namespace, name) do update set "
    "concurrency = excluded.concurrency, depth_max = excluded.depth_max, paused = excluded.paused"};
// One row at a time, in the order of their hashes: every batch locks them in the same order.
constexpr PgStatement add_blob_row{
    "add_blob",
    "insert into blob(namespace, hash, refs, body) values($1, $2, $3, $4) on conflict (namespace, hash) do update "
    "set refs = blob.refs + excluded.refs"};

}  // namespace

PendingWrites::PendingWrites()
    : inserts_(
          arrays({i4,    i4, i4, i4,    i4,    i8, i8,    i8,   i8, i4, i4, i4, i4, i4, i4, i8,    i8, i4,   i8,
                  bytes, i4, i8, bytes, bytes, i8, bytes, text, i8, i4, i4, i8, i4, i8, i8, bytes, i8, text, bytes})),
      updates_(arrays({i4, i4, i4, i4, i4, i8, i8,    i8, i8, i4,    i4,    i4, i4,
                       i4, i4, i8, i8, i4, i8, bytes, i4, i8, bytes, bytes, i8, i8})),
      entries_(arrays({i8, i4, i4, i4, bytes, i8, i8, i8, bytes, bytes, i8, i8, i8})),
      keys_(arrays({text, text, text, i8, bytes, i8})),
      expiries_(arrays({text, text, text, i8, i8})),
      requests_(arrays({i8, text, i4, bytes, i4, i4, boolean, i8})),
      tags_(arrays({i8, text})),
      queues_(arrays({text, text, i4, i4, boolean})) {}

void PendingWrites::add_changing(std::vector<PgArray>& c, const TaskRow& row, int line_group) {
    // What this version must leave alone is ready for newer ones.
    const Line line = line_of(row) == Line::aside ? (row.suspect ? Line::suspect : Line::ready) : line_of(row);
    if (line == Line::none) c[0].add_null();
    else c[0].add_int4(static_cast<std::int32_t>(line));
    c[1].add_int4(line_group);
    c[2].add_int4(static_cast<std::int32_t>(row.state));
    c[3].add_int4(static_cast<std::int32_t>(row.reason));
    c[4].add_int4(static_cast<std::int32_t>(row.reason_before));
    add_optional(c[5], number(row.due));
    add_optional(c[6], number(row.expires));
    add_optional(c[7], number(row.deadline));
    c[8].add_int8(row.fence.token());
    c[9].add_int4(row.revision);
    c[10].add_int4(row.claimed_no);
    c[11].add_int4(row.last_no);
    c[12].add_int4(row.crash_count);
    c[13].add_int4(static_cast<std::int32_t>(row.ending));
    c[14].add_int4(flags_of(row));
    c[15].add_int8(core::count(row.updated));
    c[16].add_int8(row.active.count());
    c[17].add_int4(row.reopened);
    add_optional(c[18], number(row.deadline_length));
    payload_.add_to(c[19], row.error);
    c[20].add_int4(row.format_min);
    c[21].add_int8(row.journal_bytes);
    if (row.definition) c[22].add_bytes(*row.definition);
    else c[22].add_null();
    payload_.add_to(c[23], core::encode_memo(row.memo));
    c[24].add_int8(row.ref);
}

void PendingWrites::insert(const TaskRow& row, int line_group) {
    auto& c = inserts_;
    add_changing(c, row, line_group);
    c[25].add_bytes(row.id.bytes);
    c[26].add_text(row.lane.key);
    c[27].add_int8(row.sort_key);
    c[28].add_int4(row.generation);
    c[29].add_int4(row.priority);
    add_optional(c[30], number(row.queue_timeout));
    if (row.max_attempts) c[31].add_int4(*row.max_attempts);
    else c[31].add_null();
    c[32].add_int8(row.root);
    if (row.parent != 0) c[33].add_int8(row.parent);
    else c[33].add_null();
    c[34].add_bytes(row.trace_id);
    c[35].add_int8(core::count(row.created));
    if (row.key.empty()) c[36].add_null();
    else c[36].add_text(row.key);
    if (row.input.size() > inline_input_max) c[37].add_null();
    else payload_.add_to(c[37], row.input);
}

void PendingWrites::update(const TaskRow& row, int line_group, std::optional<std::int64_t> behind) {
    add_changing(updates_, row, line_group);
    add_optional(updates_[25], behind);
}

void PendingWrites::append(const TaskRow& row, Instant at, const transition::NewEntry& entry,
                           std::optional<std::int64_t> behind) {
    const bool has_long_input = entry.kind == EntryKind::submitted && row.input.size() > inline_input_max;
    auto& c = entries_;
    c[0].add_int8(row.ref);
    c[1].add_int4(row.last_no);
    c[2].add_int4(static_cast<std::int32_t>(entry.kind));
    c[3].add_int4(1);
    if (entry.path.empty()) c[4].add_null();
    else c[4].add_bytes(entry.path);
    c[5].add_int8(core::count(at));
    c[6].add_int8(entry.number);
    add_optional(c[7], number(entry.due));
    payload_.add_to(c[8], has_long_input ? std::string_view(row.input) : entry.result);
    payload_.add_to(c[9], entry.error);
    c[10].add_int8(entry.cost_uusd);
    c[11].add_int8(++seq_);
    add_optional(c[12], behind);
}

void PendingWrites::put_queue(const QueueKey& key, const QueueSettings& settings) {
    queues_[0].add_text(key.space);
    queues_[1].add_text(key.name);
    queues_[2].add_int4(settings.concurrency);
    queues_[3].add_int4(settings.depth_max);
    queues_[4].add_boolean(settings.paused);
}

void PendingWrites::put_key(const KeyName& name, const KeyRow& row) {
    keys_[0].add_text(name.space);
    keys_[1].add_text(name.type);
    keys_[2].add_text(name.key);
    keys_[3].add_int8(row.task);
    keys_[4].add_bytes(row.fingerprint);
    add_optional(keys_[5], number(row.expires));
}

void PendingWrites::set_key_expiry(const KeyName& name, TaskRef task, std::optional<Instant> expires) {
    expiries_[0].add_text(name.space);
    expiries_[1].add_text(name.type);
    expiries_[2].add_text(name.key);
    expiries_[3].add_int8(task);
    add_optional(expiries_[4], number(expires));
}

void PendingWrites::put_request(TaskRef task, const std::string& id, const RequestRow& row) {
    requests_[0].add_int8(task);
    requests_[1].add_text(id);
    requests_[2].add_int4(static_cast<std::int32_t>(row.verb));
    requests_[3].add_bytes(row.arguments);
    requests_[4].add_int4(static_cast<std::int32_t>(row.answer.state));
    requests_[5].add_int4(static_cast<std::int32_t>(row.answer.reason));
    requests_[6].add_boolean(row.answer.changed);
    requests_[7].add_int8(core::count(row.expires));
}

void PendingWrites::add_blob(const std::string& space, const Hash& hash, std::string_view body) {
    auto& [stored, references] = blobs_[{space, hash}];
    if (references++ == 0) stored = body;
}

void PendingWrites::add_tag(TaskRef task, std::string_view tag) {
    tags_[0].add_int8(task);
    tags_[1].add_text(tag);
}

bool PendingWrites::empty() const {
    return inserts_[0].empty() && updates_[0].empty() && entries_[0].empty() && keys_[0].empty() &&
           expiries_[0].empty() && requests_[0].empty() && tags_[0].empty() && queues_[0].empty() && blobs_.empty();
}

void PendingWrites::clear() {
    for (auto* columns : {&inserts_, &updates_, &entries_, &keys_, &expiries_, &requests_, &tags_, &queues_})
        for (PgArray& column : *columns) column.clear();
    blobs_.clear();
}

void PendingWrites::send_arrays(PgPipeline& pipeline, const PgStatement& statement, std::vector<PgArray>& columns) {
    if (columns[0].empty()) return;
    PgParameters parameters;
    for (const PgArray& column : columns) parameters.array(column);
    pipeline.add(statement, parameters);
    for (PgArray& column : columns) column.clear();
}

void PendingWrites::send(PgPipeline& pipeline) {
    send_arrays(pipeline, insert_tasks, inserts_);
    send_arrays(pipeline, update_tasks, updates_);
    send_arrays(pipeline, insert_entries, entries_);
    send_arrays(pipeline, put_keys, keys_);
    send_arrays(pipeline, set_expiries, expiries_);
    send_arrays(pipeline, put_requests, requests_);
    send_arrays(pipeline, add_tags, tags_);
    send_arrays(pipeline, put_queues, queues_);
    for (const auto& [name, blob] : blobs_) {
        std::string body(1, static_cast<char>(plain_codec));
        body += blob.first;
        pipeline.add(add_blob_row, PgParameters().text(name.first).bytes(name.second).int8(blob.second).bytes(body));
    }
    blobs_.clear();
}

}  // namespace pawl::store
