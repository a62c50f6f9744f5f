#include "store/postgres/task_columns.hpp"

#include <algorithm>

namespace pawl::store {

using namespace core;

namespace {

template <class T>
std::optional<T> optional_of(const PgRows& rows, int row, int column, T (*make)(std::int64_t)) {
    if (rows.is_null(row, column)) return std::nullopt;
    return make(rows.integer(row, column));
}
Micros micros(std::int64_t us) { return Micros{us}; }
int small(std::int64_t value) { return static_cast<int>(value); }

int small_at(const PgRows& rows, int row, int column) { return small(rows.integer(row, column)); }

std::string read_payload(const PgRows& rows, int row, int column, int* codec) {
    const std::string_view stored = rows.bytes(row, column);
    *codec = stored.empty() ? plain_codec : static_cast<unsigned char>(stored.front());
    if (stored.empty()) return {};
    return std::string(*codec == plain_codec ? stored.substr(1) : stored);
}

}  // namespace

std::string read_payload(const PgRows& rows, int row, int column, bool* is_readable) {
    int codec = plain_codec;
    std::string text = read_payload(rows, row, column, &codec);
    if (codec != plain_codec) *is_readable = false;
    return text;
}

TaskId read_task_id(const PgRows& rows, int row, int column) { return {rows.byte_array<16>(row, column)}; }
Hash read_hash(const PgRows& rows, int row, int column) { return rows.byte_array<32>(row, column); }

PgTask read_task(const PgRows& rows, int r) {
    PgTask task;
    StoredRow& stored = task.stored;
    TaskRow& row = stored.row;
    row.ref = rows.integer(r, 0);
    row.id = read_task_id(rows, r, 1);
    task.line_group = small_at(rows, r, 2);
    row.lane.key = rows.text(r, 3);
    row.sort_key = rows.integer(r, 4);
    row.state = known_enumerator(rows.integer(r, 5), TaskState::cancelled, &stored.is_readable);
    row.reason = known_enumerator(rows.integer(r, 6), Reason::killed, &stored.is_readable);
    row.reason_before = known_enumerator(rows.integer(r, 7), Reason::killed, &stored.is_readable);
    row.due = optional_of<Instant>(rows, r, 8, instant);
    row.expires = optional_of<Instant>(rows, r, 9, instant);
    row.deadline = optional_of<WallInstant>(rows, r, 10, wall_instant);
    row.fence = Fence::from_token(rows.integer(r, 11));
    row.revision = small_at(rows, r, 12);
    row.claimed_no = small_at(rows, r, 13);
    row.last_no = small_at(rows, r, 14);
    row.crash_count = small_at(rows, r, 15);
    row.ending = known_enumerator(rows.integer(r, 16), Ending::kill, &stored.is_readable);
    set_flags(row, small_at(rows, r, 17));
    row.updated = instant(rows.integer(r, 18));
    row.active = Micros{rows.integer(r, 19)};
    row.reopened = small_at(rows, r, 20);
    row.generation = small_at(rows, r, 21);
    row.priority = small_at(rows, r, 22);
    row.deadline_length = optional_of<Micros>(rows, r, 23, micros);
    row.queue_timeout = optional_of<Micros>(rows, r, 24, micros);
    row.max_attempts = optional_of<int>(rows, r, 25, small);
    if (!rows.is_null(r, 26)) row.definition = read_hash(rows, r, 26);
    row.root = rows.integer(r, 27);
    row.parent = rows.integer(r, 28);
    row.trace_id = rows.byte_array<16>(r, 29);
    row.created = instant(rows.integer(r, 30));
    row.key = rows.text(r, 31);
    row.error = read_payload(rows, r, 32, &stored.is_readable);
    row.format_min = small_at(rows, r, 33);
    row.journal_bytes = rows.integer(r, 34);
    read_memo(read_payload(rows, r, 35, &stored.is_readable), row.memo, &stored.is_readable);
    task.transaction = rows.integer(r, 39);
    if (row.state != TaskState::running) return task;
    row.last_no = small_at(rows, r, 36);
    row.has_progressed = rows.boolean(r, 37);
    row.journal_bytes += rows.integer(r, 38);
    return task;
}

Entry read_entry(const PgRows& rows, int r) {
    Entry entry;
    entry.task = rows.integer(r, 0);
    entry.no = small_at(rows, r, 1);
    entry.kind = static_cast<EntryKind>(rows.integer(r, 2));
    entry.format = small_at(rows, r, 3);
    entry.path = rows.text(r, 4);
    entry.at = instant(rows.integer(r, 5));
    entry.number = rows.integer(r, 6);
    entry.due = optional_of<Instant>(rows, r, 7, instant);
    int result_codec = plain_codec;
    int error_codec = plain_codec;
    // A long input stands here, where a transition does not write it again; it belongs to the row.
    if (entry.kind != EntryKind::submitted) entry.result = read_payload(rows, r, 8, &result_codec);
    entry.error = read_payload(rows, r, 9, &error_codec);
    entry.cost_uusd = rows.integer(r, 10);
    entry.cursor = {rows.integer(r, 11), rows.integer(r, 12)};
    entry.format |= std::max(result_codec, error_codec) << 8;
    return entry;
}

void PgPayload::add_to(PgArray& array, std::string_view text) {
    if (text.empty()) return array.add_null();
    buffer_.assign(1, static_cast<char>(plain_codec));
    buffer_.append(text);
    array.add_bytes(buffer_);
}

}  // namespace pawl::store
