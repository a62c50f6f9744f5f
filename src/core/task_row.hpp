// A task's row: everything but its journal. It changes on state transitions only.
#pragma once

#include "core/journal.hpp"
#include "core/memo.hpp"
#include "core/task_id.hpp"

#include <pawl/task.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace pawl::core {

/// SHA-256.
using Hash = std::array<std::uint8_t, 32>;

/// Proof of a claim. Every write of a worker carries it; a newer claim makes it worthless.
/// SQLite: the epoch is raised each time the file is opened for writing, which voids all older claims at once.
struct Fence {
    std::int32_t epoch = 0;
    std::int32_t claim = 0;  ///< rises with every claim of this store

    friend auto operator<=>(const Fence&, const Fence&) = default;
    std::int64_t token() const { return (static_cast<std::int64_t>(epoch) << 32) | static_cast<std::uint32_t>(claim); }
    static Fence from_token(std::int64_t t) {
        return {static_cast<std::int32_t>(t >> 32), static_cast<std::int32_t>(t & 0xffffffff)};
    }
};

/// Why a task is being ended before its code is done. Durable; the first cause wins, except that kill beats all.
enum class Ending : std::uint8_t { none, cancel, deadline, parent, kill };
std::string_view to_string(Ending ending);

/// Where a ready row waits: rows of one lane are alike to a claim, so a lane that cannot be served costs nothing.
struct LaneKey {
    std::string space = "default";  ///< namespace (tenant)
    std::string queue = "default";
    std::string type;
    int version = 0;  ///< 0 until the first claim binds one
    std::string key;  ///< flow-control key (tenant, user); empty = none

    friend auto operator<=>(const LaneKey&, const LaneKey&) = default;
};

struct TaskRow {
    TaskRef ref = 0;
    TaskId id;
    LaneKey lane;
    TaskState state = TaskState::pending;
    Reason reason = Reason::queued;
    Reason reason_before = Reason::none;  ///< paused: what it waited for, which counts again after the resume

    int priority = 0;
    std::int64_t sort_key = 0;       ///< first_ready_at - priority x aging step, microseconds; never changed later
    std::optional<Instant> due;      ///< pending/waiting: becomes ready then; empty = ready (pending) or no timer
    std::optional<Instant> expires;  ///< never-started tasks: fails as `expired` then
    std::optional<WallInstant> deadline;
    std::optional<Micros> deadline_length;  ///< as first given, for retry
    std::optional<Micros> queue_timeout;
    std::optional<int> max_attempts;  ///< for steps that set none

    Fence fence;
    int claimed_no = 0;              ///< number of the newest `claimed` entry
    int last_no = 0;                 ///< number of the newest entry
    std::int64_t journal_bytes = 0;  ///< of the results and errors in its journal
    int crash_count = 0;
    int generation = 0;  ///< continue_as
    int reopened = 0;    ///< how often retry reopened it
    Ending ending = Ending::none;
    bool pause_requested = false;
    bool has_undo = false;         ///< compensations are registered: the end needs a worker
    bool has_progressed = false;   ///< since its claim, while it runs; not stored, the journal knows
    bool has_open_intent = false;  ///< it left a worker in the middle of a step, and nobody has looked at that since
    bool suspect = false;          ///< poison suspect: runs with no other suspect beside it
    int revision = 0;  ///< rises with every writing of the row; where several processes write (core/shared_tables.hpp)

    /// What a worker must read to go on with it; above journal_format_max it is left to newer ones.
    int format_min = 1;

    std::optional<Hash> definition;  ///< blob of the recorded definition (agents)
    Memo memo;
    TaskRef root = 0, parent = 0;
    std::array<std::uint8_t, 16> trace_id{};
    Instant created{}, updated{};
    Micros active{0};  ///< time spent running, up to the newest transition
    std::string key;   ///< idempotency key, empty = none

    std::string input;   ///< JSON text as given
    std::string output;  ///< JSON text, when completed
    std::string error;   ///< encode_failure, when failed, cancelled or paused
};

}  // namespace pawl::core
