#include "runtime/store_turns.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::runtime {

using namespace std::chrono_literals;

namespace {

Error not_open(const Error& why) {
    return {Errc::store_unavailable,
            "the store is not open (" + why.message + "); nothing was stored: try again when it is"};
}

constexpr core::Micros upkeep_pause = 10s;
// A store that lasted this long was sound: the next failure is a new one.
constexpr core::Micros sound_after = 10s;

}  // namespace

void StoreTurnsBase::deliver(BatchOutcome outcome, bool early) {
    const auto ended = parts_.engine.waiters().take(outcome);
    BatchOutcome here = split_here(outcome);
    parts_.loop.post([&engine = parts_.engine, early, outcome = std::move(outcome)]() mutable {
        if (early) engine.on_early(std::move(outcome));
        else engine.on_batch(std::move(outcome));
    });
    // After the post: what a client sends to the loop when it has its answer comes behind the batch.
    for (std::size_t i = 0; i < here.items.size(); i++)
        here.items[i].done(here.items[i].command, std::move(here.replies[i].answer));
    for (const Waiters::Told& told : ended) told.ended(told.output);
}

// Upkeep that fails has cost nothing that was stored (core/store.hpp): it is tried again later.
StoreTurnsBase::Next StoreTurnsBase::after_flush() {
    const core::Micros now = parts_.batcher.clock().boot();
    if (now < upkeep_at_ || parts_.batcher.has_work() || !store_->wants_upkeep()) return {What::take};
    if (auto done = store_->upkeep(); !done) {
        upkeep_at_ = now + upkeep_pause;
        spdlog::warn("store: {}; its upkeep is tried again later", done.error().message);
    }
    return {What::take};
}

StoreTurnsBase::Next StoreTurnsBase::after_failure(BatchEnd end) {
    return end == BatchEnd::disk_full ? answer_disk_full() : lose();
}

// Nothing of the batch happened. Clients are refused; what workers recorded waits until there is space again.
StoreTurnsBase::Next StoreTurnsBase::answer_disk_full() {
    std::vector<Item> kept, refused;
    for (Item& item : std::exchange(items_, {})) {
        const bool claim = std::holds_alternative<core::Claim>(item.command);
        if (claim) continue;
        (item.from_worker ? kept : refused).push_back(std::move(item));
    }
    spdlog::error("store: {}; {} records of running tasks wait for space", error_.message, kept.size());
    parts_.batcher.put_back(std::move(kept));
    // Also when nothing is kept: what is due was woken by this batch and by no other, its timer is gone.
    parts_.batcher.kick();
    parts_.loop.post([refused = std::move(refused), error = error_]() mutable {
        for (Item& item : refused)
            if (item.done) item.done(item.command, error);
    });
    return {What::take, 500ms};
}

// The outcome of the last batch is unknown: nothing of it is acknowledged, the store is read anew. That heals what we
// remembered wrongly; a store that contradicts itself again is damaged, and would do so for ever.
StoreTurnsBase::Next StoreTurnsBase::lose() {
    const bool was_sound = parts_.batcher.clock().boot() - opened_at_ >= sound_after;
    const bool is_corrupt = error_.code == Errc::store_corrupt;
    const bool is_damaged = is_corrupt && was_corrupt_ && !was_sound;
    was_corrupt_ = is_corrupt || (was_corrupt_ && !was_sound);
    const Error cause = error_;
    spdlog::error("store: {}; it is {}", error_.message, is_damaged ? "given up" : "opened anew");
    error_ = {Errc::store_unavailable, "the store failed during the write (" + error_.message +
                                           "); whether it happened is unknown: repeat with the same key"};
    parts_.loop.post([&engine = parts_.engine, unanswered = std::exchange(items_, {}), error = error_]() mutable {
        engine.on_store_lost(std::move(unanswered), error);
    });
    store_.reset();
    if (is_damaged) return give_up(cause);
    // At once, unless it fails again and again.
    if (was_sound) wait_ = core::Micros{0};
    return {What::reopen, next_wait()};
}

core::Micros StoreTurnsBase::next_wait() {
    return std::exchange(wait_, std::clamp<core::Micros>(wait_ * 2, 100ms, 5s));
}

StoreTurnsBase::Next StoreTurnsBase::reopen() {
    auto opened = parts_.open();
    if (opened) {
        store_ = std::move(*opened);
        opened_at_ = parts_.batcher.clock().boot();
        parts_.loop.post([&engine = parts_.engine] { engine.on_store_back(); });
        return {What::take};
    }
    // Locked: by a program that writes into our database; the right to hold it is still ours.
    const Errc code = opened.error().code;
    const bool heals = code == Errc::store_unavailable || code == Errc::disk_full || code == Errc::store_locked;
    error_ = not_open(opened.error());
    if (!heals) return give_up(opened.error());
    refuse(parts_.batcher.take());
    return {What::reopen, next_wait()};
}

StoreTurnsBase::Next StoreTurnsBase::give_up(const Error& error) {
    error_ = not_open(error);  // what comes from here on was never tried
    parts_.loop.post([fatal = parts_.fatal, error] { fatal(error); });
    return {What::dead};
}

void StoreTurnsBase::refuse(std::vector<Item> items) { refuse(std::move(items), error_); }

void StoreTurnsBase::refuse(std::vector<Item> items, const Error& error) {
    parts_.batcher.settle_claim(items, {});
    std::erase_if(items, [](const Item& item) { return std::holds_alternative<core::Claim>(item.command); });
    for (Item& item : items)
        if (item.here) std::exchange(item.done, {})(item.command, error);
    parts_.loop.post([items = std::move(items), error]() mutable {
        for (Item& item : items)
            if (item.done) item.done(item.command, error);
    });
}

}  // namespace pawl::runtime
