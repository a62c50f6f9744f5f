// The engine of every store: applies batches of commands to tables. It knows the order of claims, which rows a worker
// holds and what is due; the tables below only keep rows, and core/transition.hpp decides.
#pragma once

#include "core/guards.hpp"
#include "core/lanes.hpp"
#include "core/limits.hpp"
#include "core/shared_tables.hpp"
#include "core/tables.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pawl::core {

/// The soonest of many instants, exact without asking the tables at every change.
template <class T>
class Soonest {
public:
    void add(const std::optional<T>& at) {
        if (at && (!soonest_ || *at < *soonest_)) soonest_ = at;
    }
    void remove(const std::optional<T>& at) {
        if (at && soonest_ && *at <= *soonest_) is_stale_ = true;
    }
    bool is_stale() const { return is_stale_; }
    void make_stale() { is_stale_ = true; }
    void set(const std::optional<T>& at) {
        soonest_ = at;
        is_stale_ = false;
    }
    const std::optional<T>& get() const { return soonest_; }
    bool has_come(T now) const { return soonest_ && *soonest_ <= now; }

private:
    std::optional<T> soonest_;
    bool is_stale_ = false;
};

/// How a store was opened.
struct Opening {
    std::int32_t epoch = 0;
    bool unclean = false;           ///< the last holder did not close it
    std::int32_t living_epoch = 0;  ///< that of an opening of this process that failed; its tasks did not kill anybody
    Marks marks;                    ///< the newest numbers in use
    std::int64_t journal_bytes_max = limits::journal_bytes_max;  ///< of one task
    /// Called by open(), before anything is taken over, with what the intents say runs that a dead owner left open
    /// (process identities). May block until all of it is ended, but not for ever: the intents stay open, and what does
    /// not end is met again by whoever claims its task. Throws nothing. May be empty.
    std::function<void(const std::vector<std::string>&)> end_orphans{};
    std::int32_t claims_max = std::numeric_limits<std::int32_t>::max();  ///< of one epoch; then a new one begins
};

/// Everything but the guards. Not thread-safe; lives with its store.
///
/// Rows of running tasks, and rows changed since the last flush, are kept in memory: a row that a batch changes several
/// times is written once, at its end, and a step's result costs one new entry and no row at all. On shared tables what
/// is kept counts only after a look at them (core/shared_tables.hpp, core/ledger_shared.cpp).
class LedgerBase {
public:
    LedgerBase(Tables& tables, const StoreClock& clock, const Opening& opening);
    virtual ~LedgerBase();

    /// Reads what must be in memory and takes over what older epochs left running. To be flushed by the store.
    void open();
    /// The batch in order; Applied is worth something only if the tables have not failed. Not yet durable.
    Applied apply(std::span<const Command> batch);
    /// Everything applied so far is durable.
    void flushed();
    /// Hands running tasks back. To be flushed by the store.
    void close();
    /// Forgets everything and reads it anew, after a batch was rolled back. Fences given out stay valid.
    void reload(const Marks& marks);

    /// Part of every fence given out from now on.
    std::int32_t epoch() const { return epoch_; }
    /// Another opening of the store makes this one worthless.
    virtual bool checks_owner() const = 0;
    Marks marks() const { return {seq_, ref_, last_now_}; }

protected:
    /// The worker that shows `fence` holds `row`.
    virtual bool holds(const TaskRow& row, const Fence& fence) const = 0;
    /// An epoch of this opening: all but the first few thousand million claims have the one it began with.
    bool is_ours(std::int32_t epoch) const { return shared_ || (epoch >= opening_.epoch && epoch <= epoch_); }

private:
    struct Cached {
        TaskRow row;
        LaneId lane = 0;
        bool is_new = false;
        bool is_dirty = false;
        bool has_input = false;
        std::uint64_t changed_in = 0;  // number of the batch that changed it last
        std::uint64_t seen_in = 0;     // shared: number of the transaction that has locked it
    };
    // What the books below follow from.
    struct Standing {
        TaskState state = TaskState::pending;
        Line line = Line::none;
        bool at_risk = false;
        int version = 0;
        std::optional<Instant> due, expires;
        std::optional<WallInstant> deadline;
    };
    struct IdHash {
        std::size_t operator()(const TaskId& id) const;
    };
    class BatchSink;

    static Standing standing_of(const TaskRow& row);
    void load_memory();
    void begin_batch();
    Fence next_fence(const TaskRow& row);
    FeedCursor newest() const { return shared_ ? shared_->newest() : FeedCursor{0, seq_}; }

    // ---- shared tables
    // What its worker was told of a task that this process holds.
    struct HeldRow {
        TaskId id;
        Fence fence;
        Ending ending = Ending::none;
        bool pause_requested = false;
        int newest_message = 0;
    };
    class HeldRows;
    void open_shared();
    SharedTables::Outlook look(std::span<const Command> batch);
    SharedTables::Outlook look_at_held() const;
    void take_in(const SharedTables::Outlook& outlook);
    void take_in_held(const SharedTables::Outlook& outlook);
    void take_in_posted(const SharedTables::Posted& posted);
    /// Asks the tables for what `command` may take, `rows_max` rows at most. The last one of them, when more may lie
    /// behind it.
    std::optional<Head> look_for(const Claim& command, int rows_max);
    void take_in_claimable(const std::vector<StoredRow>& claimable);
    void tell_changed(TaskRef ref, const HeldRow& before, const TaskRow* now);
    bool is_held_here(const TaskRow& row) const;
    /// False: what is remembered of it may be out of date.
    bool is_seen(const Cached& cached) const { return !shared_ || cached.seen_in == transaction_; }
    void take_over(const std::vector<TaskRow>& held, const std::vector<JournalFacts>& facts, Instant last_seen);

