#include "core/schedule.hpp"

#include "core/duration.hpp"
#include "core/limits.hpp"
#include "support/zone_bytes.hpp"

#include <algorithm>
#include <set>

using namespace pawl;
using namespace pawl::core;
using namespace pawl::test;
using namespace std::chrono_literals;
using What = ScheduleAction::What;
using Why = ScheduleAction::Why;

namespace {

WallInstant when(std::string_view text) { return parse_instant(text).value(); }
const WallInstant noon = when("2026-06-01T12:00:00Z");

Schedule every(Micros length, Overlap overlap = Overlap::allow) {
    Schedule schedule;
    schedule.name = "nightly";
    schedule.when = Every{length, 0s};
    schedule.overlap = overlap;
    return schedule;
}

Schedule by_cron(std::string_view line, const char* place = "UTC") {
    Schedule schedule = every(1h);
    schedule.when = Cron::parse(line).value();
    schedule.zone = zone(place);
    return schedule;
}

ScheduleState created(WallInstant at) {
    ScheduleState state;
    state.handled = at;
    return state;
}

/// A schedule and what became of it.
struct Kept {
    Schedule schedule;
    ScheduleState state = created(noon);
    ScheduleTurn last{};

    /// "submit 13:00, cancel 12:00", by the firings.
    std::string turn(WallInstant now, std::vector<WallInstant> ended = {}) {
        ScheduleFacts facts;
        facts.now = now;
        facts.ended = ended;
        last = take_turn(schedule, state, facts);
        state = last.state;
        std::string text;
        for (const ScheduleAction& action : last.actions) {
            constexpr const char* names[] = {"submit", "skip", "cancel", "kill"};
            text += (text.empty() ? "" : ", ") + std::string(names[static_cast<int>(action.what)]) + " " +
                    format_instant(action.firing).substr(11, 5);
            if (action.what == What::skip) text += " " + std::string(to_string(action.why));
        }
        return text;
    }
};

std::string refusal(const Schedule& schedule, WallInstant now = noon) {
    const auto checked = check_schedule(schedule, now);
    EXPECT_FALSE(checked);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, Errc::bad_input);
    return checked.error().message;
}

}  // namespace

TEST(Schedule, AnIntervalFiresAtItsMultiplesSince1970) {
    Schedule schedule = every(90min);
    EXPECT_EQ(next_firing(schedule, wall_instant(0)), WallInstant(90min));
    EXPECT_EQ(next_firing(schedule, wall_instant(-1)), wall_instant(0));
    EXPECT_EQ(next_firing(schedule, WallInstant(-90min)), wall_instant(0));
    schedule.when = Every{24h, 2h};
    EXPECT_EQ(next_firing(schedule, noon), noon + 14h);
    EXPECT_TRUE(next_firing(schedule, WallInstant::min()));
    EXPECT_FALSE(next_firing(schedule, WallInstant::max()));
}

TEST(Schedule, StartAndEndThemselvesMayFire) {
    Schedule schedule = every(1h);
    schedule.start = noon + 2h;
    schedule.end = noon + 3h;
    EXPECT_EQ(next_firing(schedule, noon), noon + 2h);
    EXPECT_EQ(next_firing(schedule, noon + 2h), noon + 3h);
    EXPECT_FALSE(next_firing(schedule, noon + 3h));
    Kept kept{schedule};
    EXPECT_EQ(kept.turn(noon + 9h), "submit 14:00, submit 15:00");
    EXPECT_TRUE(kept.last.finished);
    EXPECT_FALSE(kept.last.next_due);
}

TEST(Schedule, ACronLineFiresByTheClockOfItsPlace) {
    EXPECT_EQ(next_firing(by_cron("30 9 * * *", "Asia/Kolkata"), noon), when("2026-06-02T04:00:00Z"));
    EXPECT_EQ(next_firing(by_cron("30 9 * * *"), noon), when("2026-06-02T09:30:00Z"));
}

TEST(Schedule, EachFiringHasAKeyOfItsOwn) {
    EXPECT_EQ(firing_key("nightly", noon), "schedule/nightly/2026-06-01T12:00:00.000Z");
    EXPECT_LE(firing_key(std::string(limits::name_bytes_max, 'n'), noon).size(), limits::key_bytes_max);
}

