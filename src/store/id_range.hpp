// A prefix of an id's text as a range of its bytes.
#pragma once

#include "core/task_id.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace pawl::store {

struct IdRange {
    core::TaskId low, high;
};

/// Each digit fixes 5 of 130 bits, the first two of which are zero. `prefix` is without `t_`. Nothing when no id begins
/// so.
inline std::optional<IdRange> range_of_prefix(std::string_view prefix) {
    constexpr std::size_t digits = 26;
    if (prefix.size() > digits) return std::nullopt;
    std::string low = "t_" + std::string(prefix);
    std::string high = low;
    low.append(digits - prefix.size(), '0');
    high.append(digits - prefix.size(), 'Z');
    if (prefix.empty()) high[2] = '7';
    const auto first = core::parse_task_id(low);
    const auto last = core::parse_task_id(high);
    if (!first || !last) return std::nullopt;
    return IdRange{*first, *last};
}

}  // namespace pawl::store
