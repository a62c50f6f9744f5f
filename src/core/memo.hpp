// What a task's row keeps of its journal beside the columns that are searched: small, and read with the row.
#pragma once

#include "core/journal.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::core {

/// An operation of the code that waits for somebody's word.
struct OpenWait {
    std::string path;
    int no = 0;  ///< of its `wait_set` entry
    bool is_approval = false;
    std::optional<Instant> due;

    friend bool operator==(const OpenWait&, const OpenWait&) = default;
};

struct Memo {
    int unread = 0;  ///< messages in the journal that no operation has taken
    int newest = 0;  ///< number of the newest message's entry
    std::vector<OpenWait> waits;
    std::vector<std::string> patches;                         ///< ids that ctx.patched() has answered with yes
    std::string progress;                                     ///< {"done","text"}, empty = none
    std::vector<std::pair<std::string, std::string>> values;  ///< of ctx.set: key, JSON; in the order of their keys

    friend bool operator==(const Memo&, const Memo&) = default;
};

/// The wait that a message is for: of a signal the first one with its name, of an answer the one with its path.
const OpenWait* wait_for_signal(const Memo& memo, std::string_view name);
/// An empty path: the only approval that is open, if there is exactly one.
const OpenWait* wait_for_answer(const Memo& memo, std::string_view path);

/// Takes in an entry that a worker or a client has appended.
void note(Memo& memo, int no, EntryKind kind, std::int64_t number, std::string_view path, std::string_view result,
          std::optional<Instant> due);
/// Whether `note` changes anything for an entry of this kind.
bool is_noted(EntryKind kind);

/// As it stands in its column; empty for a memo that says nothing.
std::string encode_memo(const Memo& memo);
/// Nothing when no version of this program wrote it.
std::optional<Memo> decode_memo(std::string_view text);

/// The name in an operation's path: its last part, without the occurrence. Paths: pawl/workflow.hpp, Scope.
std::string name_of_path(std::string_view path);

}  // namespace pawl::core
