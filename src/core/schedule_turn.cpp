#include "core/schedule.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <utility>

namespace pawl::core {
namespace {

using Asked = ScheduleState::Asked;
using What = ScheduleAction::What;
using Why = ScheduleAction::Why;

constexpr std::size_t waiting_max = 1'000;

// `at - length`, at least the first instant.
WallInstant before(WallInstant at, Micros length) {
    return at < WallInstant::min() + length ? WallInstant::min() : at - length;
}

/// One turn: what has ended, what waited, what was missed, what is due; in this order.
class Turn {
public:
    Turn(const Schedule& schedule, ScheduleState state, const ScheduleFacts& facts)
        : schedule_(&schedule), facts_(&facts), left_(facts.firings_max) {
        PAWL_ASSERT(facts.firings_max >= 1);
        turn_.state = std::move(state);
        forget_ended();
        // A pause keeps what waits; only the end of the pause says what becomes of the time in between.
        if (schedule.paused) return;
        if (!replaces()) submit_waiting();
        skip_missed();
        decide_due();
        turn_.next_due = next_due();
        const bool all_decided = !turn_.next_due || *turn_.next_due > facts.now;
        if (replaces() && all_decided) make_way();
        turn_.finished = !turn_.next_due && state_().waiting.empty();
    }

    ScheduleTurn take() { return std::move(turn_); }

private:
    ScheduleState& state_() { return turn_.state; }

    bool replaces() const {
        return schedule_->overlap == Overlap::cancel_other || schedule_->overlap == Overlap::kill_other;
    }
    // What waits has its place already.
    bool may_submit_more() {
        const auto waiting = static_cast<std::int64_t>(state_().waiting.size());
        return !state_().remaining || *state_().remaining > waiting;
    }

    void forget_ended() {
        std::erase_if(state_().running, [&](const ScheduleState::Running& running) {
            return std::find(facts_->ended.begin(), facts_->ended.end(), running.firing) != facts_->ended.end();
        });
    }

    void submit(WallInstant firing) {
        turn_.actions.push_back({What::submit, firing, Why::none, {}});
        // With `allow` nobody asks for it, and the list would grow with every task that is slow.
        if (schedule_->overlap != Overlap::allow) state_().running.push_back({firing, Asked::nothing});
        if (state_().remaining) --*state_().remaining;
    }

    void skip(WallInstant firing, Why why) { turn_.actions.push_back({What::skip, firing, why, {}}); }

    void submit_waiting() {
        auto& waiting = state_().waiting;
        while (!waiting.empty() && (schedule_->overlap == Overlap::allow || state_().running.empty())) {
            const WallInstant firing = waiting.front();
            waiting.erase(waiting.begin());
            submit(firing);
        }
    }

    // After a long downtime the firings of years may lie behind: those that are surely too old are passed over as one,
    // and only those that their jitter may have saved are looked at.
    void skip_missed() {
        const WallInstant oldest = before(facts_->now, schedule_->catch_up);
        const WallInstant surely = before(oldest, schedule_->jitter + Micros{1});
        std::optional<ScheduleAction> missed;
        for (; left_ > 0 && may_submit_more(); --left_) {
            const auto firing = next_firing(*schedule_, state_().handled);
            if (!firing || due_at(*schedule_, *firing) >= oldest) break;
            const WallInstant through = std::max(*firing, surely);
            if (!missed) missed = {What::skip, *firing, Why::missed, through};
            missed->through = through;
            state_().handled = through;
        }
        if (missed) turn_.actions.push_back(*missed);
    }

    void decide_due() {
        for (; left_ > 0 && may_submit_more(); --left_) {
            const auto firing = next_firing(*schedule_, state_().handled);
            if (!firing || due_at(*schedule_, *firing) > facts_->now) return;
            state_().handled = *firing;
            decide(*firing);
        }
    }

    void decide(WallInstant firing) {
        auto& waiting = state_().waiting;
        const bool alone = state_().running.empty() && waiting.empty();
        switch (schedule_->overlap) {
            case Overlap::allow:
                return submit(firing);
            case Overlap::skip:
                return alone ? submit(firing) : skip(firing, Why::overlap);
            case Overlap::buffer_one:
                if (alone) return submit(firing);
                return waiting.empty() ? waiting.push_back(firing) : skip(firing, Why::overlap);
            case Overlap::buffer_all:
                if (alone) return submit(firing);
                return waiting.size() < waiting_max ? waiting.push_back(firing) : skip(firing, Why::buffer_full);
            case Overlap::cancel_other:
            case Overlap::kill_other:
                for (const WallInstant earlier : std::exchange(waiting, {firing})) skip(earlier, Why::replaced);
                return;
        }
    }

    // The newest firing goes ahead, or asks for its place.
    void make_way() {
        if (state_().waiting.empty()) return;
        if (state_().running.empty()) return submit_waiting();
        const bool kill = schedule_->overlap == Overlap::kill_other;
        for (ScheduleState::Running& running : state_().running) {
            const Asked asked = kill ? Asked::kill : Asked::cancel;
            if (running.asked >= asked) continue;
            running.asked = asked;
            turn_.actions.push_back({kill ? What::kill : What::cancel, running.firing, Why::none, {}});
        }
    }

    std::optional<WallInstant> next_due() {
        if (!may_submit_more()) return std::nullopt;
        const auto firing = next_firing(*schedule_, state_().handled);
        if (!firing) return std::nullopt;
        return due_at(*schedule_, *firing);
    }

    const Schedule* schedule_;
    const ScheduleFacts* facts_;
    int left_;  ///< firings that may still be looked at
    ScheduleTurn turn_;
};

}  // namespace

ScheduleTurn take_turn(const Schedule& schedule, ScheduleState state, const ScheduleFacts& facts) {
    const WallInstant handled_before = state.handled;
    ScheduleTurn turn = Turn(schedule, std::move(state), facts).take();
    PAWL_ASSERT(turn.state.handled >= handled_before);
    PAWL_ASSERT(!turn.state.remaining || *turn.state.remaining >= 0);
    return turn;
}

}  // namespace pawl::core
