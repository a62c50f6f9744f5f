#include "runtime/store_thread.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

namespace pawl::runtime {

StoreThread::StoreThread(Batcher& batcher, Loop& loop, Engine& engine, std::unique_ptr<core::Store> store, Open open,
                         std::function<void(Error)> fatal)
    : batcher_(batcher),
      turns_({batcher, loop, engine, std::move(open), std::move(fatal)}, std::move(store)),
      thread_([this] { run(); }) {}

StoreEnd StoreThread::finish() {
    if (!thread_.joinable()) return end_;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    batcher_.stop();
    thread_.join();
    return end_;
}

void StoreThread::with_store(std::function<void(core::Store*)> f) {
    {
        std::lock_guard lock(mutex_);
        chores_.push_back(std::move(f));
    }
    batcher_.kick();
}

void StoreThread::run() {
    name_thread("pawl-store");
    using What = Turns::What;
    Turns::Next next{turns_.store() ? What::take : What::reopen};
    std::vector<Item> items;
    bool is_short = false, was_open = false;
    for (;;) {
        was_open = was_open || turns_.store();
        // At the end nobody waits for a store that is lost or a disk that is full: nothing of it was acknowledged.
        is_short = next.pause > core::Micros{0} && !pause(next.pause);
        if (is_short) break;
        const bool needs_items = next.what == What::take || next.what == What::dead;
        if (needs_items && !wait_for_work(items)) break;
        if (next.what == What::dead) turns_.refuse(std::move(items));
        else if (next.what == What::take) next = turns_.take(std::move(items));
        else if (next.what == What::flush) next = turns_.flush();
        else if (next.what == What::again) next = turns_.again();
        else next = turns_.reopen();
    }
    do_chores();
    refuse_late(is_short);
    if (!turns_.store()) {
        // One that never came held nothing.
        if (was_open) end_.not_closed = turns_.error();
    } else if (auto closed = turns_.store()->close(); !closed) {
        end_.not_closed = closed.error();
    }
    if (end_.not_closed) spdlog::error("store: close: {}", end_.not_closed->message);
}

// What came too late, and what waited for a store or for space that did not come: its senders wait for an answer.
void StoreThread::refuse_late(bool is_short) {
    batcher_.stop();
    std::vector<Item> late = turns_.take_unanswered();
    std::ranges::move(batcher_.take(), std::back_inserter(late));
    for (const Item& item : late) {
        const auto* record = std::get_if<core::Record>(&item.command);
        // A task that is only handed back loses nothing by it, and what came after the last batch came too late.
        if (!is_short || !record || (record->entries.empty() && std::holds_alternative<core::HandBack>(record->next)))
            continue;
        end_.lost_records++;
        spdlog::error("task {}: what it recorded last could not be stored; the next worker judges what became of it",
                      core::to_string(record->id));
    }
    turns_.refuse(std::move(late), {Errc::store_unavailable, "the engine is being stopped; nothing was stored"});
}

// False when everything is done and the thread is to stop.
bool StoreThread::wait_for_work(std::vector<Item>& items) {
    items = batcher_.wait_and_take();
    if (batcher_.stopped() && items.empty()) return false;
    do_chores();
    return true;
}

void StoreThread::do_chores() {
    std::vector<std::function<void(core::Store*)>> chores;
    {
        std::lock_guard lock(mutex_);
        chores.swap(chores_);
    }
    for (const auto& f : chores) f(turns_.store());
}

// False when the thread is to stop.
bool StoreThread::pause(core::Micros length) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, length, [&] { return stopping_; });
    return !stopping_;
}

}  // namespace pawl::runtime
