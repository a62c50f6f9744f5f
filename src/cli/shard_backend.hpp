// The client side inside a process that works all shards of a store: each call goes to the shard that it concerns.
#pragma once

#include "cli/shard_set.hpp"
#include "runtime/worker_backend.hpp"

#include <pawl/client.hpp>

#include <map>
#include <memory>
#include <vector>

namespace pawl::cli {

class ShardBackend final : public detail::Backend {
public:
    using Parts = std::vector<std::shared_ptr<runtime::WorkerBackend>>;

    /// `parts` in the order of the set's URLs.
    ShardBackend(std::shared_ptr<ShardSet> set, Parts parts) : set_(std::move(set)), parts_(std::move(parts)) {}

    Result<Submitted> submit(std::string_view type, std::string input, const SubmitOptions& options) override;
    std::vector<Result<Submitted>> submit_many(std::string_view type, std::vector<std::string> inputs,
                                               const SubmitOptions& options) override;
    Result<std::string> wait(const std::string& id, std::optional<Duration> limit) override;
    Result<TaskStatus> status(const std::string& id) override;
    std::string why(const std::string& id) override;
    Result<void> operate(const std::string& id, detail::TaskVerb verb) override;
    Result<void> resolve(const std::string& id, std::string_view step, std::string_view outcome,
                         std::string result) override;
    Result<void> signal(const std::string& id, std::string_view name, std::string value,
                        std::string_view request_id) override;
    Result<void> answer(const std::string& id, bool approved, std::string_view step, std::string_view comment,
                        std::string_view request_id) override;

private:
    using Part = std::shared_ptr<runtime::WorkerBackend>;
    /// Errors: store_unavailable while it is not known which of them that shard is, or it is away.
    Result<Part> part(int shard) const;
    Result<Part> part_of(const std::string& id) const;
    /// One that is not away, by chance.
    Result<Part> any() const;

    const std::shared_ptr<ShardSet> set_;
    const Parts parts_;
};

}  // namespace pawl::cli
