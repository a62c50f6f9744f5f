#include "core/duration.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace pawl;
using namespace pawl::core;
using namespace std::chrono_literals;

namespace {

std::string refusal(const Result<Micros>& result) {
    EXPECT_FALSE(result) << result->count();
    if (result) return "";
    EXPECT_EQ(result.error().code, Errc::bad_input);
    return result.error().message;
}

}  // namespace

TEST(Duration, TheUsualFormsAreRead) {
    const std::pair<const char*, Micros> cases[] = {
        {"30s", 30s},
        {"5min", 5min},
        {"5m", 5min},
        {"1h", 1h},
        {"250ms", 250ms},
        {"2d", 48h},
        {"7us", 7us},
        {"0s", 0s},
        {"1.5h", 90min},
        {"0.25s", 250ms},
        {"1h30min", 90min},
        {"1h 30min", 90min},
        {" 1 h 30 min ", 90min},
        {"007s", 7s},
        {"1d2h3min4s5ms6us", 26h + 3min + 4s + 5ms + 6us},
        {"0.0000019s", 1us},
        {"3652d", 3652 * 24h},
    };
    for (const auto& [text, expected] : cases) {
        const auto length = parse_duration(text);
        ASSERT_TRUE(length) << length.error().message;
        EXPECT_EQ(*length, expected) << text;
    }
}

