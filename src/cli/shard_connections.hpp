// The way to a store of several shards: a connection to each, made when it is needed.
#pragma once

#include "cli/connection.hpp"
#include "cli/shard_set.hpp"
#include "server/shards.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

namespace pawl::cli {

class ShardConnections final : public server::Shards {
public:
    /// `store` has shards.
    ShardConnections(const StoreUrl& store, Connection::Defaults defaults);

    /// As Connection::call. A shard that does not answer is not asked again for a while.
    Result<server::Response> call(Access access, const server::Request& request);

    int count() const override { return set_->count(); }
    Result<server::Response> ask(int shard, const server::Request& request) override;
    std::vector<std::optional<Result<server::Response>>> ask_all(
        std::vector<std::optional<server::Request>> requests) override;
    int draw(int end) override;

private:
    struct Away {
        Error error;
        std::chrono::steady_clock::time_point until;
    };

    const std::shared_ptr<ShardSet> set_;
    const Connection::Defaults defaults_;
    Access access_ = Access::read;
    std::vector<std::unique_ptr<Connection>> connections_;  // by the order of the URLs, as the next
    std::vector<std::optional<Away>> away_;
};

}  // namespace pawl::cli
