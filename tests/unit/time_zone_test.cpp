#include "core/time_zone.hpp"

#include "support/zone_bytes.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

using namespace pawl;
using namespace pawl::core;
using namespace pawl::test;
using namespace std::chrono_literals;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using Shown = LocalInstant::Shown;

namespace {

sys_seconds at(std::int64_t since_1970) { return sys_seconds{seconds{since_1970}}; }
local_seconds local(std::int64_t since_1970) { return local_seconds{seconds{since_1970}}; }

const TimeZone& known_zone(const std::string& name) {
    static std::map<std::string, TimeZone> zones;
    const auto found = zones.find(name);
    return found != zones.end() ? found->second : zones.emplace(name, zone(name)).first->second;
}

std::string refusal(std::string_view tzif) {
    const auto parsed = TimeZone::parse("Made/Here", tzif);
    EXPECT_FALSE(parsed);
    if (parsed) return "";
    EXPECT_EQ(parsed.error().code, Errc::bad_input);
    EXPECT_EQ(parsed.error().message.find("time zone \"Made/Here\": "), 0U) << parsed.error().message;
    return parsed.error().message;
}

}  // namespace

// Ten zones with 30-minute summer time, a skipped day, negative summer time, rules in negative hours and over a day;
// expected.py has asked another implementation.
TEST(TimeZone, OffsetsAndLocalTimesAreThoseOfASecondImplementation) {
    std::istringstream expected(zone_bytes("expected.txt"));
    std::string what, name, shown;
    std::int64_t first = 0, second = 0;
    int lines = 0;
    for (; expected >> what >> name >> first >> second; ++lines) {
        const TimeZone& tested = known_zone(name);
        if (what == "offset") {
            EXPECT_EQ(tested.offset_at(at(first)), seconds{second}) << name << " at " << first;
            continue;
        }
        expected >> shown;
        const LocalInstant found = tested.to_instant(local(first));
        EXPECT_EQ(found.at, at(second)) << name << " local " << first;
        EXPECT_EQ(found.shown, shown == "once"    ? Shown::once
                               : shown == "never" ? Shown::never
                                                  : Shown::twice)
            << name << " local " << first;
    }
    EXPECT_GT(lines, 1'000);
}

TEST(TimeZone, UtcHasNoOffsetAndNoChange) {
    const TimeZone utc;
    EXPECT_EQ(utc.name(), "UTC");
    EXPECT_EQ(utc.offset_at(at(0)), 0s);
    EXPECT_EQ(utc.to_instant(local(1'000)).at, at(1'000));
    EXPECT_FALSE(utc.next_change_after(at(0)));
}

TEST(TimeZone, ChangesFollowEachOtherAndAreWhereTheOffsetChanges) {
    for (const char* name : {"Europe/Berlin", "Pacific/Apia", "Africa/Casablanca", "Australia/Lord_Howe"}) {
        const TimeZone& tested = known_zone(name);
        sys_seconds last = at(-5'000'000'000);
        for (int i = 0; i < 250; ++i) {
            const auto next = tested.next_change_after(last);
            if (!next) break;
            ASSERT_GT(*next, last) << name;
            EXPECT_NE(tested.offset_at(*next), tested.offset_at(*next - 1s)) << name;
            EXPECT_EQ(tested.offset_at(last), tested.offset_at(*next - 1s)) << name;
            last = *next;
        }
    }
}

TEST(TimeZone, WhatAClockPutBackHasShownStaysTheLatest) {
    const TimeZone& berlin = known_zone("Europe/Berlin");
    const sys_seconds change = at(1'792'890'000);  // 2026-10-25 03:00 becomes 02:00
    EXPECT_EQ(berlin.latest_shown(change - 1s), berlin.to_local(change - 1s));
    EXPECT_EQ(berlin.latest_shown(change), berlin.to_local(change - 1s));
    EXPECT_EQ(berlin.latest_shown(change + 3'598s), berlin.to_local(change - 1s));
    EXPECT_EQ(berlin.latest_shown(change + 3'600s), berlin.to_local(change + 3'600s));
}

TEST(TimeZone, VersionOneHasNoRuleAndKeepsItsLastOffset) {
    MadeZone made;
    made.version = 0;
    made.first_offset = 60;
    made.transitions = {{-100, 3'600}, {2'000'000'000, -7'200}};
    const TimeZone tested = made_zone(made);
    EXPECT_EQ(tested.offset_at(at(-101)), 60s);
    EXPECT_EQ(tested.offset_at(at(-100)), 3'600s);
    EXPECT_EQ(tested.offset_at(at(9'000'000'000)), -7'200s);
    EXPECT_FALSE(tested.next_change_after(at(2'000'000'000)));
}

TEST(TimeZone, TheLastLineAloneIsARuleForAllTime) {
    MadeZone made;
    made.footer = "CET-1CEST,M3.5.0,M10.5.0/3";
    const TimeZone tested = made_zone(made);
    const TimeZone& berlin = known_zone("Europe/Berlin");
    for (std::int64_t t = 1'000'000'000; t < 6'000'000'000; t += 3'333'333) {
        ASSERT_EQ(tested.offset_at(at(t)), berlin.offset_at(at(t))) << t;
    }
    EXPECT_EQ(tested.offset_at(at(-9'223'372'036'854)).count() % 3'600, 0);
    EXPECT_EQ(tested.offset_at(at(9'223'372'036'854)).count() % 3'600, 0);
}

TEST(TimeZone, TransitionsBeyondAllInstantsAreLeftOut) {
    MadeZone made;
    made.transitions = {{-(std::int64_t{1} << 59), 60}, {0, 3'600}, {std::int64_t{1} << 60, 7'200}};
    const TimeZone tested = made_zone(made);
    EXPECT_EQ(tested.offset_at(at(-9'223'372'036'854)), 60s);
    EXPECT_EQ(tested.next_change_after(at(-9'223'372'036'854)), at(0));
    EXPECT_FALSE(tested.next_change_after(at(0)));
}

TEST(TimeZone, AFileThatContradictsItselfIsRefused) {
    MadeZone made;
    made.transitions = {{0, 3'600}, {0, 7'200}};
    EXPECT_NE(refusal(made.bytes()).find("not in order"), std::string::npos);
    made.transitions = {{0, 3'600}};
    made.footer = "CET-2";
    EXPECT_NE(refusal(made.bytes()).find("contradicts its last transition"), std::string::npos);
    made.footer = "CET-1CEST";
    EXPECT_NE(refusal(made.bytes()).find("time zone rule \"CET-1CEST\""), std::string::npos);
    made.footer = "CET-1";
    made.first_offset = 93'600;
    EXPECT_NE(refusal(made.bytes()).find("over 26 hours"), std::string::npos);
    made.first_offset = 0;
    made.leap_seconds = 27;
    EXPECT_NE(refusal(made.bytes()).find("leap seconds"), std::string::npos);
    EXPECT_NE(refusal("").find("ends within a header"), std::string::npos);
    EXPECT_NE(refusal(std::string(50, 'x')).find("does not begin with TZif"), std::string::npos);
    EXPECT_NE(refusal(std::string(1'000'000, 'x')).find("1000000 bytes"), std::string::npos);
}

TEST(TimeZone, EveryTruncatedFileIsRefused) {
    for (const char* name : {"Europe/Berlin", "Asia/Kolkata"}) {
        const std::string whole = zone_bytes(name);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            ASSERT_FALSE(TimeZone::parse(name, whole.substr(0, size))) << name << " " << size;
        }
    }
}

// Whatever is read from damaged bytes can be asked, and what it answers fits together.
TEST(TimeZone, DamagedBytesAreRefusedOrGiveAZoneThatCanBeAsked) {
    std::mt19937_64 random(7);
    int refused = 0, read = 0;
    for (const char* name : {"Europe/Berlin", "Asia/Gaza", "Pacific/Apia", "Asia/Kolkata"}) {
        const std::string whole = zone_bytes(name);
        for (int i = 0; i < 1'500; ++i) {
            std::string bytes = whole;
            for (std::uint64_t n = 1 + random() % 4; n > 0; --n) {
                // The headers and the last line are small, and decide most.
                const std::size_t most = random() % 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 120);
                const std::size_t where = random() % 4 ? random() % most : bytes.size() - 1 - random() % 20;
                bytes[where] = static_cast<char>(random() % 3 ? random() : bytes[random() % bytes.size()]);
            }
            const auto parsed = TimeZone::parse(name, bytes);
            (parsed ? read : refused) += 1;
            if (!parsed) continue;
            for (int k = 0; k < 5; ++k) {
                const auto far = static_cast<std::int64_t>(random() % 18'000'000'000'000) - 9'000'000'000'000;
                const sys_seconds t = at(far >> (random() % 12));
                const local_seconds shown = parsed->to_local(t);
                ASSERT_LE(parsed->to_instant(shown).at, t);
                ASSERT_GE(parsed->latest_shown(t), shown);
                const auto next = parsed->next_change_after(t);
                ASSERT_TRUE(!next || *next > t);
            }
        }
    }
    EXPECT_GT(refused, 500);
    EXPECT_GT(read, 500);
}

TEST(TimeZone, NamesThatLeadElsewhereAreRefused) {
    for (const char* name : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Etc/GMT-14"}) {
        EXPECT_TRUE(check_zone_name(name)) << name;
    }
    const std::string long_name(65, 'a');
    for (const std::string_view name :
         {"", "/", "/etc/passwd", "../etc/passwd", "Europe/../Berlin", "Europe//Berlin", "Europe/", "Europe/Berlin ",
          "Europe\\Berlin", ".", "a.b", "Europe/B\xc3\xa9rlin", "Europe/Berl\nin", long_name.c_str()}) {
        const auto checked = check_zone_name(name);
        ASSERT_FALSE(checked) << name;
        EXPECT_EQ(checked.error().code, Errc::bad_input);
    }
    EXPECT_FALSE(check_zone_name(std::string_view("Europe/Berlin\0x", 15)));
}
