// The router's port in a process that works the file: commands join the worker's batches, reads go to the reader's
// thread, waits hear of each flushed batch.
#pragma once

#include "runtime/holder.hpp"
#include "server/port.hpp"

#include <atomic>
#include <string>

namespace pawl::server {

/// Thread safety: the holder's loop thread only.
class EnginePort final : public Port {
public:
    /// `holder` and `registry` must outlive the port.
    EnginePort(runtime::Holder& holder, const runtime::Registry& registry, runtime::EngineOptions options,
               std::string name);
    ~EnginePort() override;

    /// From the start of work() until its end the worker shows in worker().
    void set_working(bool on) { working_ = on; }

    void send(std::vector<core::Command> commands,
              std::function<void(std::vector<Result<core::Answer>>)> done) override;
    void read(std::function<void(core::Reader&)> work, std::function<void()> done) override;
    std::unique_ptr<Wait> wait(std::optional<core::TaskId> task, Change change, core::Micros limit,
                               std::function<void(bool changed)> woken) override;
    std::optional<WorkerStatus> worker() const override;
    std::vector<LiveStep> live_steps(core::TaskRef task) const override;
    void set_defaults(core::SubmitRequest& request) const override;
    /// Any thread.
    void set_shard(int shard) { shard_ = shard; }
    int shard() const override { return shard_; }
    std::string store_name() const override { return name_; }
    const core::Clock& clock() const override { return holder_.clock(); }
    core::Instant store_now() const override { return holder_.engine().now(); }
    core::Random& random() override { return holder_.random(); }

private:
    class EngineWait;

    runtime::Holder& holder_;
    const runtime::Registry& registry_;
    const runtime::EngineOptions options_;
    const std::string name_;
    std::atomic<int> shard_ = 0;
    bool working_ = false;
};

}  // namespace pawl::server
