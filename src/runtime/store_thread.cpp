#include "runtime/store_thread.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::runtime {

using namespace std::chrono_literals;

StoreThread::StoreThread(Batcher& batcher, Loop& loop, Engine& engine, std::unique_ptr<core::Store> store, Open open,
                         std::function<void(Error)> fatal)
    : batcher_(batcher), loop_(loop), engine_(engine), store_(std::move(store)), open_(std::move(open)),
      fatal_(std::move(fatal)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    batcher_.stop();
    thread_.join();
}

void StoreThread::with_store(std::function<void(core::Store*)> f) {
    {
        std::lock_guard lock(mutex_);
        chores_.push_back(std::move(f));
    }
    batcher_.kick();
}

void StoreThread::run() {
    while (turn()) {
    }
    do_chores();
    if (!store_) return;
    if (auto closed = store_->close(); !closed) spdlog::error("store: close: {}", closed.error().message);
}

bool StoreThread::turn() {
    std::vector<Item> items = batcher_.wait_and_take();
    if (batcher_.stopped() && items.empty()) return false;
    do_chores();
    Error error;
    const BatchEnd end =
        run_batch<core::AllGuards>(*store_, batcher_, items, error, [this](BatchOutcome outcome, bool early) {
            loop_.post([this, early, outcome = std::move(outcome)]() mutable {
                if (early) engine_.on_early(std::move(outcome));
                else engine_.on_batch(std::move(outcome));
            });
        });
    switch (end) {
        case BatchEnd::done:
            if (!batcher_.has_work() && store_->wants_upkeep())
                if (auto done = store_->upkeep(); !done) return reopen({}, done.error());
            return true;
        case BatchEnd::disk_full:
            answer_disk_full(std::move(items), error);
            return true;
        case BatchEnd::store_lost:
            return reopen(std::move(items), error);
    }
    return true;
}

void StoreThread::do_chores() {
    std::vector<std::function<void(core::Store*)>> chores;
    {
        std::lock_guard lock(mutex_);
        chores.swap(chores_);
    }
    for (const auto& f : chores) f(store_.get());
}

// Nothing of the batch happened. Clients are refused; what workers recorded waits until there is space again.
void StoreThread::answer_disk_full(std::vector<Item> items, const Error& error) {
    std::vector<Item> kept, refused;
    for (Item& item : items) {
        const bool claim = std::holds_alternative<core::Claim>(item.command);
        if (claim) continue;
        (item.from_worker ? kept : refused).push_back(std::move(item));
    }
    spdlog::error("store: {}; {} records of running tasks wait for space", error.message, kept.size());
    batcher_.put_back(std::move(kept));
    loop_.post([refused = std::move(refused), error]() mutable {
        for (Item& item : refused)
            if (item.done) item.done(item.command, error);
    });
    pause(500ms);
}

// The outcome of the last batch is unknown: nothing of it is acknowledged, the store is read anew.
bool StoreThread::reopen(std::vector<Item> unanswered, const Error& error) {
    spdlog::error("store: {}; it is opened anew", error.message);
    const Error unknown{Errc::store_unavailable,
                        "the store failed during the write (" + error.message +
                            "); whether it happened is unknown: repeat with the same key"};
    loop_.post([this, unanswered = std::move(unanswered), unknown]() mutable {
        engine_.on_store_lost(std::move(unanswered), unknown);
    });
    store_.reset();
    for (core::Micros wait = 100ms;; wait = std::min<core::Micros>(wait * 2, 5s)) {
        auto opened = open_();
        if (opened) {
            store_ = std::move(*opened);
            loop_.post([this] { engine_.on_store_back(); });
            return true;
        }
        const bool heals = opened.error().code == Errc::store_unavailable || opened.error().code == Errc::disk_full;
        if (!heals) {
            loop_.post([this, e = opened.error()] { fatal_(e); });
            pause(1h);
            return false;
        }
        std::vector<Item> waiting = batcher_.take();
        batcher_.settle_claim(waiting, {});
        std::erase_if(waiting, [](const Item& item) { return std::holds_alternative<core::Claim>(item.command); });
        loop_.post([waiting = std::move(waiting), unknown]() mutable {
            for (Item& item : waiting)
                if (item.done) item.done(item.command, unknown);
        });
        if (!pause(wait)) return false;
    }
}

// False when the thread is to stop.
bool StoreThread::pause(core::Micros length) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, length, [&] { return stopping_; });
    return !stopping_;
}

}  // namespace pawl::runtime
