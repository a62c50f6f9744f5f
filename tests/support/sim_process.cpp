#include "support/sim_process.hpp"

#include "core/assert.hpp"

namespace pawl::testing {

using What = runtime::StoreTurnsBase::What;

SimProcess::SimProcess(SimProcessParts parts, std::unique_ptr<core::Store> store)
    : parts_(std::move(parts)),
      loop_(parts_.clock),
      pool_(parts_.clock, parts_.chance, parts_.pool_delay_max),
      batcher_(parts_.clock) {
    if (parts_.make_net) net_ = parts_.make_net(loop_);
    engine_ = std::make_unique<runtime::Engine>(
        runtime::EngineParts{loop_, pool_, batcher_, parts_.clock, parts_.chance, net_.get()}, parts_.registry,
        parts_.engine);
    turns_ = parts_.make_turns({batcher_, loop_, *engine_, parts_.open, [](const Error&) {}}, std::move(store));
}

// Functions first: they hold references into the engine's executions.
SimProcess::~SimProcess() {
    loop_.shut();
    pool_.die();
    turns_.reset();
    engine_.reset();
}

bool SimProcess::store_has_work() const {
    if (next_turn_.what == What::dead) return false;
    return next_turn_.what != What::take || batcher_.has_work();
}

void SimProcess::collect(std::vector<Choice>& choices) const {
    using W = Choice::What;
    if (loop_.has_post()) choices.push_back({W::post});
    if (loop_.has_due_boot()) choices.push_back({W::boot_timer});
    if (loop_.has_due_wall()) choices.push_back({W::wall_timer});
    if (store_has_work() && next_turn_at_ <= parts_.clock.boot()) choices.push_back({W::store});
    for (const std::uint64_t number : pool_.ready()) choices.push_back({W::function, number});
}

void SimProcess::happen(const Choice& choice) {
    switch (choice.what) {
        case Choice::What::post:
            return loop_.run_post();
        case Choice::What::boot_timer:
            return loop_.run_due_boot();
        case Choice::What::wall_timer:
            return loop_.run_due_wall();
        case Choice::What::store:
            return turn_store();
        case Choice::What::function:
            return pool_.go_on(choice.number);
    }
}

std::optional<core::Micros> SimProcess::next() const {
    std::optional<core::Micros> next = loop_.next_timer();
    if (const auto at = pool_.next(); at && (!next || *at < *next)) next = at;
    if (store_has_work() && (!next || next_turn_at_ < *next)) next = next_turn_at_;
    return next;
}

void SimProcess::turn_store() {
    const runtime::StoreTurnsBase::Next turn = next_turn_;
    if (turn.what == What::take) {
        if (turn.pause > core::Micros{0}) parts_.on_disturbance();
        std::vector<runtime::Item> items = batcher_.take();
        parts_.on_take(items);
        next_turn_ = turns_->take(std::move(items));
    } else {
        next_turn_ = turn.what == What::flush ? turns_->flush() : turns_->reopen();
        const bool is_done = next_turn_.what == What::take && next_turn_.pause == core::Micros{0};
        flushes_ += is_done ? 1 : 0;
        openings_ += is_done && turn.what == What::reopen ? 1 : 0;
    }
    const bool has_failed = next_turn_.what == What::reopen || next_turn_.pause > core::Micros{0};
    if (has_failed || turn.what == What::reopen) parts_.on_disturbance();
    // Until the engine hears of it, it goes on with claims that are over.
    if (has_failed) loop_.post([this] { parts_.on_disturbance(); });
    next_turn_at_ = parts_.clock.boot() + next_turn_.pause;
    if (next_turn_.what == What::flush) next_turn_at_ += parts_.chance.length(parts_.flush_length_max);
}

void SimProcess::close() {
    batcher_.stop();
    for (;;) {
        if (next_turn_.what == What::take) {
            std::vector<runtime::Item> items = batcher_.take();
            if (items.empty() || next_turn_.pause > core::Micros{0}) break;
            next_turn_ = turns_->take(std::move(items));
        } else if (next_turn_.what == What::flush) {
            next_turn_ = turns_->flush();
        } else {
            break;
        }
    }
    if (turns_->store()) (void)turns_->store()->close();
    pool_.die();
    engine_->drop_all();
    while (loop_.has_post()) loop_.run_post();
}

}  // namespace pawl::testing
