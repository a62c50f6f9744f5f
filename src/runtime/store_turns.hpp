// What the owner of a store does, in pieces that never wait: StoreThread turns them on a thread, the simulated world at
// the moments that it draws.
#pragma once

#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "runtime/engine.hpp"
#include "runtime/loop.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace pawl::runtime {

struct StoreParts {
    Batcher& batcher;
    Loop& loop;
    Engine& engine;
    /// Called again after the store was lost.
    std::function<Result<std::unique_ptr<core::Store>>()> open;
    /// Called on the loop when the store cannot be opened for a reason that waiting does not heal, or is damaged.
    std::function<void(Error)> fatal;
};

/// What is not about the guards.
class StoreTurnsBase {
public:
    enum class What : std::uint8_t {
        take,    ///< wait for work, then take() it
        flush,   ///< flush() at once
        reopen,  ///< reopen() it
        again,   ///< the store is away: again()
        dead,    ///< never again; refuse() what comes
    };
    /// The next piece, and how long to wait before it.
    struct Next {
        What what = What::take;
        core::Micros pause{0};
    };

    StoreTurnsBase(StoreParts parts, std::unique_ptr<core::Store> store)
        : parts_(std::move(parts)), store_(std::move(store)) {}
    virtual ~StoreTurnsBase() = default;

    virtual Next take(std::vector<Item> items) = 0;
    virtual Next flush() = 0;
    /// Applies the same batch again. What comes meanwhile waits, but for clients: they are refused, those of the batch
    /// itself after a while.
    virtual Next again() = 0;
    Next reopen();
    /// Answers what was taken while the store is lost.
    void refuse(std::vector<Item> items);
    void refuse(std::vector<Item> items, const Error& error);
    /// At the end: what of the last batch nobody has answered.
    std::vector<Item> take_unanswered() { return std::exchange(items_, {}); }
    /// Null while it is lost.
    core::Store* store() { return store_.get(); }
    /// Why it is lost, or the last batch failed.
    const Error& error() const { return error_; }

protected:
    void deliver(BatchOutcome outcome, bool early);
    Next after_failure(BatchEnd end);
    Next after_flush();
    void put_off(std::vector<Item> items);
    void answer_clients();

    StoreParts parts_;
    std::unique_ptr<core::Store> store_;
    std::vector<Item> items_;  // without an answer, after a failure
    Error error_;

private:
    Next answer_disk_full();
    Next lose();
    Next give_up(const Error& error);
    core::Micros next_wait();

    Next wait_for_store();

    bool was_corrupt_ = false;  // when it was lost before
    std::optional<core::Micros> away_since_;
    core::Micros wait_{};       // before the next opening
    core::Micros opened_at_{};  // boot times
    core::Micros upkeep_at_{};
};

template <class Guards>
class StoreTurns final : public StoreTurnsBase {
public:
    StoreTurns(StoreParts parts, std::unique_ptr<core::Store> store)
        : StoreTurnsBase(std::move(parts), std::move(store)), turn_(parts_.batcher) {}

    Next take(std::vector<Item> items) override {
        items_ = std::move(items);
        return apply();
    }
    Next again() override {
        answer_clients();
        return apply();
    }
    Next flush() override {
        const BatchEnd end = turn_.flush(*store_, items_, error_, carry_);
        return end == BatchEnd::done ? after_flush() : after_failure(end);
    }

private:
    Next apply() {
        parts_.batcher.begin_batch();
        const BatchEnd end = turn_.apply(*store_, items_, error_, carry_);
        if (end != BatchEnd::done) return after_failure(end);
        put_off(turn_.take_put_off());
        return {What::flush};
    }

    BatchTurn<Guards> turn_;
    const Deliver carry_ = [this](BatchOutcome outcome, bool early) { deliver(std::move(outcome), early); };
};

}  // namespace pawl::runtime