TEST(Schedule, JitterFollowsFromNameAndFiringAndNeverReachesTheNext) {
    Schedule schedule = every(10min);
    schedule.jitter = 24h;
    std::set<Micros> seen;
    WallInstant firing = noon;
    for (int i = 0; i < 500; ++i) {
        const WallInstant due = due_at(schedule, firing);
        const WallInstant next = next_firing(schedule, firing).value();
        ASSERT_GE(due, firing);
        ASSERT_LT(due, next);
        ASSERT_EQ(due, due_at(schedule, firing));
        seen.insert(due - firing);
        firing = next;
    }
    EXPECT_GT(seen.size(), 490U);
    EXPECT_LT(*seen.begin(), 1min) << "the whole length is used";
    EXPECT_GT(*seen.rbegin(), 9min);

    Schedule other = schedule;
    other.name = "weekly";
    EXPECT_NE(due_at(other, noon), due_at(schedule, noon));
    Schedule ending = schedule;
    ending.end = noon;
    EXPECT_EQ(due_at(ending, noon), due_at(schedule, noon));
    schedule.jitter = 5s;
    EXPECT_LT(due_at(schedule, noon), noon + 5s);
    schedule.jitter = 0s;
    EXPECT_EQ(due_at(schedule, noon), noon);
}

TEST(Schedule, AFiringIsSubmittedWhenItIsDueAndOnlyOnce) {
    Kept kept{every(1h)};
    EXPECT_EQ(kept.turn(noon + 59min), "");
    EXPECT_EQ(kept.last.next_due, noon + 1h);
    EXPECT_EQ(kept.turn(noon + 1h), "submit 13:00");
    EXPECT_EQ(kept.last.next_due, noon + 2h);
    EXPECT_EQ(kept.turn(noon + 1h), "");
    EXPECT_EQ(kept.turn(noon - 5h), "") << "the wall clock was put back";
    EXPECT_EQ(kept.turn(noon + 2h), "submit 14:00");
}

TEST(Schedule, ADowntimeIsMadeUpForWithinTheWindowOnly) {
    Kept kept{every(1h)};
    kept.schedule.catch_up = 2h;
    EXPECT_EQ(kept.turn(noon + 10h + 30min), "skip 13:00 missed, submit 21:00, submit 22:00");
    EXPECT_EQ(kept.turn(noon + 13h), "submit 23:00, submit 00:00, submit 01:00") << "2 h are not longer than 2 h";
}

TEST(Schedule, AnOutageOfYearsIsPassedOverAtOnceAndItsEndInBoundedTurns) {
    Kept kept{every(1min)};
    const WallInstant now = noon + 24h * 3'650;
    std::int64_t submitted = 0;
    int turns = 0;
    do {
        const std::string text = kept.turn(now);
        EXPECT_EQ(text.find("missed") != text.npos, turns == 0);
        EXPECT_LE(kept.last.actions.size(), 100U);
        submitted += std::count_if(kept.last.actions.begin(), kept.last.actions.end(),
                                   [](const auto& action) { return action.what == What::submit; });
        ASSERT_LT(++turns, 20);
    } while (*kept.last.next_due <= now);
    EXPECT_EQ(submitted, 24 * 60 + 1);
    EXPECT_EQ(kept.last.next_due, now + 1min);
}

TEST(Schedule, SkipDropsWhatFallsIntoARunningTask) {
    Kept kept{every(1h, Overlap::skip)};
    EXPECT_EQ(kept.turn(noon + 2h), "submit 13:00, skip 14:00 overlap");
    EXPECT_EQ(kept.turn(noon + 3h), "skip 15:00 overlap");
    EXPECT_EQ(kept.turn(noon + 3h, {noon + 1h}), "");
    EXPECT_EQ(kept.turn(noon + 4h), "submit 16:00");
}

TEST(Schedule, BufferOneKeepsTheFirstThatWaits) {
    Kept kept{every(1h, Overlap::buffer_one)};
    EXPECT_EQ(kept.turn(noon + 3h), "submit 13:00, skip 15:00 overlap");
    EXPECT_EQ(kept.turn(noon + 3h, {noon + 1h}), "submit 14:00");
    EXPECT_EQ(kept.turn(noon + 3h, {noon + 2h}), "");
}

TEST(Schedule, BufferAllLetsEachTakeItsTurn) {
    Kept kept{every(1h, Overlap::buffer_all)};
    EXPECT_EQ(kept.turn(noon + 3h), "submit 13:00");
    EXPECT_EQ(kept.turn(noon + 4h, {noon + 1h}), "submit 14:00");
    EXPECT_EQ(kept.turn(noon + 4h, {noon + 2h}), "submit 15:00");
    EXPECT_EQ(kept.turn(noon + 4h, {noon + 3h}), "submit 16:00");
}

