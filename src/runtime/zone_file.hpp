// The machine's time zones: core takes them apart, this reads their files.
#pragma once

#include "core/time_zone.hpp"

#include <pawl/result.hpp>

#include <string>
#include <string_view>

namespace pawl::runtime {

/// Where Debian's package tzdata puts them.
inline constexpr std::string_view zone_folder = "/usr/share/zoneinfo";

/// The zone of that name. UTC is always there, without a file. Reads the file again each time: a package that was
/// updated meanwhile counts.
/// Errors: bad_input (no name of a zone; a damaged file), not_found (not installed; names the nearest that is).
Result<core::TimeZone> load_zone(std::string_view name, const std::string& folder = std::string(zone_folder));

}  // namespace pawl::runtime
