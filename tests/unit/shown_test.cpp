#include "core/shown.hpp"
#include "core/utf8.hpp"

#include <gtest/gtest.h>

using namespace pawl::core;
using namespace std::string_literals;

TEST(Shown, EscapesWhatATerminalWouldObey) {
    EXPECT_EQ(shown("plain ü"), "\"plain ü\"");
    EXPECT_EQ(shown("\x1b[31m\r\n\0\x7f"s), "\"\\u001b[31m\\u000d\\u000a\\u0000\\u007f\"");
    EXPECT_EQ(shown("\u009b31m\u202etxt"), "\"\\u009b31m\\u202etxt\"");
    EXPECT_EQ(shown("say \"a\\b\""), "\"say \\\"a\\\\b\\\"\"");
    EXPECT_EQ(shown("\xff\xfe"), "\"\\xff\\xfe\"");
}

TEST(Shown, CutsLongTextBetweenCharactersAndSaysItsLength) {
    EXPECT_EQ(shown(std::string(1'000'000, 'a')), "\"" + std::string(40, 'a') + "\"... (1000000 bytes)");
    EXPECT_EQ(shown("€€€", 7), "\"€€\"... (9 bytes)");
    EXPECT_EQ(shown("", 0), "\"\"");
}

TEST(Utf8, ThePrefixNeverCutsACharacter) {
    const std::string text = "aö€😀z";
    for (std::size_t n = 0; n <= text.size() + 1; ++n) {
        const auto kept = utf8_prefix(text, n);
        EXPECT_LE(kept.size(), n);
        EXPECT_EQ(first_invalid_utf8(kept), kept.size());
        if (n >= 3) { EXPECT_GE(kept.size() + 3, std::min(n, text.size())); }
    }
}

TEST(Utf8, EveryCodePointRoundTrips) {
    for (char32_t c = 0; c <= 0x10FFFF; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        append_utf8(text, c);
        const CodePoint point = code_point_at(text, 0);
        ASSERT_EQ(point.value, c);
        ASSERT_EQ(point.bytes, text.size());
    }
}
