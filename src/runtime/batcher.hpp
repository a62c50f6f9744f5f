// Group commit: commands gather while the former batch is in flush, then go together. A passive object: StoreThread
// turns its handle, and so does the simulated loop.
#pragma once

#include "core/guards.hpp"
#include "core/store.hpp"
#include "runtime/slots.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace pawl::runtime {

/// The command comes back so that its buffers can be taken again.
using Answered = std::function<void(core::Command&, Result<core::Answer>)>;

struct Item {
    core::Command command;
    Answered done;             ///< called on the loop thread, if not `here`
    bool from_worker = false;  ///< kept and repeated when the disk is full; a client's is refused
    bool here = false;         ///< `done` only wakes a waiting thread: the store's own thread calls it after the flush
    int tries = 0;             ///< how often it was put off (core::Reply::again)
};

/// What one batch came to; goes to the loop thread as one post.
struct BatchOutcome {
    std::vector<Item> items;
    std::vector<core::Reply> replies;  ///< one for each item
    std::vector<core::Notice> notices;
    core::Instant now{};
    core::Micros boot_at_now{};
    std::optional<core::Instant> next_due;
    std::optional<core::WallInstant> next_deadline;
    core::FeedCursor newest;
    std::optional<core::Micros> look_again;
};

class Batcher {
public:
    struct Limits {
        std::size_t items_max = 65'536;
        std::size_t bytes_max = 64u << 20;
    };

    explicit Batcher(const core::Clock& clock) : Batcher(clock, Limits{}) {}
    Batcher(const core::Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

    /// From the loop thread and workers: never blocks, never refuses (they are bounded by slots and connections).
    void push(Item item);
    /// From other threads: waits for room. False when the batcher was stopped.
    bool push_blocking(Item item);

    /// What the standing claim takes: whenever a batch goes, it also claims for the free slots, so that claiming
    /// needs no command, no poll and no further flush.
    void set_claim(core::Claim claim, Answered claimed);
    void stop_claiming();
    /// Batches go without the standing claim until it is allowed again.
    void hold_claims(bool held) { claims_held_ = held; }
    bool claims_held() const { return claims_held_; }
    void add_slots(int n);
    int free_slots() const { return shared_ ? shared_->free() : slots_.load(); }
    /// Slots are those of several batchers together, from the start. Before anything else.
    void share_slots(std::shared_ptr<Slots> slots, int member);
    bool shares_slots() const { return shared_ != nullptr; }

    /// Whether the store cannot be reached at the moment: what is pushed will wait or be refused. Any thread.
    bool is_store_away() const { return store_away_; }
    void set_store_away(bool on) { store_away_ = on; }

    /// Waits until there is something to do or stop() was called; then the batch, perhaps empty after a kick.
    std::vector<Item> wait_and_take();
    /// The same without waiting.
    std::vector<Item> take();
    /// What was pushed, without the standing claim.
    std::vector<Item> take_queued();
    bool has_work() const;
    /// Makes the next wait_and_take return, even with an empty batch.
    void kick();
    void stop();
    bool stopped() const { return stopped_; }

    /// Puts items back in front (disk full).
    void put_back(std::vector<Item> items);
    /// What the claim of this batch left unused goes back to the free slots. Called after apply.
    void settle_claim(const std::vector<Item>& items, const std::vector<core::Reply>& replies);
    /// The store is away with this batch: slots that other stores could use do not wait for it.
    void shed_claims(std::vector<Item>& items);

    /// What a claim took in a batch whose flush failed was never delivered: its slots are free again.
    void return_claimed(const std::vector<Item>& items, const std::vector<core::Reply>& replies);

    /// Around each try of a batch, until it is flushed or has failed: what can_claim() goes by.
    void begin_batch();
    void end_batch(bool is_stored);
    /// Whether tasks are claimed now: there is a standing claim, the newest batch was stored, and none has been under
    /// way for longer than a store that works would take. Any thread.
    bool can_claim() const;

    const core::Clock& clock() const { return clock_; }

private:
    int reserve_slots();
    void settle_slots(int reserved, int taken);
    std::vector<Item> take_locked();
    std::vector<Item> take_queued_locked();
    static std::size_t size_of(const core::Command& command);

    const core::Clock& clock_;
    const Limits limits_;
    mutable std::mutex mutex_;
    std::condition_variable work_, room_;
    std::vector<Item> queue_;
    std::size_t bytes_ = 0;
    bool kicked_ = false;
    std::atomic<bool> claims_held_{false};
    std::atomic<bool> stopped_{false};
    std::optional<core::Claim> claim_;
    Answered claimed_;
    std::atomic<int> slots_{0};
    std::shared_ptr<Slots> shared_;  // in place of slots_, where there are several stores
    int member_ = 0;
    std::atomic<bool> store_away_{false};
    bool is_stored_ = true;                   // the newest batch
    std::optional<core::Micros> begun_at_{};  // boot time of the batch that is under way
};

/// Takes what may be delivered before the flush out of `outcome`.
BatchOutcome split_early(BatchOutcome& outcome);
/// Takes what is to be answered `here` out of `outcome`.
BatchOutcome split_here(BatchOutcome& outcome);
/// Takes what is to be asked again out of `outcome`.
std::vector<Item> split_again(BatchOutcome& outcome);

enum class BatchEnd : std::uint8_t {
    done,
    disk_full,   ///< nothing of it happened; `items` holds it again
    store_lost,  ///< its outcome is unknown; `items` holds what has no answer yet; the store must be reopened
    store_away,  ///< its outcome is unknown, `items` holds it: to be applied again as it is (Store::keeps_batch)
};

/// Carries a batch's answers to the loop thread, in order; `early` ones before their batch is flushed.
using Deliver = std::function<void(BatchOutcome outcome, bool early)>;

/// One batch in two pieces, so that the simulated world can crash between them: apply and early answers; flush and the
/// rest. With Guards::flush off all answers go out before the flush: the mutation that simulation must catch.
template <class Guards>
class BatchTurn {
public:
    explicit BatchTurn(Batcher& batcher) : batcher_(batcher) {}

