// The ledger's tables in one PostgreSQL schema, within one transaction at a time. What it reads it has locked; what is
// written goes to the server with the commit, or before the next thing that has to be read from there.
#pragma once

#include "core/shared_tables.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/pending_writes.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace pawl::store {

/// The time of the server, as it was at the beginning of a batch; or, in tests, of a clock of theirs.
class ServerClock final : public core::StoreClock {
public:
    explicit ServerClock(const core::Clock* instead = nullptr) {
        if (instead) instead_.emplace(*instead, std::nullopt);
    }
    core::Instant now() const override { return instead_ ? instead_->now() : now_; }
    core::WallInstant wall() const override {
        return instead_ ? instead_->wall() : core::wall_instant(core::count(wall_));
    }
    /// Time never goes back, also when the server's clock does; absolute instants follow the clock.
    void set(core::Instant server) {
        now_ = std::max(now_, server);
        wall_ = server;
    }

private:
    std::optional<core::OwnClock> instead_;
    core::Instant now_{}, wall_{};
};

/// What the process must know of itself and the others for a look (store/postgres/worker_lease.hpp tells it).
struct Membership {
    std::int32_t worker = 0;  ///< 0: it has not claimed yet
    std::int64_t batch = 0;   ///< number of its newest batch that was committed
    bool asks_all = false;    ///< others may have changed what it holds
    bool has_posts = false;   ///< a user has committed a submit
    std::vector<std::int32_t> dead;
};

class PostgresTables final : public core::Tables, public core::SharedTables {
public:
    PostgresTables(PgConnection& connection, ServerClock& clock) : connection_(connection), clock_(clock) {}

    // ---- transactions; all of them within `limit` for each round trip
    void set_membership(Membership membership) { membership_ = std::move(membership); }
    /// Writes what is pending, and commits. The failure, if there was one.
    void commit();
    /// Forgets the transaction, and what was remembered of it. The connection may be lost.
    void roll_back();
    /// What made it fail, for a decision about trying again.
    const std::optional<PgError>& fault() const { return fault_; }
    /// The number of the newest transaction.
    std::int64_t transaction() const { return transaction_; }
    /// When the next batch should be, if sooner than usual: submits of users may have come, or the last claim did not
    /// look everywhere.
    std::optional<core::Micros> next_look() const;
    /// It has been declared dead: what it holds belongs to others.
    bool is_disowned() const { return is_disowned_; }

    // ---- Tables
    const std::optional<Error>& failure() const override { return failure_; }
    void fail_corrupt(const std::string& what) override;
    core::SharedTables* shared() override { return this; }
    std::optional<core::StoredRow> task(core::TaskRef ref, bool with_input) override;
    core::TaskRef find(const core::TaskId& id) override;
    void insert(const core::TaskRow& row, core::LaneId lane) override;
    void update(const core::TaskRow& row, core::LaneId lane) override;
    void set_aside(core::TaskRef ref) override { aside_.insert(ref); }
    void readmit() override {}
    std::vector<core::StoredRow> running() override { return {}; }
    void append(std::int64_t seq, const core::TaskRow& row, core::Instant at,
                const core::transition::NewEntry& entry) override;
    std::vector<core::Entry> entries(core::TaskRef task, const core::Span& span) override;
    void scan(core::TaskRef task, int after_no, const std::function<void(const core::EntryHead&)>& see) override;
    std::vector<core::Head> ready(core::LaneId, int) override { return {}; }
    std::vector<std::pair<core::LaneId, core::Head>> suspects() override { return {}; }
    std::vector<core::TaskRef> due(core::Instant now, int rows_max) override;
    std::vector<core::TaskRef> expired(core::Instant now, int rows_max) override;
    std::vector<core::TaskRef> overdue(core::WallInstant wall, int rows_max) override;
    std::optional<core::Instant> next_due() override;
    std::optional<core::Instant> next_expiry() override;
    std::optional<core::WallInstant> next_deadline() override;
    std::vector<std::pair<core::LaneId, core::LaneKey>> lanes() override { return {}; }
    void add_lane(core::LaneId, const core::LaneKey&) override {}
    std::vector<std::pair<core::QueueKey, core::QueueSettings>> queues() override { return {}; }
    void put_queue(const core::QueueKey& key, const core::QueueSettings& settings) override;
    std::int64_t count_pending(const core::QueueKey& key) override;
    std::optional<core::KeyRow> key(const core::KeyName& name) override;
    void put_key(const core::KeyName& name, const core::KeyRow& row) override;
    void set_key_expiry(const core::KeyName& name, core::TaskRef task, std::optional<core::Instant> expires) override;
    std::optional<core::RequestRow> request(core::TaskRef task, const std::string& id) override;
    void put_request(core::TaskRef task, const std::string& id, const core::RequestRow& row) override;
    void add_blob(const std::string& space, const core::Hash& hash, std::string_view body) override;
    std::optional<std::string> blob(const std::string& space, const core::Hash& hash) override;
    void add_tags(core::TaskRef task, const std::vector<std::string>& tags) override;
    std::vector<core::TaskRef> purgeable(const core::PurgeBounds& bounds) override;
    void erase(const core::TaskRow& row) override;
    bool sweep(core::Instant now) override;
    void save_marks(const core::Marks&) override {}
    void set_epoch(std::int32_t) override {}

