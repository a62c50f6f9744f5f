// How a task's row stands in columns, the same in every SQL store. These numbers are on disk.
#pragma once

#include "core/tables.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::store {

static_assert(static_cast<int>(TaskState::paused) == 3 && static_cast<int>(TaskState::completed) == 4);
static_assert(static_cast<int>(TaskState::cancelled) == 6);
static_assert(static_cast<int>(Reason::none) == 0 && static_cast<int>(Reason::throttled) == 4);
static_assert(static_cast<int>(Reason::timer) == 5 && static_cast<int>(Reason::rate_limit) == 9);
static_assert(static_cast<int>(Reason::by_operator) == 10 && static_cast<int>(Reason::budget) == 15);
static_assert(static_cast<int>(Reason::error) == 16 && static_cast<int>(Reason::killed) == 21);
static_assert(static_cast<int>(core::Ending::none) == 0 && static_cast<int>(core::Ending::kill) == 4);
static_assert(static_cast<int>(core::Line::suspect) == 2 && static_cast<int>(core::Line::aside) == 4);

/// An input of up to this many bytes stands in the row; a longer one in the journal.
constexpr std::size_t inline_input_max = 1024;

/// The codec byte that begins every payload (input, result, error, body).
constexpr unsigned char plain_codec = 0;

enum Flag : int { flag_pause_requested = 1, flag_has_undo = 2, flag_suspect = 4, flag_has_open_intent = 8 };

inline int flags_of(const core::TaskRow& row) {
    return (row.pause_requested ? flag_pause_requested : 0) | (row.has_undo ? flag_has_undo : 0) |
           (row.suspect ? flag_suspect : 0) | (row.has_open_intent ? flag_has_open_intent : 0);
}
inline void set_flags(core::TaskRow& row, int flags) {
    row.pause_requested = (flags & flag_pause_requested) != 0;
    row.has_undo = (flags & flag_has_undo) != 0;
    row.suspect = (flags & flag_suspect) != 0;
    row.has_open_intent = (flags & flag_has_open_intent) != 0;
}

/// The payload of the column `memo`.
inline void read_memo(std::string_view text, core::Memo& memo, bool* is_readable) {
    if (text.empty()) return;
    std::optional<core::Memo> read = core::decode_memo(text);
    if (read) memo = std::move(*read);
    else *is_readable = false;
}

// The kinds that show progress (core/journal.hpp), as SQL.
#define PAWL_PROGRESS_KINDS "(41, 43, 44, 47, 51, 53)"
static_assert([] {
    for (int kind = 0; kind < 256; ++kind) {
        const bool is_listed = kind == 41 || kind == 43 || kind == 44 || kind == 47 || kind == 51 || kind == 53;
        if (core::shows_progress(static_cast<core::EntryKind>(kind)) != is_listed) return false;
    }
    return true;
}());

/// A number of a newer version, or damage, becomes an enumerator that no code takes for one it knows.
template <class T>
T known_enumerator(std::int64_t value, T last, bool* is_readable) {
    if (value >= 0 && value <= static_cast<std::int64_t>(last)) return static_cast<T>(value);
    *is_readable = false;
    return static_cast<T>(0xff);
}

}  // namespace pawl::store
