// Limits and defaults of the engine (docs/concepts.md). Configuration may change those marked so; sizes are bytes.
#pragma once

#include "core/time.hpp"

#include <cstddef>
#include <cstdint>

namespace pawl::core::limits {

using namespace std::chrono_literals;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

// ---- content (configurable, except the depth: every reader must accept what any writer stored) -------------------
constexpr std::size_t input_bytes_max = 1 * mib;
constexpr std::size_t result_bytes_max = 1 * mib;
constexpr std::size_t asked_bytes_max = 64 * kib;  ///< the question of an approval, the schema of a signal
constexpr std::size_t signal_bytes_max = 256 * kib;
constexpr std::size_t error_bytes_max = 16 * kib;
constexpr std::size_t batch_bytes_max = 4 * mib;
/// Of the results and errors in the journal of one task; beyond it nothing new starts in it: paused(budget).
constexpr std::int64_t journal_bytes_max = 1024 * mib;
constexpr std::size_t artifact_row_bytes = 256 * kib;
constexpr int json_depth_max = 64;

// ---- names -------------------------------------------------------------------------------------------------------
constexpr std::size_t name_bytes_max = 128;  ///< of a type, queue, namespace, agent, tool
constexpr std::size_t step_name_bytes_max = 256;
constexpr std::size_t key_bytes_max = 255;  ///< idempotency, flow-control key and request id; at least 1
constexpr std::size_t tag_bytes_max = 128;
constexpr std::size_t note_bytes_max = 1 * kib;  ///< an operator's reason or comment
constexpr std::size_t tags_max = 32;

// ---- what the row remembers --------------------------------------------------------------------------------------
constexpr int unread_messages_max = 10'000;         ///< signals and answers that no operation has taken
constexpr int open_waits_max = 1'000;               ///< operations of one task that wait for somebody's word
constexpr std::size_t patches_max = 1'000;          ///< changes that one task has asked ctx.patched for
constexpr std::size_t values_bytes_max = 16 * kib;  ///< progress and values of one task, keys included

// ---- submit ------------------------------------------------------------------------------------------------------
constexpr int priority_min = -100;
constexpr int priority_max = 100;
constexpr int attempts_max = 1'000;        ///< 0 = no limit, which needs a deadline
constexpr Micros delay_max = 24h * 3'652;  ///< ten years
constexpr Micros limit_length_max =
    24h * 3'652;                    ///< of deadline, queue_timeout and every other limit given as a length
constexpr Micros aging_step = 60s;  ///< age that weighs as much as one level of priority (configurable)

// ---- keeping (configurable) --------------------------------------------------------------------------------------
constexpr Micros key_life = 24h * 7;    ///< of an idempotency key, from the end of its task
constexpr Micros retention = 24h * 30;  ///< of a final task; never less than its key's life

// ---- retry -------------------------------------------------------------------------------------------------------
constexpr int attempts_default = 5;
constexpr Micros retry_after_max = 10min;  ///< a longer Retry-After of a server counts as this

// ---- time --------------------------------------------------------------------------------------------------------
constexpr Micros step_timeout = 60s;
constexpr Micros model_call_timeout = 300s;
constexpr Micros model_idle = 60s;
constexpr Micros approval_timeout = 24h;
constexpr Micros agent_active_time = 1h;
constexpr Micros stop_grace = 10s;    ///< between the stop token and the hard stop
constexpr Micros hard_stop = 5s;      ///< a tool is dead within this after the hard stop
constexpr Micros undo_limit = 24h;    ///< of all compensations of one end of task, then paused(exhausted)
constexpr Micros lease_length = 15s;  ///< PostgreSQL
constexpr Micros lease_renewal = 5s;

// ---- poison ------------------------------------------------------------------------------------------------------
constexpr int suspect_crashes = 2;  ///< from here on a task runs with no other suspect beside it
constexpr int poison_crashes = 5;   ///< deaths while alone, then paused(poison)

}  // namespace pawl::core::limits
