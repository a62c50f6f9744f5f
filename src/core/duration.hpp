// Lengths of time and instants as people write and read them.
#pragma once

#include "core/time.hpp"

#include <pawl/result.hpp>

#include <string>
#include <string_view>
#include <variant>

namespace pawl::core {

/// "30s", "250ms", "5min" (or "5m"), "1h", "2d", "1.5h", "1h 30min": numbers with a unit each, none negative.
/// Errors: bad_input, with the forms that are accepted.
Result<Micros> parse_duration(std::string_view text);

/// RFC 3339 with its zone: "2026-03-01T12:00:00Z", "2026-03-01T14:00:00.250+02:00".
Result<WallInstant> parse_instant(std::string_view text);

/// A length from now, or an instant.
Result<std::variant<Micros, WallInstant>> parse_deadline(std::string_view text);

/// For people: the two largest units, rounded down ("1 h 30 min", "4.2 s", "250 ms"). parse_duration reads it.
std::string format_duration(Micros length);

/// RFC 3339 in UTC with milliseconds: "2026-03-01T12:00:00.000Z".
std::string format_instant(WallInstant at);

}  // namespace pawl::core
