// This process works a store: one file or schema, or all shards of a store, each with an engine of its own and with the
// process's slots in common.
#pragma once

#include "cli/held_store.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace pawl::cli {

class HeldStores {
public:
    /// As HeldStore::open. Of several shards some may be away: they are worked when they come.
    static Result<std::unique_ptr<HeldStores>> open(const StoreUrl& store, const runtime::Registry& registry,
                                                    HeldStoreOptions options);
    ~HeldStores();

    std::size_t size() const { return helds_.size(); }
    HeldStore& at(std::size_t i) { return *helds_.at(i); }
    const runtime::EngineOptions& options() const { return helds_.front()->holder().engine().options(); }

    /// The loop that runs on the thread of run(); the others have threads of their own.
    runtime::AsioLoop& main_loop() { return helds_.front()->holder().loop(); }
    /// Runs the loops until leave().
    void run();
    /// All loops on threads of their own, until this object goes.
    void run_in_background();
    /// Ends run(). Any thread.
    void leave() { helds_.front()->holder().leave(); }
    /// Begins to claim.
    void work();
    /// Claims nothing more; `done` is called on the main loop when all is handed back.
    void drain(std::function<void()> done);
    /// Called on the main loop, once, when every store of this process is lost for good, with the first one's reason.
    /// Nothing: it is not called any more.
    void on_fatal(std::function<void(Error)> f);
    /// Calls `idle` on the main loop (runtime/idle.hpp).
    void when_idle(const runtime::Registry& registry, const std::vector<std::string>& queues,
                   std::function<void()> idle);
    /// As HeldStore::close_store, of all.
    runtime::StoreEnd close_store();
    bool wait_for_functions(core::Micros limit);
    /// Whether something ran still at the end of drain() that ignores its stop.
    bool has_left_behind() const { return has_left_behind_; }
    /// For functions of steps that ignore their stop: closes the stores, which hands their tasks back, and returns; all
    /// the rest goes once they have returned, `program` with it. Until then nothing but they uses what `registry` gave,
    /// no workflow goes on, and a file's lock is held: nobody may begin their tasks anew before.
    static void leave_behind(std::unique_ptr<HeldStores> held, std::shared_ptr<const void> program);

    /// One request over all of it, answered by the engines of this process. Not from a loop. `is_gone`: the loops do
    /// not run any more, and there will be no answer (unreachable).
    Result<server::Response> ask(const server::Request& request, const std::function<bool()>& is_gone);

private:
    class Way;
    HeldStores() = default;

    std::shared_ptr<ShardSet> set_;  // null: one store
    std::vector<std::unique_ptr<HeldStore>> helds_;
    std::mutex mutex_;  // of what follows
    std::function<void(Error)> fatal_;
    std::optional<Error> first_loss_;
    std::size_t lost_ = 0, draining_ = 0;
    std::atomic<bool> has_left_behind_ = false;
};

}  // namespace pawl::cli