TEST(Duration, TheLargestIsReadAndOneMoreIsRefused) {
    EXPECT_EQ(*parse_duration("9223372036854775807us"), Micros::max());
    EXPECT_NE(refusal(parse_duration("9223372036854775808us")).find("longer than"), std::string::npos);
    EXPECT_NE(refusal(parse_duration("9223372036854775807us 1us")).find("longer than"), std::string::npos);
    EXPECT_NE(refusal(parse_duration("106751992d")).find("longer than"), std::string::npos);
    EXPECT_NE(refusal(parse_duration("1000000000000000000s")).find("longer than"), std::string::npos);
    EXPECT_NE(refusal(parse_duration(std::string(100'000, '9') + "s")).find("longer than"), std::string::npos);
}

TEST(Duration, WhatIsNoDurationIsRefusedWithTheFormsThatAre) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "is empty"},
        {"  ", "is empty"},
        {"30", "number without a unit"},
        {"-5s", "is negative"},
        {"5 parsecs", "unknown unit \"parsecs\""},
        {"s", "a number is expected"},
        {"1e3s", "unknown unit \"e\""},
        {"1.s", "after the point"},
        {".5s", "a number is expected"},
        {"1,5s", "unknown unit \",\""},
        {"+5s", "a number is expected"},
        {"5S", "unknown unit"},
        {"0x10s", "unknown unit"},
        {"1.0000000001s", "after the point"},
        {"inf", "a number is expected"},
        {"5s;", "unknown unit"},
        {std::string_view("5s\0", 3), "unknown unit \"s\\u0000\""},
    };
    for (const auto& [text, expected] : cases) {
        const std::string message = refusal(parse_duration(text));
        EXPECT_NE(message.find(expected), std::string::npos) << message;
        EXPECT_NE(message.find("30s, 5min"), std::string::npos) << message;
    }
}

TEST(Duration, WhatIsPrintedIsReadAsNearlyTheSame) {
    std::mt19937_64 random(5);
    for (int i = 0; i < 20'000; ++i) {
        const Micros length{static_cast<std::int64_t>(random() >> (1 + random() % 63))};
        const auto again = parse_duration(format_duration(length));
        ASSERT_TRUE(again) << format_duration(length);
        ASSERT_LE(*again, length);
        ASSERT_LE((length - *again).count(), length.count() / 10) << format_duration(length);
    }
}

TEST(Duration, PrintsTheTwoLargestUnits) {
    const std::pair<Micros, const char*> cases[] = {
        {0us, "0 s"},         {1us, "1 us"},
        {999us, "999 us"},    {1'560us, "1.5 ms"},
        {10'900us, "10 ms"},  {250ms, "250 ms"},
        {1s, "1 s"},          {4'260ms, "4.2 s"},
        {59'999ms, "59.9 s"}, {60s, "1 min"},
        {95s, "1 min 35 s"},  {90min, "1 h 30 min"},
        {24h, "1 d"},         {76h + 59min, "3 d 4 h"},
        {-5s, "-5 s"},        {-90min, "-1 h 30 min"},
    };
    for (const auto& [length, expected] : cases) EXPECT_EQ(format_duration(length), expected);
    EXPECT_EQ(format_duration(Micros::min()), "-106751991 d 4 h");
}

TEST(Duration, RandomTextIsReadOrRefusedButNeverMore) {
    std::mt19937_64 random(6);
    const std::string alphabet = "0123456789.smhdinu -:TZ+\"";
    int read = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string text(random() % 24, ' ');
        for (char& c : text) c = alphabet[random() % alphabet.size()];
        const auto length = parse_duration(text);
        if (length) {
            ++read;
            ASSERT_GE(length->count(), 0);
        }
        const auto at = parse_deadline(text);
        ASSERT_TRUE(at || at.error().code == Errc::bad_input);
    }
    EXPECT_GT(read, 100);
}

TEST(Instant, Rfc3339IsReadInAnyZone) {
    const std::pair<const char*, std::int64_t> cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-03-01T12:00:00Z", 1'772'366'400'000'000},
        {"2026-03-01t12:00:00z", 1'772'366'400'000'000},
        {"2026-03-01 14:00:00+02:00", 1'772'366'400'000'000},
        {"2026-03-01T06:30:00.250-05:30", 1'772'366'400'250'000},
        {"2024-02-29T23:59:59.123456789Z", 1'709'251'199'123'456},
        {"1969-12-31T23:59:59Z", -1'000'000},
        {"2016-12-31T23:59:60Z", 1'483'228'800'000'000},
        {"9999-12-31T23:59:59Z", 253'402'300'799'000'000},
    };
    for (const auto& [text, expected] : cases) {
        const auto at = parse_instant(text);
        ASSERT_TRUE(at) << at.error().message;
        EXPECT_EQ(count(*at), expected) << text;
    }
}

TEST(Instant, WhatIsNoInstantIsRefused) {
    const std::pair<const char*, const char*> cases[] = {
        {"2026-03-01", "no time of day"},
        {"2026-03-01T12:00Z", "no time of day"},
        {"2026-03-01T12:00:00", "no zone"},
        {"2026-03-01T12:00:00+2", "no zone"},
        {"2026-03-01T12:00:00+24:00", "no zone"},
        {"2026-02-29T12:00:00Z", "calendar"},
        {"2026-13-01T12:00:00Z", "calendar"},
        {"2026-00-10T12:00:00Z", "calendar"},
        {"2026-03-01T24:00:00Z", "no day has"},
        {"2026-03-01T12:60:00Z", "no day has"},
        {"2026-03-01T12:00:61Z", "no day has"},
        {"2026-03-01T12:00:00.Z", "no digit"},
        {"2026-03-01T12:00:00Zx", "after the zone"},
        {"2026-3-01T12:00:00Z", "not an RFC 3339"},
        {"tomorrow", "not an RFC 3339"},
        {"", "not an RFC 3339"},
    };
    for (const auto& [text, expected] : cases) {
        const auto at = parse_instant(text);
        ASSERT_FALSE(at) << text;
        EXPECT_NE(at.error().message.find(expected), std::string::npos) << at.error().message;
    }
}

TEST(Instant, PrintsInUtcAndIsReadAgain) {
    EXPECT_EQ(format_instant(wall_instant(0)), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(format_instant(wall_instant(-1)), "1969-12-31T23:59:59.999Z");
    std::mt19937_64 random(7);
    for (int i = 0; i < 5'000; ++i) {
        const auto at = wall_instant(static_cast<std::int64_t>(random() % 200'000'000'000'000) * 1'000);
        ASSERT_EQ(*parse_instant(format_instant(at)), at);
    }
}

TEST(Deadline, IsALengthOrAnInstant) {
    EXPECT_EQ(std::get<Micros>(*parse_deadline("5min")), 5min);
    EXPECT_EQ(count(std::get<WallInstant>(*parse_deadline("2026-03-01T12:00:00Z"))), 1'772'366'400'000'000);
    EXPECT_NE(parse_deadline("2026-99").error().message.find("instant"), std::string::npos);
    EXPECT_NE(parse_deadline("soon").error().message.find("duration"), std::string::npos);
}
