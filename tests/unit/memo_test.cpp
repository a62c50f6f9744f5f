// What a row remembers of its journal: there and back, and damage that is seen.
#include "core/memo.hpp"

#include <gtest/gtest.h>

namespace pawl::core {
namespace {

Memo full() {
    Memo memo;
    memo.unread = 2;
    memo.newest = 41;
    memo.waits = {{"all#1/0/re~1view#1", 17, false, std::nullopt}, {"approval#1", 18, true, instant(1'000'000)}};
    memo.patches = {"two zones", "a:b,c"};
    memo.progress = R"({"done":0.5,"text":"half"})";
    memo.values = {{"a", "1"}, {"b", R"("w5:x")"}};
    return memo;
}

TEST(Memo, ComesBackAsItWas) {
    const auto read = decode_memo(encode_memo(full()));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, full());
}

TEST(Memo, OfNothingIsEmpty) {
    EXPECT_EQ(encode_memo({}), "");
    ASSERT_TRUE(decode_memo(""));
    EXPECT_EQ(*decode_memo(""), Memo{});
}

TEST(Memo, CutOffAnywhereIsSeenOrIsAMemoOfItsOwn) {
    const std::string text = encode_memo(full());
    for (std::size_t size = 1; size < text.size(); ++size) {
        const auto read = decode_memo(std::string_view(text).substr(0, size));
        if (read) { EXPECT_EQ(encode_memo(*read), text.substr(0, size)); }
    }
}

TEST(Memo, OfANewerVersionIsNotRead) { EXPECT_FALSE(decode_memo("u2,z5:")); }

TEST(Memo, NamesComeOutOfPathsAsTheyWere) {
    EXPECT_EQ(name_of_path("review#1"), "review");
    EXPECT_EQ(name_of_path("all#1/0/a~1b~0c#12"), "a/b~c");
    EXPECT_EQ(name_of_path("with # in it#3"), "with # in it");
}

TEST(Memo, AnAnswerNeedsItsPathWhenSeveralAreOpen) {
    Memo memo = full();
    EXPECT_NE(wait_for_answer(memo, ""), nullptr);
    memo.waits.push_back({"approval#2", 20, true, std::nullopt});
    EXPECT_EQ(wait_for_answer(memo, ""), nullptr);
    EXPECT_EQ(wait_for_answer(memo, "approval#2")->no, 20);
    EXPECT_EQ(wait_for_signal(memo, "re/view")->no, 17);
    EXPECT_EQ(wait_for_signal(memo, "approval"), nullptr);
}

}  // namespace
}  // namespace pawl::core