    // ---- rows
    /// Nothing when there is none, or when it cannot be worked on: then it was set aside.
    Cached* fetch(TaskRef ref, bool with_input = false);
    void set_aside(TaskRef ref);
    Error unreadable(const std::string& what) const;
    TaskRef find(const TaskId& id);
    /// Nothing when the row contradicts the other tables.
    Cached* adopt(StoredRow stored, bool has_input);
    Cached& insert(TaskRow row);
    template <class Change>
    auto change(Cached& cached, Change&& decide);
    void settle(Cached& cached, const Standing& before);
    void settle_key(const TaskRow& row, const Standing& before);
    void enter_books(const Cached& cached, const Standing& s);
    void leave_books(const Cached& cached, const Standing& s);
    void mark_dirty(Cached& cached);
    void write_back();
    transition::Stage stage();

    // ---- commands
    Reply run(const Submit& command);
    Reply run(const Operate& command);
    Reply run(const SetQueue& command);
    Reply run(const Claim& command);
    Reply run(const Record& command);
    Reply run(const Load& command);
    Reply run(const Tick& command);
    Reply run(const Purge& command);
    std::optional<Reply> submit_to_existing(const Submit& command, const KeyRow& key);
    JournalFacts facts_of(TaskRef ref, int after_no = 0);
    /// Of intents alone. Those from before the claim are known by the row.
    JournalFacts intents_of(const TaskRow& row);
    void end_orphans(const std::vector<TaskRow>& held, const std::vector<JournalFacts>& facts);
    Result<Operated> operate_on(Cached& cached, const Operate& command);
    Error reused_key(const Submit& command, const TaskRow& first) const;
    ClaimedTask claim_one(Cached& cached, int version, const std::optional<Hash>& bound, std::string definition);
    std::optional<std::string> definition_of(const TaskRow& row);
    /// The picked task with all that its worker needs; nothing when it had to be set aside.
    std::optional<ClaimedTask> claim_picked(const Claim& command, const Lanes::Pick& pick, bool* early);
    std::optional<Hash> store_definition(const std::string& space, const std::string& definition);
    bool is_durable(const Cached* cached) const { return !cached || cached->changed_in <= flushed_; }

    // ---- time
    void pass_time();
    template <class Pass>
    int pass_rows(const std::vector<TaskRef>& refs, Pass&& pass);
    void find_next();

    Tables& tables_;
    SharedTables* const shared_;
    const StoreClock& clock_;
    Opening opening_;
    Instant opened_{};
    Instant last_now_{};

    std::unordered_map<TaskRef, std::unique_ptr<Cached>> cache_;
    std::vector<TaskRef> dirty_;
    std::vector<TaskRef> touched_;     // in the cache since the last flush
    std::map<TaskRef, HeldRow> held_;  // shared: when the last transaction ended; a failed one changes nothing of it
    std::unordered_map<TaskId, TaskRef, IdHash> new_ids_;  // not yet in the tables
    Lanes lanes_;
    Soonest<Instant> due_, expiry_;
    Soonest<WallInstant> deadline_;
    std::unordered_map<std::string, std::string> definitions_;  // by hash, a few

    std::int64_t seq_ = 0;
    TaskRef ref_ = 0;
    std::int32_t epoch_ = 0;
    std::int32_t claims_ = 0;
    std::uint64_t batch_ = 0, flushed_ = 0;
    std::uint64_t transaction_ = 1;  // rises when one ends
    Instant now_{};
    WallInstant wall_{};
    std::unique_ptr<BatchSink> sink_;
    std::vector<Notice> notices_;
};

/// The product's ledger is Ledger<AllGuards>; see core/guards.hpp.
template <class Guards>
class Ledger final : public LedgerBase {
public:
    using LedgerBase::LedgerBase;
    bool checks_owner() const override { return Guards::owner; }

private:
    bool holds(const TaskRow& row, const Fence& fence) const override {
        if (Guards::epoch && (fence.epoch != row.fence.epoch || !is_ours(fence.epoch))) return false;
        if (Guards::fence && fence.claim != row.fence.claim) return false;
        return true;
    }
};

/// How a store makes its ledger: `make_ledger<AllGuards>` but for the tests of the guards.
using MakeLedger = std::unique_ptr<LedgerBase> (*)(Tables&, const StoreClock&, const Opening&);
template <class Guards>
std::unique_ptr<LedgerBase> make_ledger(Tables& tables, const StoreClock& clock, const Opening& opening) {
    return std::make_unique<Ledger<Guards>>(tables, clock, opening);
}

}  // namespace pawl::core
