#include "core/posix_zone.hpp"

#include <gtest/gtest.h>

using namespace pawl;
using namespace pawl::core;
using namespace std::chrono;
using namespace std::chrono_literals;

namespace {

PosixZone rule(std::string_view text) { return PosixZone::parse(text).value(); }

}  // namespace

TEST(PosixZone, OffsetsCountToTheWest) {
    const sys_seconds any = sys_days{2026y / 7 / 1};
    EXPECT_EQ(rule("UTC0").offset_at(any), 0s);
    EXPECT_EQ(rule("IST-5:30").offset_at(any), 5h + 30min);
    EXPECT_EQ(rule("<-03>3").offset_at(any), -3h);
    EXPECT_EQ(rule("<+1245>-12:45:30").offset_at(any), 12h + 45min + 30s);
    EXPECT_FALSE(rule("UTC0").next_change_after(any));
}

TEST(PosixZone, SummerBeginsOnTheGivenWeekdayAndEndsOnTheLast) {
    const PosixZone berlin = rule("CET-1CEST,M3.5.0,M10.5.0/3");
    const sys_seconds spring = sys_days{2026y / 3 / 29} + 1h, autumn = sys_days{2026y / 10 / 25} + 1h;
    EXPECT_EQ(berlin.next_change_after(sys_days{2026y / 1 / 1}), spring);
    EXPECT_EQ(berlin.next_change_after(spring), autumn);
    EXPECT_EQ(berlin.offset_at(spring - 1s), 1h);
    EXPECT_EQ(berlin.offset_at(spring), 2h);
    EXPECT_EQ(berlin.offset_at(autumn), 1h);
    const PosixZone new_york = rule("EST5EDT,M3.2.0,M11.1.0");
    EXPECT_EQ(new_york.next_change_after(sys_days{2026y / 1 / 1}), sys_days{2026y / 3 / 8} + 7h);
}

TEST(PosixZone, SummerOfTheSouthGoesOverTheTurnOfTheYear) {
    const PosixZone lord_howe = rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
    EXPECT_EQ(lord_howe.offset_at(sys_days{2026y / 1 / 1}), 11h);
    EXPECT_EQ(lord_howe.offset_at(sys_days{2026y / 7 / 1}), 10h + 30min);
}

TEST(PosixZone, TimesOfDayMayBeNegativeOrOverADay) {
    const PosixZone nuuk = rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
    EXPECT_EQ(nuuk.next_change_after(sys_days{2026y / 1 / 1}), sys_days{2026y / 3 / 28} + 23h + 2h);
    const PosixZone gaza = rule("EET-2EEST,M3.4.4/50,M10.4.4/50");
    EXPECT_EQ(gaza.next_change_after(sys_days{2026y / 1 / 1}), sys_days{2026y / 3 / 26} + 50h - 2h);
    EXPECT_TRUE(PosixZone::parse("EET-2EEST,M3.4.4/-167:59:59,M10.4.4/+167"));
}

TEST(PosixZone, SummerTimeMayBeBehindStandardTime) {
    const PosixZone dublin = rule("IST-1GMT0,M10.5.0,M3.5.0/1");
    EXPECT_EQ(dublin.offset_at(sys_days{2026y / 1 / 1}), 0h);
    EXPECT_EQ(dublin.offset_at(sys_days{2026y / 7 / 1}), 1h);
}

TEST(PosixZone, DaysOfTheYearCountTheLeapDayOrNot) {
    const PosixZone without = rule("AAA0BBB,J60/0,J300/0"), with = rule("AAA0BBB,59/0,300/0");
    EXPECT_EQ(without.next_change_after(sys_days{2024y / 1 / 1}), sys_days{2024y / 3 / 1});
    EXPECT_EQ(without.next_change_after(sys_days{2025y / 1 / 1}), sys_days{2025y / 3 / 1});
    EXPECT_EQ(with.next_change_after(sys_days{2024y / 1 / 1}), sys_days{2024y / 2 / 29});
    EXPECT_EQ(with.next_change_after(sys_days{2025y / 1 / 1}), sys_days{2025y / 3 / 1});
}

TEST(PosixZone, SummerForTheWholeYearNeverEnds) {
    for (const char* text : {"EST5EDT,0/0,J365/25", "XXX3EDT4,0/0,J365/23"}) {
        const PosixZone always = rule(text);
        const seconds summer = always.offset_at(sys_days{2026y / 7 / 1});
        EXPECT_EQ(summer, -4h) << text;
        for (const int year : {2023, 2024, 2025, 2400}) {
            const sys_seconds turn = sys_days{std::chrono::year{year} / 1 / 1};
            for (seconds t = -6h; t <= 6h; t += 30min) EXPECT_EQ(always.offset_at(turn + t), summer) << text << year;
        }
        EXPECT_FALSE(always.next_change_after(sys_days{2026y / 7 / 1})) << text;
    }
}

TEST(PosixZone, WhatIsNoRuleIsRefused) {
    for (const std::string_view text : {"",
                                        "C",
                                        "CE-1",
                                        "CET",
                                        "CET-25",
                                        "CET-1:60",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M3.5.0,",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J365",
                                        "CET-1CEST,J366,J1",
                                        "CET-1CEST,366,1",
                                        "CET-1CEST,M3.5.0/168,M10.5.0",
                                        "CET-1CEST,M3.5.0,M10.5.0 ",
                                        "<+01-1",
                                        "<+>-1",
                                        "CET--1",
                                        "CET-0001",
                                        ":Europe/Berlin",
                                        "CET-1CEST,M3..0,M10.5.0"}) {
        const auto parsed = PosixZone::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::bad_input);
    }
}
