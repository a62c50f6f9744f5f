// The slots of a process that works several stores.
#include "runtime/slots.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pawl::runtime {
namespace {

class SharedSlots : public testing::Test {
protected:
    SharedSlots() {
        for (int i = 0; i < 3; ++i) slots.join([this, i] { calls.push_back(i); });
    }
    std::vector<int> take_calls() { return std::exchange(calls, {}); }

    Slots slots{6};
    std::vector<int> calls;
};

TEST_F(SharedSlots, OneThatIsAloneTakesAllAndGivesBackWhatItDidNotUse) {
    EXPECT_EQ(slots.reserve(0), 6);
    slots.settle(0, 6, 2);
    EXPECT_EQ(slots.free(), 4);
    EXPECT_EQ(slots.reserve(0), 4);
    EXPECT_TRUE(calls.empty());
}

TEST_F(SharedSlots, WhoFoundNoSlotIsCalledWhenSomeAreLeft) {
    EXPECT_EQ(slots.reserve(0), 6);
    EXPECT_EQ(slots.reserve(1), 0) << "they are on their way to another";
    slots.settle(0, 6, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(slots.reserve(1), 5);
}

TEST_F(SharedSlots, TheLastSlotGoesToWhoWaitedLongest) {
    slots.settle(0, slots.reserve(0), 6);
    EXPECT_EQ(slots.reserve(1), 0);
    EXPECT_EQ(slots.reserve(2), 0);
    slots.release(0, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(slots.reserve(0), 0) << "2 has waited longer, too";
    EXPECT_EQ(slots.reserve(1), 1);
}

TEST_F(SharedSlots, WhoMayFindMoreSharesWithTheOthersThatMay) {
    slots.settle(0, slots.reserve(0), 6);
    EXPECT_EQ(slots.reserve(1), 0);
    slots.release(0, 6);
    EXPECT_EQ(slots.reserve(1), 3) << "0 had as many as it asked for, so there may be more";
    EXPECT_EQ(slots.reserve(0), 3);
}

TEST_F(SharedSlots, OneThatDoesNotComeKeepsNoSlotIdle) {
    slots.settle(0, slots.reserve(0), 6);
    EXPECT_EQ(slots.reserve(1), 0);
    slots.release(0, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(slots.reserve(0), 1) << "1 was called and is not here";
}

TEST_F(SharedSlots, AllGetTheirTurnWhenThereIsAlwaysMore) {
    std::vector<int> served(3);
    int held = 0;
    for (int turn = 0; turn < 300; ++turn) {
        const int member = turn % 3 == 0 ? turn / 3 % 3 : 0;  // 0 asks far more often
        const int reserved = slots.reserve(member);
        if (reserved > 0) slots.settle(member, reserved, reserved);
        served[static_cast<std::size_t>(member)] += reserved;
        held += reserved;
        for (const int called : take_calls()) {
            const int n = slots.reserve(called);
            if (n > 0) slots.settle(called, n, n);
            served[static_cast<std::size_t>(called)] += n;
            held += n;
        }
        if (held > 0) slots.release(0, std::exchange(held, 0));
    }
    for (const int n : served) EXPECT_GT(n, 100);
}

}  // namespace
}  // namespace pawl::runtime
