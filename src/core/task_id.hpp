// Public task ids: `t_` and 26 characters of Crockford base32.
#pragma once

#include "core/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::core {

/// 128 bits: 48-bit milliseconds, 8-bit shard, 72 random bits. Sorts by age; unguessable enough for a URL.
struct TaskId {
    std::array<std::uint8_t, 16> bytes{};

    friend auto operator<=>(const TaskId&, const TaskId&) = default;
    std::uint8_t shard() const { return bytes[6]; }
};

TaskId make_task_id(WallInstant now, std::uint8_t shard, std::uint64_t random_high, std::uint64_t random_low);

/// `t_01JD...`: 28 characters, upper case.
std::string to_string(const TaskId& id);

/// Accepts exactly what to_string gives; case does not matter. Nothing for anything else.
std::optional<TaskId> parse_task_id(std::string_view text);

}  // namespace pawl::core
