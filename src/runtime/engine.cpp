#include "runtime/engine.hpp"

#include "core/assert.hpp"
#include "core/limits.hpp"
#include "runtime/execution.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl::runtime {

EngineOptions::EngineOptions() : stop_grace(core::limits::stop_grace), hard_stop(core::limits::hard_stop) {}

Engine::Engine(EngineParts parts, const Registry& registry, EngineOptions options)
    : parts_(parts), registry_(registry), options_(std::move(options)) {}

Engine::~Engine() {
    parts_.loop.cancel(due_timer_);
    parts_.loop.cancel(deadline_timer_);
    parts_.loop.cancel(drain_timer_);
    parts_.loop.cancel(look_timer_);
}

void Engine::start() {
    started_ = true;
    core::Claim claim;
    claim.types = registry_.served();
    claim.queues = options_.queues;
    parts_.batcher.set_claim(std::move(claim), [this](core::Command&, Result<core::Answer> answer) {
        if (answer) on_claimed(std::get<core::Claimed>(std::move(*answer)));
        else spdlog::error("claim: {}", answer.error().message);
    });
    if (!parts_.batcher.shares_slots()) parts_.batcher.add_slots(options_.concurrency);
    parts_.batcher.kick();
}

void Engine::send(core::Command command, Answered done, bool from_worker) {
    in_flight_++;
    parts_.batcher.push(Item{std::move(command),
                             [this, done = std::move(done)](core::Command& c, Result<core::Answer> answer) {
                                 in_flight_--;
                                 done(c, std::move(answer));
                             },
                             from_worker});
}

// ---- batches ---------------------------------------------------------------------------------------------------

void Engine::on_early(BatchOutcome outcome) {
    batch_now_ = outcome.now;
    batch_boot_ = outcome.boot_at_now;
    take_answers(outcome.items, outcome.replies);
    after_turn();
}

void Engine::on_batch(BatchOutcome outcome) {
    batch_now_ = outcome.now;
    batch_boot_ = outcome.boot_at_now;
    arm_due(outcome.next_due, outcome.next_deadline);
    for (const core::Notice& notice : outcome.notices) deliver(notice);
    take_answers(outcome.items, outcome.replies);
    if (outcome.newest > newest_) {
        newest_ = outcome.newest;
        const auto watchers = feed_watchers_;
        for (const auto& [token, f] : watchers) f();
    }
    if (std::exchange(wakes_all_, false)) wake_all();
    arm_look(outcome.look_again);
    after_turn();
}

void Engine::look_around() {
    wakes_all_ = true;
    tick();
}

void Engine::arm_look(const std::optional<core::Micros>& in) {
    if (!in || look_timer_ != 0) return;
    look_timer_ = parts_.loop.after(*in, [this] {
        look_timer_ = 0;
        look_around();
    });
}

void Engine::take_answers(std::vector<Item>& items, std::vector<core::Reply>& replies) {
    PAWL_ASSERT(items.size() == replies.size());
    for (std::size_t i = 0; i < items.size(); i++)
        if (items[i].done) items[i].done(items[i].command, std::move(replies[i].answer));
}

void Engine::on_store_lost(std::vector<Item> unanswered, const Error& error) {
    store_lost_ = true;
    for (Execution* execution : all_held()) execution->drop();
    for (Item& item : unanswered)
        if (item.done) item.done(item.command, error);
    after_turn();
}

// In the order of their claims: the same order in every run of a simulation.
std::vector<Execution*> Engine::all_held() const {
    std::vector<Execution*> held;
    for (const auto& [serial, execution] : executions_) held.push_back(execution.get());
    std::ranges::sort(held, {}, [](const Execution* e) { return e->serial(); });
    return held;
}

void Engine::drop_all() {
    dropped_ = true;
    quiet_ = {};
    drained_ = {};
    for (Execution* execution : all_held()) execution->drop();
}

void Engine::on_store_back() {
    store_lost_ = false;
    parts_.batcher.kick();
    wake_all();
}

void Engine::on_store_dead() {
    store_dead_ = true;
    wake_all();
    if (quiet_) quiet_();
}

