#include "core/cron.hpp"

#include "core/duration.hpp"
#include "support/zone_bytes.hpp"

#include <algorithm>
#include <random>

using namespace pawl;
using namespace pawl::core;
using namespace pawl::test;
using namespace std::chrono_literals;

namespace {

Cron cron(std::string_view line) { return Cron::parse(line).value(); }
WallInstant when(std::string_view text) { return parse_instant(text).value(); }

// The firings after an instant, in UTC.
std::vector<std::string> firings(std::string_view line, const char* zone_name, std::string_view after, int count) {
    const Cron tested = cron(line);
    const TimeZone place = zone(zone_name);
    std::vector<std::string> found;
    auto next = tested.next_after(when(after), place);
    for (; next && count > 0; --count, next = tested.next_after(*next, place)) {
        found.push_back(format_instant(*next).substr(0, 16));
    }
    return found;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST(Cron, EachFieldNarrowsTheMinutesOfAYear) {
    const char* from = "2026-01-30T23:59:30Z";  // a Friday
    const std::pair<const char*, const char*> cases[] = {
        {"* * * * *", "2026-01-31T00:00"},
        {"*/15 * * * *", "2026-01-31T00:00"},
        {"7/20 5 * * *", "2026-01-31T05:07"},
        {"59 23 * * *", "2026-01-31T23:59"},
        {"10-12,3 4-6/2 * * *", "2026-01-31T04:03"},
        {"0 12 1 * *", "2026-02-01T12:00"},
        {"0 12 31 * *", "2026-01-31T12:00"},
        {"0 0 30 * *", "2026-03-30T00:00"},
        {"0 0 * 7 *", "2026-07-01T00:00"},
        {"0 0 * JAN,dec *", "2026-01-31T00:00"},
        {"0 0 29 2 *", "2028-02-29T00:00"},
        {"0 9 * * MON-FRI", "2026-02-02T09:00"},
        {"0 9 * * 0", "2026-02-01T09:00"},
        {"0 9 * * 7", "2026-02-01T09:00"},
        {"0 9 * * 5-7", "2026-01-31T09:00"},
        {"0 9 * * wed-SUN", "2026-01-31T09:00"},
        {"0 9 * * */3", "2026-01-31T09:00"},
        {"0 9 * * 2/2", "2026-01-31T09:00"},
        {"\t 0  9\t* * TUE ", "2026-02-03T09:00"},
        {"@hourly", "2026-01-31T00:00"},
        {"@daily", "2026-01-31T00:00"},
        {"@midnight", "2026-01-31T00:00"},
        {"@weekly", "2026-02-01T00:00"},
        {"@monthly", "2026-02-01T00:00"},
        {"@yearly", "2027-01-01T00:00"},
        {"@annually", "2027-01-01T00:00"},
    };
    for (const auto& [line, expected] : cases) EXPECT_EQ(firings(line, "UTC", from, 1), Texts{expected}) << line;
}

TEST(Cron, ANextFiringIsStrictlyAfter) {
    EXPECT_EQ(firings("0 * * * *", "UTC", "2026-01-01T05:00:00Z", 1), Texts{"2026-01-01T06:00"});
    EXPECT_EQ(firings("0 * * * *", "UTC", "2026-01-01T04:59:59.999999Z", 1), Texts{"2026-01-01T05:00"});
    EXPECT_EQ(firings("0 * * * *", "UTC", "2026-01-01T05:00:00.000001Z", 1), Texts{"2026-01-01T06:00"});
    EXPECT_EQ(firings("59 23 31 12 *", "UTC", "1969-12-31T23:59:00Z", 1), Texts{"1970-12-31T23:59"});
}

TEST(Cron, WithBothDaysGivenOneIsEnoughAndWithAStarBothAreNeeded) {
    EXPECT_EQ(firings("0 0 13 * FRI", "UTC", "2026-02-01T00:00:00Z", 4),
              (Texts{"2026-02-06T00:00", "2026-02-13T00:00", "2026-02-20T00:00", "2026-02-27T00:00"}));
    EXPECT_EQ(firings("0 0 14 * FRI", "UTC", "2026-02-10T00:00:00Z", 2),
              (Texts{"2026-02-13T00:00", "2026-02-14T00:00"}));
    EXPECT_EQ(firings("0 0 */2 * MON", "UTC", "2026-02-01T00:00:00Z", 2),
              (Texts{"2026-02-09T00:00", "2026-02-23T00:00"}));
    EXPECT_EQ(firings("0 0 1-7 * */6", "UTC", "2026-02-02T00:00:00Z", 2),
              (Texts{"2026-02-07T00:00", "2026-03-01T00:00"}));
}

TEST(Cron, ALeapDayIsWaitedForAsLongAsTheCalendarTakes) {
    EXPECT_EQ(firings("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), Texts{"2104-02-29T00:00"});
    EXPECT_EQ(firings("0 0 29 2 */6", "UTC", "2020-03-01T00:00:00Z", 1), Texts{"2032-02-29T00:00"});
    EXPECT_EQ(firings("0 0 29 2 *", "UTC", "9996-03-01T00:00:00Z", 1), Texts{});
}

TEST(Cron, InstantsBeyondTheCalendarHaveNoFiringAndThoseBeforeItHaveTheFirst) {
    const Cron yearly = cron("@yearly");
    for (const char* name : {"UTC", "Europe/Berlin", "Pacific/Apia"}) {
        EXPECT_FALSE(yearly.next_after(WallInstant::max(), zone(name)));
        EXPECT_TRUE(yearly.next_after(WallInstant::min(), zone(name)));
    }
}

TEST(Cron, ALocalTimeThatIsSkippedFiresOnceWhenTheClockIsPutForward) {
    EXPECT_EQ(firings("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
              (Texts{"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"}));
    EXPECT_EQ(firings("*/15 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", 2),
              (Texts{"2026-03-29T01:00", "2026-03-30T00:00"}));
    EXPECT_EQ(firings("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
              (Texts{"2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"}));
    EXPECT_EQ(firings("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2),
              (Texts{"2026-10-03T15:30", "2026-10-04T15:15"}));
}

TEST(Cron, ALocalTimeThatIsRepeatedFiresTheFirstTimeOnly) {
    EXPECT_EQ(firings("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
              (Texts{"2026-10-25T00:30", "2026-10-26T01:30"}));
    EXPECT_EQ(firings("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
              (Texts{"2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:00", "2026-10-25T02:30"}));
    EXPECT_EQ(firings("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", 1), Texts{"2026-10-26T01:30"})
        << "asked while the hour is shown again";
    EXPECT_EQ(firings("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2),
              (Texts{"2026-04-04T14:45", "2026-04-05T15:15"}));
}

TEST(Cron, ADayThatAPlaceLeftOutFiresOnceInItsPlace) {
    EXPECT_EQ(firings("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3),
              (Texts{"2011-12-29T19:00", "2011-12-30T10:00", "2011-12-30T19:00"}));
    EXPECT_EQ(firings("0 9 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", 2),
              (Texts{"2011-12-30T10:00", "2012-12-29T19:00"}));
}

// The clock of the place is watched minute by minute; what it newly shows fires.
TEST(Cron, RandomLinesFireAsIfTheClockHadBeenWatched) {
    const std::pair<const char*, const char*> weeks[] = {
        {"UTC", "2026-02-26T00:00:00Z"},           {"Europe/Berlin", "2026-03-27T00:00:00Z"},
        {"Europe/Berlin", "2026-10-23T00:00:00Z"}, {"Australia/Lord_Howe", "2026-04-03T00:00:00Z"},
        {"Asia/Kolkata", "2026-12-30T00:00:00Z"},  {"America/St_Johns", "2006-10-28T00:00:00Z"},
        {"Pacific/Apia", "2011-12-29T00:00:00Z"},  {"Africa/Casablanca", "2030-02-01T00:00:00Z"},
    };
    std::mt19937_64 random(11);
    const auto list = [&](int least, int most) {
        const auto value = [&] {
            return std::to_string(least + static_cast<int>(random() % std::uint64_t(most - least)));
        };
        if (random() % 2) return "*" + (random() % 2 ? "/" + std::to_string(1 + random() % 5) : std::string());
        return random() % 2 ? value() + "," + value() : value() + "-" + std::to_string(most);
    };
    int fired = 0;
    for (int i = 0; i < 96; ++i) {
        const auto& [name, start] = weeks[i % 8];
        const TimeZone place = zone(name);
        const std::string line =
            list(0, 59) + " " + list(0, 23) + " " + list(1, 31) + " " + list(1, 12) + " " + list(0, 6);
        const auto parsed = Cron::parse(line);
        if (!parsed) continue;
        const TimeZone utc;
        WallInstant asked = when(start);
        auto shown = place.latest_shown(std::chrono::floor<std::chrono::seconds>(asked));
        for (auto at = std::chrono::floor<std::chrono::seconds>(asked); at < asked + 72h && fired < 40'000; at += 60s) {
            bool fires = false;
            // In UTC the line fires at the minutes that it names.
            for (auto minute = shown + 60s; minute <= place.to_local(at); minute += 60s) {
                const WallInstant plain{minute.time_since_epoch()};
                fires = fires || parsed->next_after(plain - 1us, utc) == plain;
            }
            shown = std::max(shown, place.to_local(at));
            if (!fires) continue;
            ++fired;
            ASSERT_EQ(parsed->next_after(asked, place), at)
                << line << " in " << name << ", " << format_instant(WallInstant{at});
            asked = at;
        }
    }
    EXPECT_GT(fired, 500);
}

TEST(Cron, AWrongLineIsRefusedWithTheFieldAndWhatItTakes) {
    const std::pair<const char*, const char*> cases[] = {
        {"", "is empty"},
        {"   ", "is empty"},
        {"* * * *", "has 4 fields in place of 5"},
        {"0 */5 * * * *", "seconds and years are none of them"},
        {"60 * * * *", "minute \"60\" is not in 0 to 59"},
        {"-1 * * * *", "minute \"\" is not in 0 to 59"},
        {"* 24 * * *", "hour \"24\" is not in 0 to 23"},
        {"* * 0 * *", "day of month \"0\" is not in 1 to 31"},
        {"* * * 13 *", "month \"13\" is not in 1 to 12 or JAN to DEC"},
        {"* * * * 8", "day of week \"8\" is not in 0 to 7 or SUN to SAT"},
        {"* * * * MO", "day of week \"MO\" is not in"},
        {"* * * * MONDAY", "day of week \"MONDAY\" is not in"},
        {"* * L * *", "day of month \"L\" is not in"},
        {"? * * * *", "minute \"?\" is not in"},
        {"*/0 * * * *", "minute \"0\" as a step is not in 1 to 59"},
        {"*/60 * * * *", "minute \"60\" as a step is not in 1 to 59"},
        {"*/ * * * *", "minute \"\" as a step is not in 1 to 59"},
        {"*/5/5 * * * *", "minute \"5/5\" as a step"},
        {"1,,2 * * * *", "minute \"1,,2\" has an empty place in its list"},
        {", * * * *", "has an empty place in its list"},
        {"30-10 * * * *", "minute \"30-10\" runs backwards"},
        {"* * * NOV-FEB *", "month \"NOV-FEB\" runs backwards"},
        {"1-2-3 * * * *", "minute \"2-3\" is not in"},
        {"99999999999999999999 * * * *", "minute \"99999999999999999999\" is not in"},
        {"0 0 31 2 *", "never fires"},
        {"0 0 30,31 2 *", "never fires"},
        {"0 0 31 4,6,9,11 *", "never fires"},
        {"@reboot", "is none of @hourly"},
        {"@every 5m", "is none of @hourly"},
    };
    for (const auto& [line, expected] : cases) {
        const auto parsed = Cron::parse(line);
        ASSERT_FALSE(parsed) << line;
        EXPECT_EQ(parsed.error().code, Errc::bad_input);
        EXPECT_EQ(parsed.error().message.find("cron line "), 0U) << parsed.error().message;
        EXPECT_NE(parsed.error().message.find(expected), std::string::npos) << parsed.error().message;
    }
    EXPECT_TRUE(Cron::parse("0 0 31 2 MON")) << "31 February or a Monday is every Monday of February";
}

TEST(Cron, AnyBytesAreRefusedOrFire) {
    std::mt19937_64 random(3);
    constexpr std::string_view alphabet = "0123456789*/-,  SUNMOJADEC@\t\n\xff";
    for (int i = 0; i < 6'000; ++i) {
        std::string line;
        for (std::uint64_t n = random() % 24; n > 0; --n) line += alphabet[random() % alphabet.size()];
        const auto parsed = Cron::parse(line);
        if (parsed) { EXPECT_TRUE(parsed->next_after(when("2026-01-01T00:00:00Z"), TimeZone())) << line; }
    }
    EXPECT_FALSE(Cron::parse(std::string(100'000, '*')));
}
