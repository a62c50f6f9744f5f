// The thread that owns the store: takes batches, applies, flushes, and carries the outcomes to the loop.
#pragma once

#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/loop.hpp"
#include "runtime/store_turns.hpp"

#include <functional>
#include <memory>
#include <thread>

namespace pawl::runtime {

class StoreThread {
public:
    using Open = std::function<Result<std::unique_ptr<core::Store>>()>;

    /// `open` is called again after the store was lost. `fatal` is called on the loop when it cannot be opened for a
    /// reason that waiting does not heal.
    StoreThread(Batcher& batcher, Loop& loop, Engine& engine, std::unique_ptr<core::Store> store, Open open,
                std::function<void(Error)> fatal);
    ~StoreThread() { finish(); }
    /// Takes what is queued, or refuses it when the store is lost or its disk full; closes the store cleanly, joins.
    /// The answer: how many records of workers were refused, so that what they say is lost.
    std::size_t finish();

    /// Runs `f` on the store's thread between two batches, with the store (backup, check). Null while it is lost.
    void with_store(std::function<void(core::Store*)> f);

private:
    using Turns = StoreTurns<core::AllGuards>;
    void run();
    bool wait_for_work(std::vector<Item>& items);
    bool pause(core::Micros length);
    void do_chores();

    Batcher& batcher_;
    Turns turns_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::function<void(core::Store*)>> chores_;
    bool stopping_ = false;
    std::size_t lost_records_ = 0;
    std::thread thread_;
};

}  // namespace pawl::runtime
