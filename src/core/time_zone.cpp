#include "core/time_zone.hpp"

#include "core/assert.hpp"
#include "core/shown.hpp"
#include "core/tzif.hpp"

#include <algorithm>

namespace pawl::core {

namespace chr = std::chrono;
using chr::local_seconds;
using chr::seconds;
using chr::sys_seconds;

namespace {

constexpr std::size_t name_bytes_max = 64;
// No offset reaches it (tzif.cpp, PosixZone), so an instant and its local time are nearer than this.
constexpr seconds offset_bound = chr::hours{26};
// No wall instant is beyond it; sums of what is within do not overflow.
constexpr sys_seconds far_future{seconds{9'300'000'000'000}};
constexpr sys_seconds far_past{-far_future.time_since_epoch()};

bool is_part_of_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-';
}

sys_seconds as_utc(local_seconds local) { return sys_seconds{local.time_since_epoch()}; }

Error with_zone(std::string_view name, const Error& error) {
    return {error.code, "time zone " + shown(name) + ": " + error.message};
}

}  // namespace

Result<void> check_zone_name(std::string_view name) {
    bool good = !name.empty() && name.size() <= name_bytes_max && name.back() != '/';
    char before = '/';
    for (const char c : name) {
        good = good && (is_part_of_name(c) || (c == '/' && before != '/'));
        before = c;
    }
    if (good) return {};
    return Error{Errc::bad_input,
                 "time zone " + shown(name) +
                     " is not the name of one; write for example Europe/Berlin, America/New_York or UTC"};
}

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view tzif) {
    const auto file = read_tzif(tzif);
    if (!file) return with_zone(name, file.error());

    TimeZone zone;
    zone.name_ = name;
    zone.first_offset_ = file->first_offset;
    seconds offset = zone.first_offset_;
    for (const Tzif::Transition& transition : file->transitions) {
        if (transition.at >= far_future) break;
        zone.rule_from_ = transition.at;
        // A change of the abbreviation alone, or before all time that we can say, is none.
        if (transition.at <= far_past) {
            zone.first_offset_ = transition.offset;
        } else if (transition.offset != offset) {
            zone.changes_.push_back({transition.at, transition.offset});
        }
        offset = transition.offset;
    }
    if (file->footer.empty()) return zone;

    const auto rule = PosixZone::parse(file->footer);
    if (!rule) return with_zone(name, rule.error());
    zone.rule_ = *rule;
    const bool has_past = zone.rule_from_ > far_past;
    if (has_past && rule->offset_at(zone.rule_from_) != offset) {
        return with_zone(name, {Errc::bad_input, "its file is damaged: its last line contradicts its last transition"});
    }
    return zone;
}

seconds TimeZone::offset_at(sys_seconds at) const {
    PAWL_ASSERT(at >= far_past && at <= far_future);
    if (rule_ && at >= rule_from_) return rule_->offset_at(at);
    const auto next = std::upper_bound(changes_.begin(), changes_.end(), at,
                                       [](sys_seconds t, const Change& change) { return t < change.at; });
    return next == changes_.begin() ? first_offset_ : std::prev(next)->after;
}

local_seconds TimeZone::to_local(sys_seconds at) const {
    return local_seconds{(at + offset_at(at)).time_since_epoch()};
}

std::optional<sys_seconds> TimeZone::next_change_after(sys_seconds at) const {
    const auto next = std::upper_bound(changes_.begin(), changes_.end(), at,
                                       [](sys_seconds t, const Change& change) { return t < change.at; });
    if (next != changes_.end()) return next->at;
    if (!rule_) return std::nullopt;
    return rule_->next_change_after(std::max({at, rule_from_, far_past}));
}

LocalInstant TimeZone::to_instant(local_seconds local) const {
    const sys_seconds utc = as_utc(local);
    std::optional<LocalInstant> found;
    // Offset after offset, in each of which the local time is one instant, if it is in time.
    sys_seconds from = utc - offset_bound;
    while (from <= utc + offset_bound) {
        const sys_seconds at = utc - offset_at(from);
        const auto until = next_change_after(from);
        const bool ahead = until && at >= *until;
        if (!ahead && !found) {
            found = {std::max(at, from), at < from ? LocalInstant::Shown::never : LocalInstant::Shown::once};
        } else if (!ahead && at >= from && found->shown == LocalInstant::Shown::once) {
            found->shown = LocalInstant::Shown::twice;
        }
        if (!until) break;
        from = *until;
    }
    PAWL_ASSERT(found);
    return *found;
}

local_seconds TimeZone::latest_shown(sys_seconds at) const {
    local_seconds latest = to_local(at);
    // A clock is put back by less than two bounds: what was shown before that is passed by now.
    auto change = next_change_after(at - 2 * offset_bound);
    while (change && *change <= at) {
        latest = std::max(latest, to_local(*change - seconds{1}));
        change = next_change_after(*change);
    }
    return latest;
}

}  // namespace pawl::core
