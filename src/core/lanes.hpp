// Who is next: the heads of the lanes, in memory, so that a claim costs the same with a thousand or a million queued.
#pragma once

#include "core/tables.hpp"

#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <unordered_map>
#include <vector>

namespace pawl::core {

/// The version of the served type that takes a lane's tasks: the bound one itself if it is served, else the oldest that
/// can. Nothing when none does.
std::optional<int> serving_version(const std::vector<ServedType>& types, const LaneKey& lane);

/// The first ready rows of one lane, in order; the rest is in the tables.
class ReadyWindow {
public:
    static constexpr std::size_t rows_max = 512;

    bool empty() const { return rows_.empty(); }
    const Head& front() const { return rows_.front(); }
    void add(const Head& head);
    void remove(const Head& head);
    /// It ran empty, and there may be more in the tables.
    bool needs_refill() const { return rows_.empty() && !complete_; }
    void refill(const std::vector<Head>& rows, bool complete);
    /// It has no rows, and what is added is all there is, however much.
    void make_whole();

private:
    std::deque<Head> rows_;
    bool complete_ = false;  // no ready row lies beyond the last one here
    bool is_whole_ = false;  // nothing else is known of
};

/// Lanes, the queues' limits and counts, and the order of claims.
///
/// Lanes that differ only in their flow-control key form a group; a claim looks at the groups that it may serve and at
/// nothing else, so lanes without a worker, paused or at their limit cost nothing.
class Lanes {
public:
    /// Reads a lane's first ready rows from the tables, whatever is still unwritten included.
    using Refill = std::function<std::vector<Head>(LaneId, int rows_max)>;

    Lanes(Tables& tables, Refill refill)
        : tables_(tables), shared_(tables.shared() != nullptr), refill_(std::move(refill)) {}

    /// Reads lanes, suspects and queue settings.
    void load();
    /// Forgets all but the kinds of claimers.
    void forget();
    /// Of shared tables: forgets rows and queues, but not the lanes. What the next batch needs of them is read anew.
    void forget_rows();

    /// The lane of that key; made when it is new.
    LaneId id_of(const LaneKey& key);
    bool contains(LaneId id) const { return lanes_.contains(id); }
    const LaneKey& key_of(LaneId id) const;

    // ---- rows come and go
    void add(LaneId lane, const Head& head);
    void remove(LaneId lane, const Head& head);
    /// Takes a row off the heads, wherever it is; one that was read but cannot be claimed.
    void drop(TaskRef ref);
    void add_suspect(LaneId lane, const Head& head) { suspects_.emplace(head, lane); }
    void remove_suspect(LaneId lane, const Head& head) { suspects_.erase({head, lane}); }
    void count_running(LaneId lane, int change);
    void count_pending(LaneId lane, int change);
    /// A running suspect that has not yet shown that it lives: no other may start beside it.
    void count_at_risk(int change) { at_risk_ += change; }
    void set_at_risk(int count) { at_risk_ = count; }

    // ---- queues
    QueueSettings queue(const QueueKey& key) const;
    /// Requires that the tables know every row.
    void set_queue(const QueueKey& key, const QueueSettings& settings);
    bool is_full(const QueueKey& key) const;
    /// Not paused, and below its limit.
    bool is_open(const QueueKey& key) const;
    /// What the tables say of a queue now. `pending` where it has a depth_max.
    struct QueueNow {
        QueueSettings settings;
        int running = 0;
        std::optional<std::int64_t> pending;
    };
    void note_queue(const QueueKey& key, const QueueNow& now);

    // ---- claims
    struct Pick {
        TaskRef ref = 0;
        int version = 1;  ///< of the served type that takes it
        Head head{};
    };
    /// What one kind of claimer may take; kept, since claimers ask again and again.
    struct Plan {
        std::vector<ServedType> types;
        std::vector<std::string> queues;
        struct Part {
            std::size_t group = 0;
            int version = 1;
        };
        std::vector<Part> parts;
        std::size_t groups_seen = 0;
    };
    Plan& plan(const Claim& claim);
    /// The best rows one after the other; each pick must be claimed before the next is asked for.
    class Picker {
    public:
        Picker(Lanes& lanes, Plan& plan);
        std::optional<Pick> next();

    private:
        struct Candidate {
            Head head;
            std::size_t part = 0;
            bool operator>(const Candidate& other) const { return head > other.head; }
        };
        void offer(std::size_t part);

        Lanes& lanes_;
        Plan& plan_;
        std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
        std::optional<std::size_t> taken_;  // the part of the last pick, to be offered again
    };
    /// Some kind of claimer seen so far could take something now.
    bool more_ready();

private:
    struct Queue {
        QueueKey key;
        QueueSettings settings;
        int running = 0;
        std::optional<std::int64_t> pending;  // counted while there is a depth_max
        bool is_counted = true;               // `running` is what the tables say
        bool is_open() const {
            return !settings.paused && (settings.concurrency == 0 || running < settings.concurrency);
        }
    };
    struct Group {
        LaneKey key;  // its flow-control key is left empty
        std::size_t queue = 0;
        std::set<std::pair<Head, LaneId>> heads;  // of its lanes with a known head
        std::set<LaneId> to_refill;
    };
    struct Lane {
        LaneKey key;
        std::size_t group = 0;
        ReadyWindow window;
    };

    Lane& lane(LaneId id);
    const Lane& lane(LaneId id) const;
    void admit(LaneId id, const LaneKey& key);
    std::size_t queue_index(const QueueKey& key);
    std::size_t group_index(const LaneKey& key);
    Queue& queue_of(LaneId id) { return queues_[groups_[lane(id).group].queue]; }
    void extend(Plan& plan) const;
    /// The best head of a group, or nothing when it is empty, paused or at its limit.
    std::optional<Head> best(std::size_t group);
    std::optional<std::pair<Head, Pick>> best_suspect(const Plan& plan) const;
    void count_rows(Queue& queue);
    template <class Change>
    void change_window(LaneId id, Change&& change);

    Tables& tables_;
    const bool shared_;
    Refill refill_;
    std::unordered_map<LaneId, Lane> lanes_;
    LaneId newest_ = 0;
    std::map<LaneKey, LaneId> ids_;
    std::deque<Group> groups_;
    std::map<LaneKey, std::size_t> group_ids_;
    std::deque<Queue> queues_;
    std::map<QueueKey, std::size_t> queue_ids_;
    std::set<std::pair<Head, LaneId>> suspects_;
    std::vector<LaneId> filled_;      // shared: lanes that got rows since forget_rows()
    std::vector<std::size_t> noted_;  // shared: queues that were noted since then
    int at_risk_ = 0;
    std::deque<Plan> plans_;
};

}  // namespace pawl::core
