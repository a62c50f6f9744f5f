// The thread that owns the store: takes batches, applies, flushes, and carries the outcomes to the loop.
#pragma once

#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/loop.hpp"

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
    /// Takes what is queued, closes the store cleanly, joins.
    ~StoreThread();

    /// Runs `f` on the store's thread between two batches, with the store (backup, check). Null while it is lost.
    void with_store(std::function<void(core::Store*)> f);

private:
    void run();
    bool turn();
    void answer_disk_full(std::vector<Item> items, const Error& error);
    bool reopen(std::vector<Item> unanswered, const Error& error);
    void do_chores();
    bool pause(core::Micros length);

    Batcher& batcher_;
    Loop& loop_;
    Engine& engine_;
    std::unique_ptr<core::Store> store_;
    Open open_;
    std::function<void(Error)> fatal_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::function<void(core::Store*)>> chores_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace pawl::runtime