// Nobody was told what the lost batch or the reopening decided: everybody who waits for an end looks again.
void Engine::wake_all() {
    for (const Waiters::Told& told : waiters_.take_all()) told.ended(std::nullopt);
    for (const auto& [id, watcher] : std::exchange(watchers_, {})) {
        core::Notice notice;
        notice.id = id;
        watcher.f(notice);
    }
    const auto watchers = feed_watchers_;
    for (const auto& [token, f] : watchers) f();
}

// ---- claims ----------------------------------------------------------------------------------------------------

void Engine::on_claimed(core::Claimed claimed) {
    if (dropped_) return;
    for (core::ClaimedTask& task : claimed.tasks) adopt(std::move(task));
}

void Engine::adopt(core::ClaimedTask task) {
    const core::TaskRef ref = task.row.ref;
    if (const auto held = by_task_.find(ref); held != by_task_.end()) {
        Execution& execution = *executions_.at(held->second);
        if (execution.phase() == Execution::Phase::parked && !has_lingering(ref)) {
            const auto at = parked_at_.find(execution.serial());
            parked_.erase(at->second);
            parked_at_.erase(at);
            return execution.resume_parked(std::move(task));
        }
        execution.drop();  // the store gave the task anew: whatever is left here is void
    }
    const RegisteredType* type = registry_.find(task.row.lane.type, task.row.lane.version);
    PAWL_ASSERT(type != nullptr);
    const std::uint64_t serial = next_serial_++;
    auto execution = std::make_unique<Execution>(*this, serial, std::move(task), *type);
    Execution& e = *execution;
    executions_.emplace(serial, std::move(execution));
    by_task_[ref] = serial;
    // A function of a former hold may still run: its effect must be over before anybody looks or tries again.
    if (has_lingering(ref)) e.wait_for_former();
    else e.begin();
}

bool Engine::has_lingering(core::TaskRef task) const {
    return std::ranges::any_of(lingering_, [&](std::uint64_t s) { return executions_.at(s)->row().ref == task; });
}

void Engine::release_slot() {
    if (!draining_) parts_.batcher.add_slots(1);
}

void Engine::give_up_slot() {
    release_slot();
    parts_.batcher.kick();
}

void Engine::parked(Execution& execution) {
    parked_.push_back(execution.serial());
    parked_at_[execution.serial()] = std::prev(parked_.end());
    evict_parked();
}

void Engine::evict_parked() {
    const std::size_t keep = options_.park_everywhere || draining_ ? 0 : options_.parked_frames_max;
    while (parked_.size() > keep) executions_.at(parked_.front())->drop();
}

// Frees the execution once nothing of it runs any more; later in this turn's end, since callers are inside it.
void Engine::finished(Execution& execution) {
    if (const auto at = parked_at_.find(execution.serial()); at != parked_at_.end()) {
        parked_.erase(at->second);
        parked_at_.erase(at);
    }
    const core::TaskRef ref = execution.row().ref;
    if (const auto at = by_task_.find(ref); at != by_task_.end() && at->second == execution.serial())
        by_task_.erase(at);
    if (execution.is_lingering()) lingering_.insert(execution.serial());
    if (!execution.removable()) return;
    const auto at = executions_.find(execution.serial());
    if (at == executions_.end()) return;
    const bool has_lingered = lingering_.erase(execution.serial()) > 0;
    if (garbage_.empty())
        parts_.loop.post([this] {
            garbage_.clear();
            after_turn();
        });
    garbage_.push_back(std::move(at->second));
    executions_.erase(at);
    if (!has_lingered || has_lingering(ref)) return;
    if (const auto next = by_task_.find(ref); next != by_task_.end()) executions_.at(next->second)->former_is_gone();
}

Execution* Engine::holder(core::TaskRef task) {
    const auto at = by_task_.find(task);
    if (at == by_task_.end()) return nullptr;
    Execution* execution = executions_.at(at->second).get();
    return execution->phase() == Execution::Phase::parked ? nullptr : execution;
}

// ---- notices, timers -------------------------------------------------------------------------------------------