    /// `done`: flush() must follow.
    BatchEnd apply(core::Store& store, std::vector<Item>& items, Error& error, const Deliver& deliver) {
        std::vector<core::Command> commands;
        commands.reserve(items.size());
        for (Item& item : items) commands.push_back(std::move(item.command));
        auto applied = store.apply(commands);
        for (std::size_t i = 0; i < items.size(); i++) items[i].command = std::move(commands[i]);
        if (!applied) {
            error = applied.error();
            if (store.keeps_batch()) return BatchEnd::store_away;
            batcher_.settle_claim(items, {});
            return end_of(error);
        }
        batcher_.settle_claim(items, applied->replies);
        outcome_ = outcome_of(std::move(items), std::move(*applied));
        items.clear();
        put_off_ = split_again(outcome_);
        BatchOutcome early = Guards::flush ? split_early(outcome_) : std::exchange(outcome_, {});
        if (!Guards::flush || !early.items.empty()) deliver(std::move(early), Guards::flush);
        return BatchEnd::done;
    }

    BatchEnd flush(core::Store& store, std::vector<Item>& items, Error& error, const Deliver& deliver) {
        if (auto flushed = store.flush(); !flushed) {
            error = flushed.error();
            batcher_.return_claimed(outcome_.items, outcome_.replies);
            items = std::move(outcome_.items);
            return end_of(error);
        }
        if (Guards::flush) deliver(std::move(outcome_), false);
        return BatchEnd::done;
    }

    /// What the batch did not look at.
    std::vector<Item> take_put_off() { return std::exchange(put_off_, {}); }

private:
    static BatchEnd end_of(const Error& error) {
        return error.code == Errc::disk_full ? BatchEnd::disk_full : BatchEnd::store_lost;
    }
    BatchOutcome outcome_of(std::vector<Item> items, core::Applied applied) const {
        BatchOutcome outcome;
        outcome.items = std::move(items);
        outcome.replies = std::move(applied.replies);
        outcome.notices = std::move(applied.notices);
        outcome.now = applied.now;
        outcome.boot_at_now = batcher_.clock().boot();
        outcome.next_due = applied.next_due;
        outcome.next_deadline = applied.next_deadline;
        outcome.newest = applied.newest;
        outcome.look_again = applied.look_again;
        return outcome;
    }

    Batcher& batcher_;
    BatchOutcome outcome_;  // applied, not yet flushed
    std::vector<Item> put_off_;
};

}  // namespace pawl::runtime
