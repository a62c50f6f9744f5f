// Time zones, read from the bytes of a TZif file (RFC 8536, RFC 9636); who reads the file is not core's affair.
#pragma once

#include "core/posix_zone.hpp"

#include <pawl/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::core {

/// "Europe/Berlin": parts of letters, digits, `_ + -`, joined by `/`, at most 64 characters. No dots, so that no name
/// leads out of the folder of zones. Errors: bad_input.
Result<void> check_zone_name(std::string_view name);

/// What a local time is as an instant.
struct LocalInstant {
    enum class Shown : std::uint8_t {
        once,
        never,  ///< the clock was put forward over it: `at` is the instant of that
        twice,  ///< the clock was put back over it: `at` is the first
    };
    std::chrono::sys_seconds at;
    Shown shown = Shown::once;
};

/// The offsets of one zone, past and future. Instants are those of WallInstant: 292,000 years either way.
class TimeZone {
public:
    TimeZone() = default;  ///< UTC

    /// Versions 1 to 4; the name is for messages. Errors: bad_input when the bytes are no whole TZif file, contradict
    /// themselves, or count leap seconds (the zones below "right/"), which the wall clock does not.
    static Result<TimeZone> parse(std::string_view name, std::string_view tzif);

    const std::string& name() const { return name_; }

    std::chrono::seconds offset_at(std::chrono::sys_seconds at) const;
    std::chrono::local_seconds to_local(std::chrono::sys_seconds at) const;
    LocalInstant to_instant(std::chrono::local_seconds local) const;
    /// When the offset changes next, strictly after `at`.
    std::optional<std::chrono::sys_seconds> next_change_after(std::chrono::sys_seconds at) const;
    /// The latest local time, in whole seconds, that the zone's clock has shown until `at`: more than to_local(at)
    /// while it shows the times again that it was put back over.
    std::chrono::local_seconds latest_shown(std::chrono::sys_seconds at) const;

private:
    struct Change {
        std::chrono::sys_seconds at;
        std::chrono::seconds after;  ///< offset from then on
    };

    std::string name_ = "UTC";
    std::chrono::seconds first_offset_{0};
    std::vector<Change> changes_;    ///< ascending, each to another offset
    std::optional<PosixZone> rule_;  ///< from `rule_from_` on
    std::chrono::sys_seconds rule_from_ = std::chrono::sys_seconds::min();
};

}  // namespace pawl::core
