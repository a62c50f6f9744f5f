// The engine of one worker: what it has claimed, what it waits for. A passive object on the loop thread; everything
// it does follows from a batch's outcome, a timer, or the end of a step's function.
#pragma once

#include "core/net.hpp"
#include "core/store.hpp"
#include "runtime/batcher.hpp"
#include "runtime/loop.hpp"
#include "runtime/registry.hpp"
#include "runtime/waiters.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

namespace pawl::detail {
class Execution;
}

namespace pawl::runtime {

using detail::Execution;

struct EngineOptions {
    int concurrency = 64;                    ///< tasks running at once
    std::vector<std::string> queues;         ///< empty = all
    core::Micros stop_grace;                 ///< between the stop token and the hard stop
    core::Micros hard_stop;                  ///< and from there until a deaf step is left behind
    std::size_t parked_frames_max = 16'384;  ///< about 64 MiB of frames
    bool park_everywhere = false;            ///< tests: no frame survives a wait, so that every wait replays

    EngineOptions();
};

/// What the engine is made of; all outlive it.
struct EngineParts {
    Loop& loop;
    Pool& pool;
    Batcher& batcher;
    const core::Clock& clock;
    core::Random& random;
    core::Net* net = nullptr;  ///< null: nothing here talks to a network
};

class Engine {
public:
    Engine(EngineParts parts, const Registry& registry, EngineOptions options);
    ~Engine();

    /// Begins to claim.
    void start();
    /// Claims nothing more; running steps end and their tasks are handed back. `drained` is called once, when no task
    /// is held or after stop_grace + hard_stop.
    void drain(std::function<void()> drained);

    /// Gives up everything that is held, and takes nothing more, at the end of the process.
    void drop_all();

    /// Sends a command; `done` is called on the loop thread.
    void send(core::Command command, Answered done, bool from_worker = true);

    // From the batches.
    void on_early(BatchOutcome outcome);
    void on_batch(BatchOutcome outcome);
    /// The store's last batch has an unknown outcome or the store was lost: everything held is dropped.
    void on_store_lost(std::vector<Item> unanswered, const Error& error);
    /// The store is open again (a new epoch): claiming goes on.
    void on_store_back();
    /// Somebody else wrote to the store: the next batch sees it, and whoever waits looks again behind it.
    void look_around();
    /// The store cannot be opened again: nothing more is done here.
    void on_store_dead();
    bool is_store_dead() const { return store_dead_; }

    /// Called when a task becomes final or stops for a person, and when the store was opened anew or is lost for good:
    /// then whoever watches must look. Every watcher of the task once, then forgotten.
    std::uint64_t watch(core::TaskId task, std::function<void(const core::Notice&)> f);
    void forget(core::TaskId task, std::uint64_t token);
    /// For clients' threads that wait: told by the store's thread, before the loop hears of it. Any thread.
    Waiters& waiters() { return waiters_; }
    /// Called after each batch that appended to the feed, and when the store was opened anew.
    std::uint64_t on_feed(std::function<void()> f);
    void forget_feed(std::uint64_t token) { feed_watchers_.erase(token); }
    /// Called when nothing is held any more and no command is under way (to be asked again after each batch), and when
    /// the store is lost for good.
    void on_quiet(std::function<void()> f) { quiet_ = std::move(f); }
    bool quiet() const;

    /// Store time now, as the next batch would see it.
    core::Instant now() const { return batch_now_ + (parts_.clock.boot() - batch_boot_); }

    // For executions.
    Loop& loop() { return parts_.loop; }
    Pool& pool() { return parts_.pool; }
    const core::Clock& clock() const { return parts_.clock; }
    core::Random& random() { return parts_.random; }
    core::Net* net() { return parts_.net; }
    const EngineOptions& options() const { return options_; }
    bool draining() const { return draining_; }
    void release_slot();
    /// The same with no record of ours on its way, whose batch would claim for it.
    void give_up_slot();
    void parked(Execution& execution);
    void finished(Execution& execution);
    /// The function of a step that ignores its stop has its task's frame still: counted, bounded.
    int deaf_steps() const { return deaf_; }
    void count_deaf(int by) { deaf_ += by; }
    const core::FeedCursor& newest() const { return newest_; }
    std::size_t held() const { return executions_.size() - parked_.size(); }
    const Registry& registry() const { return registry_; }
    /// The execution that holds the task now; null when none does.
    Execution* holder(core::TaskRef task);

private:
    std::vector<Execution*> all_held() const;
    void take_answers(std::vector<Item>& items, std::vector<core::Reply>& replies);
    void on_claimed(core::Claimed claimed);
    void adopt(core::ClaimedTask task);
    bool has_lingering(core::TaskRef task) const;
    void deliver(const core::Notice& notice);
    void wake_all();
    void arm_due(std::optional<core::Instant> next_due, std::optional<core::WallInstant> next_deadline);
    void arm_look(const std::optional<core::Micros>& in);
    void evict_parked();
    void after_turn();
    void tick();

    EngineParts parts_;
    const Registry& registry_;
    EngineOptions options_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Execution>> executions_;  // by serial
    std::unordered_map<core::TaskRef, std::uint64_t> by_task_;                  // live and parked ones
    std::set<std::uint64_t> lingering_;  // given up, but functions of their steps still run
    std::vector<std::unique_ptr<Execution>> garbage_;
    std::list<std::uint64_t> parked_;  // oldest first
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> parked_at_;
    std::uint64_t next_serial_ = 1;
    struct Watcher {
        std::uint64_t token;
        std::function<void(const core::Notice&)> f;
    };
    std::multimap<core::TaskId, Watcher> watchers_;
    Waiters waiters_;
    std::map<std::uint64_t, std::function<void()>> feed_watchers_;
    std::uint64_t next_watch_token_ = 1;
    std::function<void()> quiet_, drained_;
    core::FeedCursor newest_;
    int in_flight_ = 0;
    int deaf_ = 0;
    bool started_ = false, draining_ = false, dropped_ = false, store_lost_ = false, store_dead_ = false;
    core::Instant batch_now_{};
    core::Micros batch_boot_{};
    TimerToken due_timer_ = 0, deadline_timer_ = 0, drain_timer_ = 0, look_timer_ = 0;
    bool wakes_all_ = false;  // behind the next batch
    std::optional<core::Instant> armed_due_;
    std::optional<core::WallInstant> armed_deadline_;
};

}  // namespace pawl::runtime
