#include "support/sim_pool.hpp"

#include "core/assert.hpp"
#include "runtime/attempt.hpp"

namespace pawl::testing {

SimPool::~SimPool() { die(); }

void SimPool::run(std::function<void()> f) {
    if (is_dying_) return;
    Call& call = calls_[++last_number_];
    call.f = std::move(f);
    call.due = clock_.boot() + chance_.length(delay_max_);
}

bool SimPool::is_ready(const Call& call) const {
    return (call.due && *call.due <= clock_.boot()) || (call.wake && call.wake());
}

std::vector<std::uint64_t> SimPool::ready() const {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, call] : calls_)
        if (is_ready(call)) numbers.push_back(number);
    return numbers;
}

std::optional<core::Micros> SimPool::next() const {
    std::optional<core::Micros> next;
    for (const auto& [number, call] : calls_)
        if (call.due && (!next || *call.due < *next)) next = call.due;
    return next;
}

int SimPool::running() const {
    int n = 0;
    for (const auto& [number, call] : calls_) n += call.fiber ? 1 : 0;
    return n;
}

void SimPool::go_on(std::uint64_t number) {
    Call& call = calls_.at(number);
    if (!call.fiber) call.fiber = std::make_unique<Fiber>(std::move(call.f));
    call.due.reset();
    call.wake = nullptr;
    current_ = number;
    call.fiber->resume();
    current_ = 0;
    if (call.fiber->has_ended()) calls_.erase(number);
}

// What a dying function does on its way out (destructors, a post to a loop that takes nothing) is no part of the world.
void SimPool::die() {
    is_dying_ = true;
    while (!calls_.empty()) {
        const std::uint64_t number = calls_.begin()->first;
        if (calls_.begin()->second.fiber) go_on(number);
        else calls_.erase(number);
    }
}

void SimPool::block(core::Micros length, std::function<bool()> wake) {
    if (current_ == 0) return;
    Call& call = calls_.at(current_);
    if (!is_dying_) {
        call.due = clock_.boot() + length;
        call.wake = std::move(wake);
        Fiber::suspend();
    }
    if (is_dying_) throw ProcessDied{};
}

bool SimPool::begin_effect(const Attempt& attempt, const std::string& identity_json) {
    using Intent = detail::AttemptState::Intent;
    detail::AttemptState& state = attempt.state();
    state.send_intent(identity_json);
    block(std::chrono::hours(24), [&] { return state.intent != Intent::none; });
    PAWL_ASSERT(state.intent != Intent::none);
    return state.intent == Intent::flushed && state.stop.load() == 0;
}

}  // namespace pawl::testing