    // ---- SharedTables
    Outlook look(std::span<const core::Command> batch, const Held& held) override;
    Outlook look_at_held(const Held& held) override;
    Claimable claimable(const core::Claim& claim, int rows_max, const IsOpen& is_open) override;
    core::TaskRef new_ref() override;
    bool is_busy(const core::KeyName& key) override { return busy_.contains(key); }
    std::int32_t worker() const override { return membership_.worker; }
    core::FeedCursor newest() const override { return newest_; }

private:
    // What a batch is about.
    struct Wanted {
        std::vector<std::array<std::uint8_t, 16>> submitted, operated;
        std::set<core::KeyName> keys;
        std::vector<Held::Row> held;
        std::vector<core::TaskRef> rows;
        bool has_submit = false, has_claim = false, sets_queue = false;
    };
    using Rows = std::function<void(const PgRows&)>;

    bool run(PgPipeline& pipeline);
    std::string news() const;
    void end_transaction();
    void fail(const PgError& error, std::string_view doing);
    /// One statement, after everything that is pending.
    void query(const PgStatement& statement, const PgParameters& parameters, const Rows& rows);
    void drain();
    void begin(PgPipeline& pipeline);
    void take_rows(const PgRows& rows, bool with_input);
    void load(const std::vector<core::TaskRef>& refs, bool with_input);
    std::vector<core::TaskRef> timed(const PgStatement& statement, std::int64_t until, int rows_max);
    std::optional<std::int64_t> first(const PgStatement& statement);

    // ---- the look (look.cpp)
    Wanted wanted_by(std::span<const core::Command> batch, const Held& held) const;
    void ask_keys(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook);
    void ask_rows(PgPipeline& pipeline, const Wanted& wanted);
    void ask_locks(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook);
    void ask_dead(PgPipeline& pipeline, Outlook& outlook);
    void ask_queues(PgPipeline& pipeline);
    void ask_claimable(PgPipeline& pipeline, const std::vector<int>& groups, int rows_max,
                       std::vector<core::TaskRef>& found);
    void note_heads(const std::vector<int>& groups, const PgRows& rows, int rows_max, bool is_best);
    void plan_whole_claims(const std::vector<int>& groups, core::Micros took);
    std::optional<core::Micros> next_whole_claim(core::Micros now) const;
    void lower_head(int group, const core::TaskRow& row);
    void ask_suspect(PgPipeline& pipeline, const std::vector<int>& groups, std::vector<core::TaskRef>& found);
    void foresee_claim(PgPipeline& pipeline, std::span<const core::Command> batch);
    std::vector<int> groups_for(const core::Claim& claim, const IsOpen& is_open) const;
    void note_queues(std::span<const core::Command> batch, Outlook& outlook);
    /// How many tasks of each run; missing is the queue that another process claims from now.
    std::map<core::QueueKey, int> lock_and_count_running(const std::set<core::QueueKey>& keys);
    std::vector<core::StoredRow> stored(const std::vector<core::TaskRef>& refs);
    bool run_look(PgPipeline& pipeline);
    void finish_look(std::span<const core::Command> batch, const Wanted& wanted, Outlook& outlook);

