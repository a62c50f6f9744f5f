// One field of a cron line.
#pragma once

#include <pawl/result.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace pawl::core {

struct CronField {
    std::string_view name;
    int least, most;                          ///< the values that may be written
    int last;                                 ///< where `*` and `a/step` end: 6 for days of week, whose 7 is 0 again
    std::span<const std::string_view> names;  ///< of `least` and those after it
};

namespace cron_names {
inline constexpr std::array<std::string_view, 12> months{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                         "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
inline constexpr std::array<std::string_view, 7> weekdays{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
}  // namespace cron_names

/// In the order of a line.
inline constexpr std::array cron_fields{
    CronField{"minute", 0, 59, 59, {}},
    CronField{"hour", 0, 23, 23, {}},
    CronField{"day of month", 1, 31, 31, {}},
    CronField{"month", 1, 12, 12, cron_names::months},
    CronField{"day of week", 0, 7, 6, cron_names::weekdays},
};

/// One bit for each value that fits. Errors: bad_input, without the line.
Result<std::uint64_t> parse_cron_field(const CronField& field, std::string_view text);

}  // namespace pawl::core