TEST(Schedule, TheBufferHasAnEnd) {
    Kept kept{every(1s, Overlap::buffer_all)};
    while (kept.turn(noon + 1'002s), *kept.last.next_due <= noon + 1'002s) {}
    EXPECT_EQ(kept.state.waiting.size(), 1'000U);
    EXPECT_EQ(kept.last.actions.back().why, Why::buffer_full);
}

TEST(Schedule, CancelOtherAsksOnceAndTheNewestTakesThePlace) {
    Kept kept{every(1h, Overlap::cancel_other)};
    EXPECT_EQ(kept.turn(noon + 2h), "skip 13:00 replaced, submit 14:00") << "not submitted in order to be cancelled";
    EXPECT_EQ(kept.turn(noon + 3h), "cancel 14:00");
    EXPECT_EQ(kept.turn(noon + 4h), "skip 15:00 replaced") << "it has been asked already";
    EXPECT_FALSE(kept.last.finished);
    EXPECT_EQ(kept.turn(noon + 4h, {noon + 2h}), "submit 16:00");
}

TEST(Schedule, KillOtherGoesFurtherThanACancelBefore) {
    Kept kept{every(1h, Overlap::cancel_other)};
    kept.turn(noon + 1h);
    EXPECT_EQ(kept.turn(noon + 2h), "cancel 13:00");
    kept.schedule.overlap = Overlap::kill_other;
    EXPECT_EQ(kept.turn(noon + 2h), "kill 13:00");
    EXPECT_EQ(kept.turn(noon + 2h), "");
    kept.schedule.overlap = Overlap::cancel_other;
    EXPECT_EQ(kept.turn(noon + 2h), "");
    EXPECT_EQ(kept.turn(noon + 2h, {noon + 1h}), "submit 14:00");
}

TEST(Schedule, WhatWaitedIsSubmittedWhenEverythingMayOverlap) {
    Kept kept{every(1h, Overlap::buffer_all)};
    kept.turn(noon + 3h);
    kept.schedule.overlap = Overlap::allow;
    EXPECT_EQ(kept.turn(noon + 4h), "submit 14:00, submit 15:00, submit 16:00");
}

TEST(Schedule, APauseSubmitsNothingAndIsNotMadeUpFor) {
    Kept kept{every(1h, Overlap::buffer_one)};
    EXPECT_EQ(kept.turn(noon + 2h), "submit 13:00");
    kept.schedule.paused = "the disk is being changed";
    EXPECT_EQ(kept.turn(noon + 5h, {noon + 1h}), "");
    EXPECT_FALSE(kept.last.next_due);
    EXPECT_FALSE(kept.last.finished);
    kept.schedule.paused.reset();
    skip_until(kept.state, noon + 5h);
    EXPECT_EQ(kept.turn(noon + 5h), "submit 14:00") << "it waited before the pause";
    EXPECT_EQ(kept.last.next_due, noon + 6h);
    skip_until(kept.state, noon);
    EXPECT_EQ(kept.state.handled, noon + 5h) << "what is handled stays so";
}

TEST(Schedule, ALimitedNumberOfFiringsEndsTheSchedule) {
    Kept kept{every(1h)};
    kept.state.remaining = 2;
    EXPECT_EQ(kept.turn(noon + 5h), "submit 13:00, submit 14:00");
    EXPECT_TRUE(kept.last.finished);

    Kept buffered{every(1h, Overlap::buffer_all)};
    buffered.state.remaining = 2;
    EXPECT_EQ(buffered.turn(noon + 5h), "submit 13:00");
    EXPECT_FALSE(buffered.last.finished) << "one waits";
    EXPECT_FALSE(buffered.last.next_due);
    EXPECT_EQ(buffered.turn(noon + 5h, {noon + 1h}), "submit 14:00");
    EXPECT_TRUE(buffered.last.finished);
}

TEST(Schedule, OverlapsAreKnownByTheirNames) {
    for (const Overlap overlap : {Overlap::skip, Overlap::buffer_one, Overlap::buffer_all, Overlap::cancel_other,
                                  Overlap::kill_other, Overlap::allow}) {
        EXPECT_EQ(overlap_from_string(to_string(overlap)), overlap);
    }
    EXPECT_FALSE(overlap_from_string("terminate_other"));
}

TEST(Schedule, WhatCannotBeMeantIsRefused) {
    EXPECT_TRUE(check_schedule(every(1h), noon));
    EXPECT_TRUE(check_schedule(by_cron("0 2 * * *", "Europe/Berlin"), noon));
    const auto with = [](auto change) {
        Schedule schedule = every(1h);
        change(schedule);
        return refusal(schedule);
    };
    EXPECT_NE(with([](Schedule& s) { s.name = ""; }).find("schedule is empty"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) {
                  s.when = Every{999ms, 0s};
              }).find("interval 999 ms is not in 1 s"),
              std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.when = Every{24h * 4'000, 0s}; }).find("interval"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.when = Every{1'000'500us, 0s}; }).find("whole milliseconds"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.when = Every{1h, 1h}; }).find("offset 1 h is not shorter"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.when = Every{1h, -1s}; }).find("is negative"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.catch_up = 9s; }).find("catch-up window 9 s is not in 10 s"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.jitter = -1s; }).find("jitter"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.jitter = 25h; }).find("jitter 1 d 1 h is not in 0 s to 1 d"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.paused = "a\nb"; }).find("reason"), std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.start = noon + 2h, s.end = noon + 1h; }).find("is before start"),
              std::string::npos);
    EXPECT_NE(with([](Schedule& s) { s.end = noon + 30min; }).find("would never fire"), std::string::npos);
}
