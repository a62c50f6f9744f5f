// The bytes of a TZif file, taken apart and checked.
#pragma once

#include <pawl/result.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::core {

struct Tzif {
    struct Transition {
        std::chrono::sys_seconds at;
        std::chrono::seconds offset;  ///< from then on
    };
    std::chrono::seconds first_offset{0};  ///< before all transitions
    std::vector<Transition> transitions;   ///< ascending
    std::string footer;                    ///< the rule for the time after them, or empty
};

/// Errors: bad_input, without the zone's name.
Result<Tzif> read_tzif(std::string_view bytes);

}  // namespace pawl::core
