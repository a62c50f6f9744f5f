// The client side inside a worker's own process: commands join its batches, nothing is encoded but the input.
#pragma once

#include "core/validate.hpp"
#include "runtime/call_gate.hpp"
#include "runtime/holder.hpp"

#include <pawl/client.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace pawl::runtime {

class WorkerBackend final : public detail::Backend {
public:
    /// `explain` answers `why` (it lies in a layer above). Both, and `registry`, outlive the backend.
    WorkerBackend(Holder& holder, const Registry& registry, std::function<std::string(const std::string& id)> explain);

    /// Before the holder goes: who waits is told, calls inside end, later ones get store_unavailable. Clients and
    /// handles may live on.
    void close();

    /// The shard of the store that this holder works: it stands in the ids of new tasks. Any thread.
    void set_shard(int shard) { shard_ = shard; }
    /// False once it is closed: who asks anyway is told so.
    bool is_away();
    /// As the batcher says; false after close().
    bool can_claim();

    /// Waits until nothing of `queues` (empty = all) is running or pending here (runtime/idle.hpp), or until close().
    void wait_until_idle(const std::vector<std::string>& queues);
    /// The same where more than this holder is to be idle: `watch` calls what it is given when that is so.
    void wait_until_told_idle(const std::function<void(std::function<void()> idle)>& watch);

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
    Result<core::Submit> make(std::string_view type, std::string input, const SubmitOptions& options);
    Result<core::TaskRow> row(const std::string& id);
    static Result<core::Operate> to_operate(const std::string& id, core::Operate::Verb verb);
    Result<void> send(core::Operate operate);

    // Who waits for an idle moment: one after the other, since each must see what it submitted itself.
    struct IdleTurns {
        std::mutex mutex;
        std::condition_variable changed;
        bool is_watching = false, is_closed = false;
    };

    CallGate gate_;
    std::atomic<int> shard_ = 0;
    const std::shared_ptr<IdleTurns> idle_ = std::make_shared<IdleTurns>();
    Holder& holder_;  // not after close()
    const Registry& registry_;
    std::function<std::string(const std::string&)> explain_;
};

/// What the type's registration gives to a submit that leaves it out: queue, priority, deadline, definition.
void apply_defaults(core::SubmitRequest& request, const Registry& registry);

}  // namespace pawl::runtime
