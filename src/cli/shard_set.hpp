// The schemas of one store, as this process knows them: which shard each is. One that is away at first is asked later.
#pragma once

#include "cli/store_url.hpp"

#include <pawl/result.hpp>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

namespace pawl::cli {

/// Thread safe. May wait for servers.
class ShardSet {
public:
    explicit ShardSet(std::vector<StoreUrl> urls) : urls_(std::move(urls)), away_(urls_.size()) {}

    /// Once for all: finds out what the schemas are; `create` makes them a store (store/postgres/postgres_shards.hpp).
    Result<void> open(bool create);

    int count() const { return static_cast<int>(urls_.size()); }
    /// With its place as far as that is known.
    StoreUrl url(std::size_t i) const;
    /// Where that URL stands. Errors: store_unavailable while it cannot be asked; bad_input when it is of another
    /// store.
    Result<core::ShardPlace> place(std::size_t i);
    /// Which URL that shard is. Errors: store_unavailable, for it is one of those that cannot be asked.
    Result<std::size_t> find(int shard);

private:
    std::optional<std::size_t> find_known(int shard) const;
    Error why_away(std::optional<std::size_t> i) const;
    void look_again();
    void take(std::size_t i, const Result<core::ShardPlace>& place);

    mutable std::mutex mutex_;
    std::mutex looking_;  // of who asks servers; before the other one
    std::vector<StoreUrl> urls_;
    std::vector<std::optional<Error>> away_;  // why a place is not known
    std::string group_;                       // empty until it is open
    std::chrono::steady_clock::time_point next_look_;
};

}  // namespace pawl::cli
