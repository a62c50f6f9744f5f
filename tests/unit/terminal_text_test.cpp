// Stored text must not drive the terminal it is shown on.
#include "cli/terminal_text.hpp"
#include "cli/table.hpp"

#include <gtest/gtest.h>

namespace pawl::cli {
namespace {

TEST(TerminalText, EscapeSequencesAreShownNotObeyed) {
    EXPECT_EQ(terminal_text("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
    EXPECT_EQ(terminal_text("\x1b]52;c;cm0gLXJm\x07"), "\\x1b]52;c;cm0gLXJm\\x07");
    EXPECT_EQ(terminal_text("a\rb\bc\x7f"), "a\\x0db\\x08c\\x7f");
    EXPECT_EQ(terminal_text("\xc2\x9b"
                            "31m"),
              "\\x9b31m")
        << "CSI as one character";
    EXPECT_EQ(terminal_text(std::string("a\0b", 3)), "a\\x00b");
}

TEST(TerminalText, TextThatRunsBackwardsIsMarked) {
    EXPECT_EQ(terminal_text("\xe2\x80\xae"
                            "gpj.exe"),
              "\\u{202e}gpj.exe");
}

TEST(TerminalText, InvalidBytesAreShown) { EXPECT_EQ(terminal_text("a\xff\xc3"), "a\\xff\\xc3"); }

TEST(TerminalText, OrdinaryTextStays) { EXPECT_EQ(terminal_text("grüße 日本 \\ \""), "grüße 日本 \\ \""); }

TEST(TerminalText, LineBreaksAreFoldedUnlessKept) {
    EXPECT_EQ(terminal_text("a\n\tb"), "a\\n\\tb");
    EXPECT_EQ(terminal_text("a\n\tb", Lines::keep), "a\n\tb");
}

TEST(TerminalText, JsonStaysTheSameJson) {
    EXPECT_EQ(terminal_json("{\"a\":\"\xc2\x9b\x7f\xe2\x80\xae\"}"), "{\"a\":\"\\u009b\\u007f\\u202e\"}");
    EXPECT_EQ(terminal_json(R"({"a":"\u001b[31m"})"), R"({"a":"\u001b[31m"})");
}

TEST(TerminalText, WidthCountsColumnsNotBytes) {
    EXPECT_EQ(display_width("grüße"), 5u);
    EXPECT_EQ(display_width("日本"), 4u);
    EXPECT_EQ(cut_to_width("abcdefgh", 6), "abc...");
    EXPECT_EQ(cut_to_width("abcdef", 6), "abcdef");
    EXPECT_EQ(cut_to_width("日本語日本語", 7), "日本...");
}

TEST(Table, ColumnsAreAlignedAndLinesEndBare) {
    Table table({"A", "NAME", "C"});
    table.add({"1", "grüße", ""});
    table.add({"22", "x\ny", "z"});
    EXPECT_EQ(table.str(), "A   NAME   C\n1   grüße\n22  x\\ny   z\n");
}

}  // namespace
}  // namespace pawl::cli