    // ---- submits of users (inbox.cpp)
    void ask_inbox(PgPipeline& pipeline, Outlook& outlook);
    void ask_posted(PgPipeline& pipeline, const Wanted& wanted, Outlook& outlook);
    static void take_posted(const PgRows& rows, Outlook& outlook);

    // ---- groups of lanes
    /// Whose entries the task's next ones must stand behind in the feed, when that one began after this transaction.
    std::optional<std::int64_t> behind(core::TaskRef ref) const;

    int group_of(const core::LaneKey& key);
    const core::LaneKey* group_key(int group);
    void refresh_groups(PgPipeline& pipeline);

    PgConnection& connection_;
    ServerClock& clock_;
    Membership membership_;
    PendingWrites writes_;
    std::optional<Error> failure_;
    std::optional<PgError> fault_;
    bool in_transaction_ = false;
    bool is_disowned_ = false;
    bool has_news_ = false;
    bool has_forgotten_ = false;   // the transaction before failed: all that is held is read anew
    std::set<std::int32_t> told_;  // workers whose tasks were changed by this one
    std::int64_t transaction_ = 0;
    core::FeedCursor newest_;

    // Of this transaction.
    struct Image {
        core::StoredRow stored;
        bool has_input = false;
    };
    std::unordered_map<core::TaskRef, Image> rows_;
    std::set<core::TaskRef> written_;  // updates that are pending
    std::unordered_map<core::TaskRef, std::int64_t> behind_;
    std::map<std::array<std::uint8_t, 16>, core::TaskRef> ids_;
    std::map<core::KeyName, std::optional<core::KeyRow>> keys_;
    std::set<core::KeyName> busy_, written_keys_, written_expiries_;
    std::map<core::QueueKey, core::QueueSettings> settings_;
    bool has_suspects_ = false;
    /// What the look found for the batch's claim; so as long as the batch makes nothing else ready before it.
    struct Foreseen {
        std::vector<int> groups;
        int rows_max = 0;
        std::vector<core::TaskRef> ready;
        Foreseen(std::vector<int> g, int max) : groups(std::move(g)), rows_max(max) {}
    };
    std::optional<Foreseen> foreseen_;
    bool has_made_ready_ = false;
    std::deque<core::TaskRef> new_refs_;

    // Of this process.
    std::map<core::LaneKey, int> group_ids_;
    std::unordered_map<int, core::LaneKey> groups_;
    std::set<core::TaskRef> aside_;
    int filled_groups_ = 0;  // those of which the last claim found rows
    core::Micros times_at_{-1}, groups_at_{-1};
    // Where claims begin to search a group, while a transaction that is open for long keeps the server from clearing
    // away the places of tasks that are done: each search from the start would walk them all.
    struct GroupHead {
        std::optional<std::pair<std::int64_t, core::TaskRef>> first;
        core::Micros whole_at{};  // when its next search from the start is due
    };
    std::map<int, GroupHead> heads_;
    std::int64_t transactions_behind_ = 0;  // how many the server has seen since the oldest that is open
    struct Inbox {
        core::Micros asked_at{-1}, whole_at{-1}, came_at{-1};
        bool has_more = false;
        core::TaskRef newest = 0, from = 0, next_from = 0;
        // A search from the start that found more than one look takes goes on here, up to what was newest when it
        // began.
        std::optional<core::TaskRef> whole_from;
        core::TaskRef whole_until = 0;
    };
    Inbox inbox_;
};

}  // namespace pawl::store
