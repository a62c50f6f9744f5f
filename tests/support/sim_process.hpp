// One process on the simulated disk: loop, pool, batcher, store and engine, put together as runtime/holder.cpp does,
// with nothing that moves by itself.
#pragma once

#include "core/ledger.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/store_turns.hpp"
#include "store/memory/memory_store.hpp"
#include "support/sim_loop.hpp"
#include "support/sim_pool.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace pawl::testing {

using MakeTurns = std::unique_ptr<runtime::StoreTurnsBase> (*)(runtime::StoreParts, std::unique_ptr<core::Store>);
template <class Guards>
std::unique_ptr<runtime::StoreTurnsBase> make_turns(runtime::StoreParts parts, std::unique_ptr<core::Store> store) {
    return std::make_unique<runtime::StoreTurns<Guards>>(std::move(parts), std::move(store));
}

struct SimProcessParts {
    SimClock& clock;
    SimRandom& chance;
    const runtime::Registry& registry;
    runtime::EngineOptions engine;
    MakeTurns make_turns;
    std::function<Result<std::unique_ptr<core::Store>>()> open;
    core::Micros pool_delay_max, flush_length_max;
    /// Sees each batch before the store does, and may add to it.
    std::function<void(std::vector<runtime::Item>&)> on_take;
    /// The store failed, or is back after a failure: what ran before may run again.
    std::function<void()> on_disturbance;
    /// The way to the network, for a process that has one.
    std::function<std::unique_ptr<core::Net>(runtime::Loop&)> make_net;
};

class SimProcess {
public:
    SimProcess(SimProcessParts parts, std::unique_ptr<core::Store> store);
    /// The process dies as it stands.
    ~SimProcess();

    /// Something that could happen now. Which of them does is drawn.
    struct Choice {
        enum class What : std::uint8_t { post, boot_timer, wall_timer, store, function };
        What what;
        std::uint64_t number = 0;
    };
    void collect(std::vector<Choice>& choices) const;
    void happen(const Choice& choice);
    /// Boot time of the next thing that happens by itself.
    std::optional<core::Micros> next() const;

    /// How often the store was flushed or opened so far, and how often opened.
    int flushes() const { return flushes_; }
    int openings() const { return openings_; }
    /// Null while the store is lost.
    store::MemoryStore* store() const { return static_cast<store::MemoryStore*>(turns_->store()); }
    /// Takes what is queued, closes the store, and lets what was posted run: the end of a clean stop.
    void close();

    SimLoop& loop() { return loop_; }
    SimPool& pool() { return pool_; }
    runtime::Batcher& batcher() { return batcher_; }
    runtime::Engine& engine() { return *engine_; }
    bool is_quiet() const { return engine_->quiet() && !loop_.has_post() && !store_has_work(); }

private:
    bool store_has_work() const;
    void turn_store();

    SimProcessParts parts_;
    SimLoop loop_;
    SimPool pool_;
    runtime::Batcher batcher_;
    std::unique_ptr<core::Net> net_;
    std::unique_ptr<runtime::Engine> engine_;
    std::unique_ptr<runtime::StoreTurnsBase> turns_;
    runtime::StoreTurnsBase::Next next_turn_;
    core::Micros next_turn_at_{};
    int flushes_ = 1, openings_ = 1;
};

}  // namespace pawl::testing
