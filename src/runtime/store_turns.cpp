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
constexpr core::Micros away_pause_max = 1s;
constexpr core::Micros away_patience = 5s;
// Of a command that meets another transaction: ten seconds in all.
constexpr core::Micros put_off_pause = 50ms;
constexpr int put_off_max = 200;

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
    parts_.batcher.end_batch(true);
    if (std::exchange(away_since_, std::nullopt)) {
        wait_ = core::Micros{0};
        parts_.batcher.set_store_away(false);
        spdlog::info("store: it is back; nothing was lost");
        parts_.loop.post([&engine = parts_.engine] { engine.look_around(); });
    }
    if (now < upkeep_at_ || parts_.batcher.has_work() || !store_->wants_upkeep()) return {What::take};
    if (auto done = store_->upkeep(); !done) {
        upkeep_at_ = now + upkeep_pause;
        spdlog::warn("store: {}; its upkeep is tried again later", done.error().message);
    }
    return {What::take};
}

StoreTurnsBase::Next StoreTurnsBase::after_failure(BatchEnd end) {
    parts_.batcher.end_batch(false);
    if (end == BatchEnd::store_away) return wait_for_store();
    away_since_.reset();
    return end == BatchEnd::disk_full ? answer_disk_full() : lose();
}

// ---- a store that is away ----------------------------------------------------------------------------------------

// Everything that is held goes on: its steps run, and what they record waits here.
StoreTurnsBase::Next StoreTurnsBase::wait_for_store() {
    parts_.batcher.shed_claims(items_);
    if (!away_since_) {
        away_since_ = parts_.batcher.clock().boot();
        parts_.batcher.set_store_away(true);
        spdlog::error("store: {}; it is tried again, running tasks are kept", error_.message);
    } else {
        spdlog::debug("store: still away: {}", error_.message);
    }
    return {What::again, std::clamp<core::Micros>(next_wait(), 100ms, away_pause_max)};
}

// A client gets its answer in bounded time. Its command stays in the batch, whose outcome depends on all of it.
void StoreTurnsBase::answer_clients() {
    std::vector<Item> kept, refused;
    for (Item& item : parts_.batcher.take_queued()) (item.from_worker ? kept : refused).push_back(std::move(item));
    parts_.batcher.put_back(std::move(kept));
    refuse(std::move(refused), {Errc::store_unavailable, "the store is away (" + error_.message +
                                                             "); nothing was stored: try again when it is back"});
    if (parts_.batcher.clock().boot() - *away_since_ < away_patience) return;
    const Error unknown{Errc::store_unavailable, "the store went away during the write (" + error_.message +
                                                     "); whether it happened is unknown: repeat with the same key"};
    for (Item& item : items_) {
        if (item.from_worker || !item.done) continue;
        auto done = std::exchange(item.done, {});
        if (item.here) done(item.command, unknown);
        else
            parts_.loop.post(
                [done = std::move(done), command = item.command, unknown]() mutable { done(command, unknown); });
        item.here = false;
    }
}

// Another transaction has what they need, and may be a user's: nobody waits for it here.
void StoreTurnsBase::put_off(std::vector<Item> items) {
    for (Item& item : items) {
        if (++item.tries > put_off_max) {
            std::vector<Item> refused;
            refused.push_back(std::move(item));
            refuse(std::move(refused), {Errc::store_unavailable,
                                        "another transaction is submitting with the same key and does not end; nothing "
                                        "was stored: try again with the same key"});
            continue;
        }
        auto kept = std::make_shared<Item>(std::move(item));
        parts_.loop.post([&loop = parts_.loop, &batcher = parts_.batcher, kept] {
            loop.after(put_off_pause, [&batcher, kept] { batcher.push(std::move(*kept)); });
        });
    }
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
    parts_.batcher.set_store_away(true);
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
        parts_.batcher.set_store_away(false);
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
    spdlog::debug("store: still away: {}", opened.error().message);
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
