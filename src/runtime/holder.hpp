// One process's hold on one store: loop, store thread, blocking pool, engine, put together and taken apart in order.
#pragma once

#include "core/store.hpp"
#include "runtime/asio_loop.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/store_thread.hpp"
#include "runtime/thread_pool.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace pawl::runtime {

struct HolderOptions {
    EngineOptions engine;
    int pool_threads_max = 0;  ///< 0 = concurrency + 16: checks and deaf steps never starve the others
    /// Final tasks older than this are deleted, hourly.
    core::Micros retention;
    /// Of a process that works several stores; null: this one has engine.concurrency for itself.
    std::shared_ptr<Slots> slots;
    /// A store that cannot be reached at the start is opened later.
    bool may_be_away = false;

    HolderOptions();
};

/// How a holder gets what its layer may not know.
struct HolderParts {
    /// `wake` may be called from any thread, also after the store is gone: others have written to it.
    std::function<Result<std::unique_ptr<core::Store>>(std::function<void()> wake)> open_store;
    std::function<Result<std::unique_ptr<core::Reader>>()> open_reader;
    std::function<std::unique_ptr<core::Net>(boost::asio::io_context&)> make_net;  ///< may be empty
};

class Holder {
public:
    /// Opens the store. Nothing is claimed before work(). Errors: those of the parts (but for a store that may be away:
    /// the reader must then open its own); store_unavailable when the system gives no threads.
    static Result<std::unique_ptr<Holder>> open(HolderParts parts, const Registry& registry, HolderOptions options);
    ~Holder();

    /// Begins to claim. Any thread, once.
    void work();
    /// Runs the loop on a thread of its own until the holder is destroyed.
    void run_in_background();
    /// Runs the loop on the calling thread until leave().
    void run();
    /// Ends run(). Any thread.
    void leave() { loop_.stop(); }
    /// Closes the store, ends the loop and gives up everything that is held: from here on nothing is used of the
    /// registry, and no code of a workflow runs; functions of steps that are running go on. Not from the loop thread.
    void stop();
    /// stop(), then waits for those functions; its objects still exist. Once, not from the loop thread; also by the
    /// destructor.
    void close();
    /// Writes what is queued, closes the store; what was lost by it. Once, not from the loop thread; close() does it
    /// too.
    StoreEnd close_store() {
        StoreEnd end = store_thread_ ? store_thread_->finish() : StoreEnd{};
        store_thread_.reset();
        return end;
    }
    /// After an idle moment (runtime/idle.hpp): claims again. Any thread.
    void resume_claims() {
        batcher_.hold_claims(false);
        batcher_.kick();
    }
    /// Waits for functions of steps that are still running; false when that takes longer. Not from the loop thread.
    bool wait_for_functions(core::Micros limit) { return pool_->wait_until_idle(limit); }
    /// Claims nothing more, hands back what is held, then calls `done` on the loop. Any thread.
    void drain(std::function<void()> done);

    /// A client's command from a thread that is not the loop: waits for room and for the answer.
    Result<core::Answer> call(core::Command command);

    /// Reads on the reader's thread; `done` follows on the loop. Loop thread.
    void read(std::function<void(core::Reader&)> work, std::function<void()> done);
    /// Reads on the calling thread, after the read that is under way. Not from the loop thread.
    void read_here(const std::function<void(core::Reader&)>& work);

    /// The store cannot be reached now. Any thread.
    bool is_away() const { return batcher_.is_store_away(); }
    AsioLoop& loop() { return loop_; }
    Engine& engine() { return *engine_; }
    StoreThread& store_thread() { return *store_thread_; }
    const MachineClock& clock() const { return clock_; }
    MachineRandom& random() { return random_; }
    Batcher& batcher() { return batcher_; }
    /// What became of the store, when it is lost for good. Any thread.
    std::optional<Error> lost();
    /// Called on the loop when the store is lost for good.
    void on_fatal(std::function<void(Error)> f) { fatal_ = std::move(f); }

private:
    /// Where a store's call goes, while the holder is there.
    struct Relay {
        std::mutex mutex;
        Holder* holder = nullptr;
    };
    static StoreThread::Open opener(const HolderParts& parts, const std::shared_ptr<Relay>& relay);
    Holder(HolderParts parts, const Registry& registry, HolderOptions options, std::unique_ptr<core::Store> store,
           std::unique_ptr<core::Reader> reader, std::shared_ptr<Relay> relay);
    void lose(const Error& error);
    void purge();

    HolderParts parts_;
    HolderOptions options_;
    std::shared_ptr<Relay> relay_;
    MachineClock clock_;
    MachineRandom random_;
    AsioLoop loop_;
    std::unique_ptr<core::Net> net_;
    Batcher batcher_;
    std::unique_ptr<ThreadPool> pool_;
    std::mutex reader_mutex_;
    std::unique_ptr<core::Reader> reader_;
    std::unique_ptr<ThreadPool> reader_thread_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<StoreThread> store_thread_;
    std::function<void(Error)> fatal_;
    std::mutex lost_mutex_;
    std::optional<Error> lost_;
    std::thread thread_;
    bool closed_ = false;
};

}  // namespace pawl::runtime
