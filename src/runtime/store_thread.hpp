// The thread that owns the store: takes batches, applies, flushes, and carries the outcomes to the loop.
#pragma once

#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/loop.hpp"
#include "runtime/store_turns.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <thread>

namespace pawl::runtime {

/// What became of a store at its end.
struct StoreEnd {
    /// Records of workers that were refused: what they say of running tasks is lost. The log names the tasks.
    std::size_t lost_records = 0;
    /// Why it was not closed in good order, if so: what was running has not been handed back.
    std::optional<Error> not_closed{};
};

class StoreThread {
public:
    using Open = std::function<Result<std::unique_ptr<core::Store>>()>;

    /// `open` is called again after the store was lost, and when there is none yet. `fatal` is called on the loop when
    /// it cannot be opened for a reason that waiting does not heal.
    StoreThread(Batcher& batcher, Loop& loop, Engine& engine, std::unique_ptr<core::Store> store, Open open,
                std::function<void(Error)> fatal);
    ~StoreThread() { finish(); }
    /// Takes what is queued, or refuses it when the store is lost or its disk full; closes the store cleanly, joins.
    StoreEnd finish();

    /// Runs `f` on the store's thread between two batches, with the store (backup, check). Null while it is lost.
    void with_store(std::function<void(core::Store*)> f);

private:
    using Turns = StoreTurns<core::AllGuards>;
    void run();
    bool wait_for_work(std::vector<Item>& items);
    bool pause(core::Micros length);
    void do_chores();
    void refuse_late(bool is_short);

    Batcher& batcher_;
    Turns turns_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::function<void(core::Store*)>> chores_;
    bool stopping_ = false;
    StoreEnd end_;
    std::thread thread_;
};

}  // namespace pawl::runtime