void Engine::deliver(const core::Notice& notice) {
    using What = core::Notice::What;
    const auto held = by_task_.find(notice.task);
    Execution* execution = held == by_task_.end() ? nullptr : executions_.at(held->second).get();
    if (notice.what == What::ending) {
        if (execution) execution->on_ending(notice.ending);
        return;
    }
    if (notice.what == What::lost) {
        if (execution) execution->drop();
        return;
    }
    if (notice.what == What::message) {
        if (execution) execution->on_message();
        return;
    }
    if (notice.what == What::pause_requested) {
        if (execution) execution->on_pause_requested();
        return;
    }
    // Its frame is of no use any more.
    if (notice.what == What::final && execution && execution->phase() == Execution::Phase::parked) execution->drop();
    const auto [first, last] = watchers_.equal_range(notice.id);
    std::vector<std::function<void(const core::Notice&)>> told;
    for (auto it = first; it != last; ++it) told.push_back(std::move(it->second.f));
    watchers_.erase(first, last);
    for (const auto& f : told) f(notice);
}

std::uint64_t Engine::watch(core::TaskId task, std::function<void(const core::Notice&)> f) {
    watchers_.emplace(task, Watcher{next_watch_token_, std::move(f)});
    return next_watch_token_++;
}

void Engine::forget(core::TaskId task, std::uint64_t token) {
    const auto [first, last] = watchers_.equal_range(task);
    for (auto it = first; it != last; ++it)
        if (it->second.token == token) {
            watchers_.erase(it);
            return;
        }
}

std::uint64_t Engine::on_feed(std::function<void()> f) {
    feed_watchers_[next_watch_token_] = std::move(f);
    return next_watch_token_++;
}

void Engine::arm_due(std::optional<core::Instant> next_due, std::optional<core::WallInstant> next_deadline) {
    if (next_due != armed_due_) {
        parts_.loop.cancel(std::exchange(due_timer_, 0));
        armed_due_ = next_due;
        if (next_due)
            due_timer_ = parts_.loop.after(std::max(core::Micros{0}, *next_due - now()), [this] {
                due_timer_ = 0;
                armed_due_.reset();
                tick();
            });
    }
    if (next_deadline != armed_deadline_) {
        parts_.loop.cancel(std::exchange(deadline_timer_, 0));
        armed_deadline_ = next_deadline;
        if (next_deadline)
            deadline_timer_ = parts_.loop.at_wall(*next_deadline, [this] {
                deadline_timer_ = 0;
                armed_deadline_.reset();
                tick();
            });
    }
}

// An empty batch wakes what is due, and claims for the free slots. While claims are held it would only wake: whoever
// lets them go kicks.
void Engine::tick() {
    if (!parts_.batcher.claims_held()) parts_.batcher.kick();
}

bool Engine::quiet() const {
    return started_ && !store_lost_ && held() == 0 && in_flight_ == 0 && !parts_.batcher.has_work();
}

void Engine::after_turn() {
    if (draining_ && drained_ && held() == 0) {
        parts_.loop.cancel(std::exchange(drain_timer_, 0));
        std::exchange(drained_, {})();
        return;
    }
    if (quiet_ && quiet()) quiet_();
}

// ---- drain -----------------------------------------------------------------------------------------------------

void Engine::drain(std::function<void()> drained) {
    draining_ = true;
    drained_ = std::move(drained);
    parts_.batcher.stop_claiming();
    for (Execution* execution : all_held()) {
        if (execution->phase() == Execution::Phase::parked) execution->drop();
        else execution->on_drain();
    }
    // Running steps may end by themselves within the grace; then their attempts are stopped, and what is still there
    // a little later is left behind: the next opening of the store takes it over.
    drain_timer_ = parts_.loop.after(options_.stop_grace, [this] {
        for (Execution* execution : all_held()) execution->stop_for_drain();
        drain_timer_ = parts_.loop.after(options_.hard_stop * 4 / 5, [this] {
            drain_timer_ = 0;
            if (drained_) std::exchange(drained_, {})();
        });
    });
    parts_.loop.post([this] { after_turn(); });
}

}  // namespace pawl::runtime
