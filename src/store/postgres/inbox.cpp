// Submits that users have committed in transactions of their own (docs/dev/decisions/0008): a worker's batch takes them
// in, and any batch those that it is about.
#include "store/postgres/inbox.hpp"

#include "core/assert.hpp"
#include "core/canonical_json.hpp"
#include "core/fingerprint.hpp"
#include "core/transition.hpp"
#include "store/postgres/postgres_tables.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <sstream>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

constexpr int taken_max = 64;  // an input may be 1 MiB
// A worker's batches that follow each other closely ask only once, unless they were called.
constexpr Micros inbox_every = 20ms;
constexpr Micros inbox_whole_every = 1s;
// A transaction that saw others wait calls nobody (pawl_submit): when some have come, others are looked for.
constexpr Micros came_lately = 1s;
constexpr Micros inbox_soon = 50ms;

// What another batch takes in now is its own.
constexpr PgStatement take_some{
    "take_some",
    "delete from inbox i where i.id = any(array(select id from inbox where id >= $1 order by id limit $2 "
    "for update skip locked)) returning " PAWL_PG_INBOX_COLUMNS};
// These are waited for: whoever takes them in now has them in a moment. A batch holds no row yet when it waits here.
constexpr PgStatement take_named{
    "take_named",
    "delete from inbox i where i.id = any(array(select id from inbox where id = any(array(select id from inbox where "
    "public_id = any($1::bytea[]) union select i.id from unnest($2::text[], $3::text[], $4::text[]) as d(namespace, "
    "type, k) join inbox i using (namespace, type, k))) order by id for update)) returning " PAWL_PG_INBOX_COLUMNS};

Micros monotonic() { return std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now().time_since_epoch()); }

std::optional<Micros> length_at(const PgRows& rows, int r, int column) {
    const auto length = rows.optional_integer(r, column);
    return length ? std::optional(Micros{*length}) : std::nullopt;
}

// pawl_submit has checked it. Where it did not look closely enough (an input that jsonb takes), it is a task that fails
// in its worker: it must not stop the others here.
Hash fingerprint_of(const Submit& submit) {
    const auto canonical = canonical_json(submit.input, std::numeric_limits<std::size_t>::max());
    return fingerprint({submit.lane.space, submit.lane.type, canonical ? *canonical : submit.input});
}

class NoSink final : public transition::Sink {
public:
    void entry(const TaskRow&, const transition::NewEntry&) override {}
    void notice(Notice::What, const TaskRow&) override {}
};

}  // namespace

SharedTables::Posted read_posted(const PgRows& rows, int r) {
    SharedTables::Posted posted;
    posted.ref = rows.integer(r, 0);
    Submit& submit = posted.submit;
    submit.id = {rows.byte_array<16>(r, 1)};
    submit.lane = {rows.text(r, 2), rows.text(r, 3), rows.text(r, 4), 0, rows.text(r, 6)};
    submit.key = rows.text(r, 5);
    submit.priority = static_cast<int>(rows.integer(r, 7));
    submit.delay = length_at(rows, r, 8);
    const std::int64_t at = rows.integer(r, 14);
    posted.at = instant(at);
    if (const auto deadline = rows.optional_integer(r, 9)) submit.deadline = wall_instant(std::max(*deadline, at + 1));
    submit.queue_timeout = length_at(rows, r, 10);
    if (const auto attempts = rows.optional_integer(r, 11)) submit.max_attempts = static_cast<int>(*attempts);
    std::istringstream tags(rows.text(r, 12));
    for (std::string tag; std::getline(tags, tag);) submit.tags.push_back(tag);
    submit.trace_id = rows.byte_array<16>(r, 13);
    submit.input = rows.text(r, 15);
    if (!submit.key.empty()) submit.fingerprint = fingerprint_of(submit);
    return posted;
}

TaskRow shown_posted(const PgRows& rows, int r) {
    const SharedTables::Posted posted = read_posted(rows, r);
    NoSink sink;
    const transition::Stage stage{posted.at, wall_instant(core::count(posted.at)), sink};
    Result<TaskRow> row = transition::submit(stage, posted.submit, posted.ref, std::nullopt);
    PAWL_ASSERT(row.has_value());
    row->last_no = 0;
    return std::move(*row);
}

void PostgresTables::take_posted(const PgRows& rows, Outlook& outlook) {
    for (int r = 0; r < rows.size(); ++r) outlook.posted.push_back(read_posted(rows, r));
    // The answer of a delete has no order.
    std::sort(outlook.posted.begin(), outlook.posted.end(),
              [](const Posted& a, const Posted& b) { return a.ref < b.ref; });
}

void PostgresTables::ask_inbox(PgPipeline& pipeline, Outlook& outlook) {
    const Micros now = monotonic();
    const bool is_time = now - inbox_.asked_at >= inbox_every || inbox_.has_more || membership_.has_posts;
    if (membership_.worker == 0 || !is_time) return;
    inbox_.asked_at = now;
    // What was taken in leaves dead rows behind while a transaction that began before is open, and each search from the
    // start would walk them all. Now and then one does: numbers are not committed in their order.
    if (!inbox_.whole_from && now - inbox_.whole_at >= inbox_whole_every) {
        inbox_.whole_at = now;
        inbox_.whole_from = 0;
        inbox_.whole_until = inbox_.newest;
        inbox_.from = std::exchange(inbox_.next_from, inbox_.newest);
    }
    const TaskRef from = inbox_.whole_from.value_or(inbox_.from);
    pipeline.add(take_some, PgParameters().int8(from).int8(taken_max), [this, now, &outlook](const PgRows& rows) {
        take_posted(rows, outlook);
        TaskRef last = 0;
        for (int r = 0; r < rows.size(); ++r) last = std::max(last, rows.integer(r, 0));
        inbox_.has_more = rows.size() == taken_max;
        if (!rows.empty()) inbox_.came_at = now;
        inbox_.newest = std::max(inbox_.newest, last);
        if (!inbox_.whole_from) return;
        // What came while it was at it does not make it longer: older ones may have come as well.
        if (inbox_.has_more && last < inbox_.whole_until) inbox_.whole_from = last + 1;
        else inbox_.whole_from.reset();
    });
}

void PostgresTables::ask_posted(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook) {
    if (wanted.operated.empty() && wanted.keys.empty()) return;
    PgArray ids(PgType::bytea), spaces(PgType::text), types(PgType::text), keys(PgType::text);
    for (const auto& id : wanted.operated) ids.add_bytes(id);
    for (const KeyName& name : wanted.keys) {
        spaces.add_text(name.space);
        types.add_text(name.type);
        keys.add_text(name.key);
    }
    pipeline.add(take_named, PgParameters().array(ids).array(spaces).array(types).array(keys),
                 [&outlook](const PgRows& rows) { take_posted(rows, outlook); });
}

std::optional<Micros> PostgresTables::next_look() const {
    if (membership_.worker == 0) return std::nullopt;
    const Micros now = monotonic();
    if (inbox_.has_more) return 1ms;
    if (inbox_.came_at.count() >= 0 && now - inbox_.came_at < came_lately) return inbox_soon;
    const std::optional<Micros> claim = next_whole_claim(now);
    return claim ? std::optional(*claim - now) : std::nullopt;
}

}  // namespace pawl::store
