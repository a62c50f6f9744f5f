#include "runtime/attempt.hpp"

#include "core/step_key.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace pawl {

std::string Attempt::key() const { return core::step_key(state_->task, state_->path, state_->generation); }
int Attempt::number() const { return state_->number; }
TimePoint Attempt::deadline() const { return state_->deadline; }
std::int64_t Attempt::fence() const { return state_->fence; }
bool Attempt::stop_requested() const { return state_->stop.load() > 0; }
void Attempt::heartbeat() const { state_->heartbeat_us.store(state_->clock->boot().count()); }
void Attempt::log(std::string_view text) const {
    spdlog::info("{} {} attempt {}: {}", core::to_string(state_->task), state_->path, state_->number, text);
}

namespace detail {

void AttemptState::begin() {
    const core::WallInstant now = clock->wall();
    limit = timeout;
    if (latest) limit = std::max(core::Micros{0}, std::min(limit, core::Micros(*latest - now)));
    deadline = TimePoint{(now + limit).time_since_epoch()};
    heartbeat_us.store(clock->boot().count());
    begun_us.store(std::max<std::int64_t>(1, clock->boot().count()));  // publishes what was set above
}

void AttemptState::request_stop(int level) {
    std::lock_guard lock(mutex);
    if (stop.load() >= level) return;
    stop.store(level);
    if (on_stop) on_stop(level);
    changed.notify_all();
}

void AttemptState::answer_intent(bool flushed) {
    {
        std::lock_guard lock(mutex);
        intent = flushed ? Intent::flushed : Intent::refused;
    }
    changed.notify_all();
}

// The loop answers each intent, also when the task is dropped or the store is lost; but at the end of the process it
// runs no more: then the hard stop ends the wait.
bool begin_effect(const Attempt& attempt, const std::string& identity_json) {
    AttemptState& state = attempt.state();
    state.send_intent(identity_json);
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return state.intent != AttemptState::Intent::none || state.stop.load() >= 2; });
    return state.intent == AttemptState::Intent::flushed && state.stop.load() == 0;
}

void set_stop_hook(const Attempt& attempt, std::function<void(int)> hook) {
    AttemptState& state = attempt.state();
    std::lock_guard lock(state.mutex);
    state.on_stop = std::move(hook);
    if (state.on_stop && state.stop.load() > 0) state.on_stop(state.stop.load());
}

int stop_level(const Attempt& attempt) { return attempt.state().stop.load(); }

}  // namespace detail
}  // namespace pawl
