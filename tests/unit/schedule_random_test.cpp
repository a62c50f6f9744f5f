// Random schedules, called at random instants, against what the list of all their firings says.
#include "core/duration.hpp"
#include "core/schedule.hpp"
#include "support/zone_bytes.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace pawl;
using namespace pawl::core;
using namespace pawl::test;
using namespace std::chrono_literals;
using What = ScheduleAction::What;
using Why = ScheduleAction::Why;

namespace {

class RandomSchedules {
public:
    explicit RandomSchedules(std::uint64_t seed) : random_(seed) {}

    std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
    bool chance(int one_in) { return below(one_in) == 0; }

    Schedule schedule() {
        static const TimeZone places[] = {zone("UTC"), zone("Europe/Berlin"), zone("Australia/Lord_Howe")};
        constexpr const char* lines[] = {"*/5 * * * *", "0 * * * *", "30 2 * * *", "0 9-17/2 * * MON-FRI",
                                         "15 1,2,3 * * *"};
        Schedule made;
        made.name = "s" + std::to_string(below(1'000));
        if (chance(2)) {
            made.when = Every{Micros{1min} * (1 + below(300)), Micros{1s} * below(60)};
        } else {
            made.when = Cron::parse(lines[below(5)]).value();
            made.zone = places[below(3)];
        }
        made.catch_up = Micros{10s} * (1 + below(4'000));
        if (chance(2)) made.jitter = Micros{1s} * below(7'200);
        if (chance(4)) made.start = start + Micros{1min} * below(3'000);
        if (chance(4)) made.end = start + Micros{1min} * (3'000 + below(6'000));
        return made;
    }

    // A few days over the autumn's change of clocks.
    static inline const WallInstant start = parse_instant("2026-10-22T12:00:00Z").value();
    Micros pause() { return chance(10) ? Micros{1min} * below(2'000) : Micros{1s} * below(3'000); }

private:
    std::mt19937_64 random_;
};

}  // namespace

TEST(ScheduleRandom, NoFiringTwiceAndNoneMissedWithinTheWindow) {
    int submitted = 0, missed = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        RandomSchedules random(seed);
        const Schedule schedule = [&] {
            Schedule made = random.schedule();
            made.overlap = Overlap::allow;
            return made;
        }();
        ScheduleState state;
        state.handled = random.start;
        WallInstant now = random.start, last_submit = random.start;
        std::map<WallInstant, WallInstant> submits;  // firing -> when
        std::vector<WallInstant> calls;
        for (int i = 0; i < 60; ++i) {
            now += random.pause();
            calls.push_back(now);
            ScheduleFacts facts;
            facts.now = now;
            facts.firings_max = 1 + static_cast<int>(random.below(20));
            std::optional<WallInstant> due;
            do {
                const ScheduleTurn turn = take_turn(schedule, state, facts);
                const ScheduleTurn again = take_turn(schedule, state, facts);
                ASSERT_EQ(turn.actions, again.actions);
                ASSERT_EQ(turn.state, again.state);
                ASSERT_GE(turn.state.handled, state.handled);
                for (const ScheduleAction& action : turn.actions) {
                    if (action.what != What::submit) continue;
                    ASSERT_GT(action.firing, last_submit) << "seed " << seed;
                    last_submit = action.firing;
                    submits[action.firing] = now;
                }
                state = turn.state;
                due = turn.next_due;
                ASSERT_TRUE(due || turn.finished);
            } while (due && *due <= now);
        }
        for (auto firing = next_firing(schedule, random.start); firing && due_at(schedule, *firing) <= now;
             firing = next_firing(schedule, *firing)) {
            const WallInstant due = due_at(schedule, *firing);
            const WallInstant call = *std::lower_bound(calls.begin(), calls.end(), due);
            const bool in_window = call - due <= schedule.catch_up;
            const auto found = submits.find(*firing);
            ASSERT_EQ(found != submits.end(), in_window)
                << "seed " << seed << ": " << format_instant(*firing) << " due " << format_instant(due) << ", called "
                << format_instant(call);
            if (in_window) { ASSERT_EQ(found->second, call) << "seed " << seed; }
            (in_window ? submitted : missed) += 1;
            submits.erase(*firing);
        }
        EXPECT_TRUE(submits.empty()) << "seed " << seed << ": a submit without a firing";
    }
    EXPECT_GT(submitted, 500);
    EXPECT_GT(missed, 500);
}

// Tasks end when they like; the wall clock jumps; the policy is one that keeps tasks apart.
TEST(ScheduleRandom, TasksThatMayNotOverlapNeverDoAndEveryFiringIsDecidedOnce) {
    int submitted = 0, asked = 0;
    for (std::uint64_t seed = 1; seed <= 36; ++seed) {
        RandomSchedules random(seed);
        Schedule schedule = random.schedule();
        schedule.overlap = static_cast<Overlap>(random.below(5));
        ScheduleState state;
        state.handled = random.start;
        if (random.chance(3)) state.remaining = random.below(20);
        const auto limit = state.remaining;
        std::set<WallInstant> running, decided;
        std::map<WallInstant, int> stops;
        std::int64_t submits = 0;
        WallInstant now = random.start;
        for (int i = 0; i < 120; ++i) {
            now += random.chance(15) ? -random.pause() : random.pause();
            std::vector<WallInstant> ended;
            if (!running.empty() && random.chance(2)) ended.push_back(*running.begin());
            for (const WallInstant firing : ended) running.erase(firing);
            ScheduleFacts facts;
            facts.now = now;
            facts.ended = ended;
            facts.firings_max = 1 + static_cast<int>(random.below(30));
            const ScheduleTurn turn = take_turn(schedule, state, facts);
            state = turn.state;
            for (const ScheduleAction& action : turn.actions) {
                switch (action.what) {
                    case What::submit:
                        ASSERT_TRUE(decided.insert(action.firing).second) << "seed " << seed;
                        ASSERT_TRUE(running.empty()) << "seed " << seed << ": two tasks at a time";
                        running.insert(action.firing);
                        ++submits;
                        break;
                    case What::skip:
                        ASSERT_TRUE(decided.insert(action.firing).second) << "seed " << seed;
                        break;
                    default:
                        ASSERT_TRUE(running.contains(action.firing)) << "seed " << seed;
                        ASSERT_EQ(++stops[action.firing], 1) << "seed " << seed << ": asked twice";
                        ++asked;
                }
            }
            ASSERT_LE(state.waiting.size(), schedule.overlap == Overlap::buffer_all ? 1'000U : 1U);
            for (const WallInstant firing : state.waiting) ASSERT_FALSE(decided.contains(firing)) << "seed " << seed;
            if (limit) { ASSERT_EQ(*state.remaining, *limit - submits); }
            ASSERT_TRUE(!turn.finished || (!turn.next_due && state.waiting.empty()));
        }
        submitted += static_cast<int>(submits);
    }
    EXPECT_GT(submitted, 500);
    EXPECT_GT(asked, 20);
}
