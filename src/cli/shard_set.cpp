#include "cli/shard_set.hpp"

#include "store/postgres/at_once.hpp"
#include "store/postgres/postgres_shards.hpp"

#include <algorithm>

namespace pawl::cli {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr auto pause_between_looks = 1s;

}  // namespace

Result<void> ShardSet::open(bool create) {
    std::lock_guard looking(looking_);
    if (!group_.empty()) return {};
    std::vector<std::string> places;
    for (const StoreUrl& url : urls_) places.push_back(url.place);
    const auto found = store::find_postgres_shards(places, create);
    if (!found) return found.error();
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < urls_.size(); ++i) {
        const store::PostgresShard& shard = (*found)[i];
        away_[i] = shard.away;
        if (!shard.place) continue;
        urls_[i].shard = *shard.place;
        group_ = shard.place->group;
    }
    next_look_ = SteadyClock::now() + pause_between_looks;
    return {};
}

StoreUrl ShardSet::url(std::size_t i) const {
    std::lock_guard lock(mutex_);
    return urls_.at(i);
}

std::optional<std::size_t> ShardSet::find_known(int shard) const {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < urls_.size(); ++i)
        if (urls_[i].shard.is_part() && urls_[i].shard.shard == shard) return i;
    return std::nullopt;
}

// Of one URL, or of all whose place is not known: any of them may be the shard that is looked for.
Error ShardSet::why_away(std::optional<std::size_t> of) const {
    std::lock_guard lock(mutex_);
    Error error{Errc::store_unavailable, ""};
    for (std::size_t i = 0; i < away_.size(); ++i) {
        if ((of && *of != i) || !away_[i]) continue;
        if (error.message.empty()) error = *away_[i];
        else error.message += "; or " + away_[i]->message;
    }
    if (error.code != Errc::bad_input) error.code = Errc::store_unavailable;
    return error;
}

void ShardSet::take(std::size_t i, const Result<core::ShardPlace>& place) {
    std::lock_guard lock(mutex_);
    if (!place) {
        away_[i] = place.error();
        return;
    }
    const bool is_taken = std::ranges::any_of(
        urls_, [&](const StoreUrl& url) { return url.shard.is_part() && url.shard.shard == place->shard; });
    if (place->group == group_ && place->shards == count() && !is_taken) {
        urls_[i].shard = *place;
        away_[i].reset();
        return;
    }
    away_[i] = Error{Errc::bad_input, urls_[i].shown +
                                          " is no shard of this store, or one that was named already; "
                                          "name each of its schemas once"};
}

void ShardSet::look_again() {
    std::lock_guard looking(looking_);
    if (group_.empty() || SteadyClock::now() < next_look_) return;
    store::at_once(urls_.size(), [this](std::size_t i) {
        const StoreUrl one = url(i);
        if (!one.shard.is_part()) take(i, store::read_postgres_place(one.place));
    });
    next_look_ = SteadyClock::now() + pause_between_looks;
}

Result<core::ShardPlace> ShardSet::place(std::size_t i) {
    if (!url(i).shard.is_part()) look_again();
    if (const StoreUrl known = url(i); known.shard.is_part()) return known.shard;
    return why_away(i);
}

Result<std::size_t> ShardSet::find(int shard) {
    if (const auto known = find_known(shard)) return *known;
    look_again();
    if (const auto known = find_known(shard)) return *known;
    return why_away(std::nullopt);
}

}  // namespace pawl::cli
