// Which process group a tool ran in, written down before it starts, so that a successor can find and end it.
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::agent {

/// A process group that no other can be mistaken for: numbers are reused, but not with the same start time in the
/// same boot. Processes that left the group are known by a random token in their environment.
struct ProcessIdentity {
    std::int64_t group = 0;         ///< process id of the leader
    std::uint64_t start_ticks = 0;  ///< of the leader, since boot (field 22 of /proc/PID/stat)
    std::string boot_id;
    std::string token;  ///< value of PAWL_PROCESS in its environment

    friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// As it stands in the intent entry: {"boot_id","group","start","token"}.
std::string encode_identity(const ProcessIdentity& identity);
/// Errors: `bad_input` when the text is not what encode_identity writes.
Result<ProcessIdentity> decode_identity(std::string_view text);

enum class KillResult : std::uint8_t {
    gone,    ///< nothing of it was alive
    killed,  ///< it was alive, and is dead now
};

constexpr core::Micros kill_limit{std::chrono::seconds(5)};

/// Ends whatever still lives of that identity: the whole group and everything that carries its token. Blocks until
/// all of it is dead, at most `limit`.
///
/// Another process that merely has the same number is never touched.
/// Errors: `timed_out` when something is still alive then (a process that waits for a broken disk cannot be killed, nor
/// one of another user).
Result<KillResult> kill_if_same(const ProcessIdentity& identity, core::Micros limit = kill_limit);

/// The same for many, one answer for each: all are signalled before any is waited for, and `limit` is for all together.
std::vector<Result<KillResult>> kill_all_same(std::span<const ProcessIdentity> identities,
                                              core::Micros limit = kill_limit);

/// Identity of the living process `pid` with that token. Errors: `not_found`.
Result<ProcessIdentity> identify(std::int64_t pid, std::string token);

/// SIGKILL to what carries the token although its group is already dead. Only processes that started after `group`
/// are looked at, which keeps the look cheap.
void kill_escaped(const ProcessIdentity& identity);

/// True while a member of the group is alive; zombies are dead.
bool group_is_alive(std::int64_t group);

constexpr std::string_view token_variable = "PAWL_PROCESS";

}  // namespace pawl::agent
