#include "store/sqlite/row_codec.hpp"

#include <algorithm>

namespace pawl::store {
namespace {

using namespace core;

Micros micros(std::int64_t us) { return Micros{us}; }
int small(std::int64_t value) { return static_cast<int>(value); }

template <class T>
T enumerator(int value) {
    return static_cast<T>(value);
}

}  // namespace

template <std::size_t N>
std::array<std::uint8_t, N> read_array(const Statement::Use& use, int column) {
    std::array<std::uint8_t, N> value{};
    const std::string_view stored = use.bytes(column);
    std::copy_n(reinterpret_cast<const std::uint8_t*>(stored.data()), std::min(stored.size(), N), value.begin());
    return value;
}

Hash read_hash(const Statement::Use& use, int column) { return read_array<32>(use, column); }
TaskId read_id(const Statement::Use& use, int column) { return {read_array<16>(use, column)}; }

StoredRow read_row(Statement::Use& use) {
    StoredRow stored;
    TaskRow& row = stored.row;
    row.ref = use.integer(0);
    row.id = read_id(use, 1);
    stored.lane = use.integer(2);
    row.sort_key = use.integer(3);
    row.state = known_enumerator(use.small(4), TaskState::cancelled, &stored.is_readable);
    row.reason = known_enumerator(use.small(5), Reason::killed, &stored.is_readable);
    row.reason_before = known_enumerator(use.small(6), Reason::killed, &stored.is_readable);
    row.due = use.optional<Instant>(7, instant);
    row.expires = use.optional<Instant>(8, instant);
    row.deadline = use.optional<WallInstant>(9, wall_instant);
    row.fence = Fence::from_token(use.integer(10));
    row.claimed_no = use.small(11);
    row.last_no = use.small(12);
    row.crash_count = use.small(13);
    row.ending = known_enumerator(use.small(14), Ending::kill, &stored.is_readable);
    set_flags(row, use.small(15));
    row.updated = instant(use.integer(16));
    row.active = Micros{use.integer(17)};
    row.reopened = use.small(18);
    row.generation = use.small(19);
    row.priority = use.small(20);
    row.deadline_length = use.optional<Micros>(21, micros);
    row.queue_timeout = use.optional<Micros>(22, micros);
    row.max_attempts = use.optional<int>(23, small);
    if (!use.is_null(24)) row.definition = read_hash(use, 24);
    row.root = use.integer(25);
    row.parent = use.integer(26);
    row.trace_id = read_array<16>(use, 27);
    row.created = instant(use.integer(28));
    row.key = use.text(29);
    row.error = use.payload(30, &stored.is_readable);
    row.format_min = use.small(31);
    row.journal_bytes = use.integer(32);
    read_memo(use.payload(33, &stored.is_readable), row.memo, &stored.is_readable);
    return stored;
}

void bind_changing(Statement::Use& use, const TaskRow& row, LaneId lane) {
    const Line line = line_of(row);
    if (line == Line::none) {
        use.bind_null();
    } else {
        use.bind(static_cast<std::int64_t>(line));
    }
    use.bind(lane)
        .bind(static_cast<std::int64_t>(row.state))
        .bind(static_cast<std::int64_t>(row.reason))
        .bind(static_cast<std::int64_t>(row.reason_before))
        .bind_optional(row.due)
        .bind_optional(row.expires)
        .bind_optional(row.deadline)
        .bind(row.fence.token())
        .bind(static_cast<std::int64_t>(row.claimed_no))
        .bind(static_cast<std::int64_t>(row.last_no))
        .bind(static_cast<std::int64_t>(row.crash_count))
        .bind(static_cast<std::int64_t>(row.ending))
        .bind(static_cast<std::int64_t>(flags_of(row)))
        .bind(core::count(row.updated))
        .bind(static_cast<std::int64_t>(row.active.count()))
        .bind(static_cast<std::int64_t>(row.reopened))
        .bind_optional(row.deadline_length)
        .bind(Payload{row.error})
        .bind(static_cast<std::int64_t>(row.format_min))
        .bind(row.journal_bytes);
    if (row.definition) {
        use.bind(Bytes(*row.definition));
    } else {
        use.bind_null();
    }
    use.bind(Payload{encode_memo(row.memo)});
    use.bind(row.ref);
}

void bind_fixed(Statement::Use& use, const TaskRow& row) {
    use.bind(Bytes(row.id.bytes))
        .bind(row.sort_key)
        .bind(static_cast<std::int64_t>(row.generation))
        .bind(static_cast<std::int64_t>(row.priority))
        .bind_optional(row.queue_timeout)
        .bind_optional(row.max_attempts)
        .bind(row.root);
    if (row.parent != 0) {
        use.bind(row.parent);
    } else {
        use.bind_null();
    }
    use.bind(Bytes(row.trace_id)).bind(core::count(row.created));
    if (row.key.empty()) {
        use.bind_null();
    } else {
        use.bind(std::string_view(row.key));
    }
    if (row.input.size() > inline_input_max) {
        use.bind_null();
    } else {
        use.bind(Payload{row.input});
    }
}

Entry read_entry(Statement::Use& use) {
    Entry entry;
    entry.cursor.seq = use.integer(0);
    entry.task = use.integer(1);
    entry.no = use.small(2);
    entry.kind = enumerator<EntryKind>(use.small(3));
    entry.format = use.small(4);
    entry.path = use.text(5);
    entry.at = instant(use.integer(6));
    entry.number = use.integer(7);
    entry.due = use.optional<Instant>(8, instant);
    int result_codec = plain_codec;
    int error_codec = plain_codec;
    // A long input stands here, where a transition does not write it again; it belongs to the row.
    if (entry.kind != EntryKind::submitted) entry.result = use.payload(9, &result_codec);
    entry.error = use.payload(10, &error_codec);
    entry.cost_uusd = use.integer(11);
    entry.format |= std::max(result_codec, error_codec) << 8;
    return entry;
}

}  // namespace pawl::store
