// The port of a process that runs no worker: every command is applied and flushed at once. It waits, within bounds, for
// a store that is away and for another transaction that has what a command needs.
#pragma once

#include "server/port.hpp"

#include <chrono>
#include <span>

namespace pawl::server {

class DirectPort final : public Port {
public:
    using Defaults = std::function<void(core::SubmitRequest&)>;

    /// Exactly one of `store` and `reader`: with a reader alone every command is refused. `clock` and `random` must
    /// outlive the port. `name` is what people call the store (its path); `defaults` is for set_defaults.
    DirectPort(std::unique_ptr<core::Store> store, std::unique_ptr<core::Reader> reader, const core::Clock& clock,
               core::Random& random, std::string name, Defaults defaults = {});
    /// Closes the store, as clean unless a write failed.
    ~DirectPort() override;

    void send(std::vector<core::Command> commands,
              std::function<void(std::vector<Result<core::Answer>>)> done) override;
    void read(std::function<void(core::Reader&)> work, std::function<void()> done) override;
    /// Nothing changes here while nobody works the file: answers `false` at once.
    std::unique_ptr<Wait> wait(std::optional<core::TaskId> task, Change change, core::Micros limit,
                               std::function<void(bool changed)> woken) override;
    std::optional<WorkerStatus> worker() const override { return std::nullopt; }
    std::vector<LiveStep> live_steps(core::TaskRef) const override { return {}; }
    void set_defaults(core::SubmitRequest& request) const override {
        if (defaults_) defaults_(request);
    }
    void set_shard(int shard) { shard_ = shard; }
    int shard() const override { return shard_; }
    std::string store_name() const override { return name_; }
    const core::Clock& clock() const override { return *clock_; }
    core::Instant store_now() const override;
    core::Random& random() override { return *random_; }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    Result<std::vector<Result<core::Answer>>> apply(const std::vector<core::Command>& commands);
    Result<core::Applied> apply_until(std::span<const core::Command> commands, Deadline deadline);

    std::unique_ptr<core::Store> store_;
    std::unique_ptr<core::Reader> reader_;
    const core::Clock* clock_;
    core::Random* random_;
    std::string name_;
    int shard_ = 0;
    Defaults defaults_;
    core::Instant last_now_{};
    std::optional<Error> broken_;  ///< a write failed: what the store holds now is not known
};

}  // namespace pawl::server
