// The slots of a process that works several stores.
#include "runtime/slots.hpp"

#include "runtime/asio_loop.hpp"
#include "runtime/batcher.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace pawl::runtime {
namespace {

class SharedSlots : public testing::Test {
protected:
    SharedSlots() {
        for (int i = 0; i < 3; ++i) slots.join([this, i] { calls.push_back(i); });
    }
    int reserve(int member) { return slots.reserve(member, now); }
    std::vector<int> take_calls() { return std::exchange(calls, {}); }

    Slots slots{6};
    core::Micros now{0};
    std::vector<int> calls;
};

TEST_F(SharedSlots, OneThatIsAloneTakesAllAndGivesBackWhatItDidNotUse) {
    EXPECT_EQ(reserve(0), 6);
    slots.settle(0, 2);
    EXPECT_EQ(slots.free(), 4);
    EXPECT_EQ(reserve(0), 4);
    EXPECT_TRUE(calls.empty());
}

TEST_F(SharedSlots, WhoFoundNoSlotIsCalledWhenSomeAreLeft) {
    EXPECT_EQ(reserve(0), 6);
    EXPECT_EQ(reserve(1), 0) << "they are on their way to another";
    slots.settle(0, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(reserve(1), 5);
}

TEST_F(SharedSlots, TheLastSlotGoesToWhoWaitedLongest) {
    slots.settle(0, reserve(0));
    EXPECT_EQ(reserve(1), 0);
    EXPECT_EQ(reserve(2), 0);
    slots.release(0, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(reserve(0), 0) << "2 has waited longer, too";
    EXPECT_EQ(reserve(1), 1);
}

TEST_F(SharedSlots, WhoMayFindMoreSharesWithTheOthersThatMay) {
    slots.settle(0, reserve(0));
    EXPECT_EQ(reserve(1), 0);
    slots.release(0, 6);
    EXPECT_EQ(reserve(1), 3) << "0 had as many as it asked for, so there may be more";
    EXPECT_EQ(reserve(0), 3);
}

TEST_F(SharedSlots, OneThatDoesNotComeKeepsNoSlotIdle) {
    slots.settle(0, reserve(0));
    EXPECT_EQ(reserve(1), 0);
    slots.release(0, 1);
    EXPECT_EQ(take_calls(), std::vector<int>{1});
    EXPECT_EQ(reserve(0), 1) << "1 was called and is not here";
}

TEST_F(SharedSlots, OneThatHangsWithItsReservationKeepsNoSlotIdle) {
    EXPECT_EQ(reserve(0), 6);
    now += Slots::patience - core::Micros{1};
    EXPECT_EQ(reserve(1), 0);
    now += core::Micros{1};
    EXPECT_EQ(reserve(1), 6);
    slots.settle(1, 6);
    slots.settle(0, 2);
    EXPECT_EQ(slots.free(), -2) << "what it brought after all runs, too";
    slots.release(1, 3);
    EXPECT_EQ(slots.free(), 1);
}

TEST_F(SharedSlots, ALateAnswerThatBringsNothingTakesNothing) {
    EXPECT_EQ(reserve(0), 6);
    now += Slots::patience;
    EXPECT_EQ(reserve(1), 6);
    slots.settle(0, 0);
    EXPECT_EQ(slots.free(), 0);
    slots.settle(1, 0);
    EXPECT_EQ(slots.free(), 6);
}

TEST_F(SharedSlots, ABatchOfAStoreThatIsAwayKeepsNone) {
    MachineClock clock;
    Batcher batcher(clock);
    batcher.share_slots(std::shared_ptr<Slots>(&slots, [](Slots*) {}), 0);
    batcher.set_claim({}, {});
    std::vector<Item> items = batcher.take();
    ASSERT_EQ(items.size(), 1u);
    const auto& claim = std::get<core::Claim>(items[0].command);
    EXPECT_EQ(claim.tasks_max, 6);
    EXPECT_EQ(claim.slots, 6);

    batcher.shed_claims(items);
    EXPECT_EQ(claim.tasks_max, 0) << "applied again it takes nothing for which there may be no slot";
    EXPECT_EQ(slots.free(), 6);
    std::vector<core::Reply> replies(1);
    core::Claimed claimed;
    claimed.tasks.resize(2);
    replies[0].answer = std::move(claimed);
    batcher.settle_claim(items, replies);
    EXPECT_EQ(slots.free(), 4) << "it had been stored all the same";
}

TEST_F(SharedSlots, AllGetTheirTurnWhenThereIsAlwaysMore) {
    std::vector<int> served(3);
    int held = 0;
    for (int turn = 0; turn < 300; ++turn) {
        const int member = turn % 3 == 0 ? turn / 3 % 3 : 0;  // 0 asks far more often
        const int reserved = reserve(member);
        if (reserved > 0) slots.settle(member, reserved);
        served[static_cast<std::size_t>(member)] += reserved;
        held += reserved;
        for (const int called : take_calls()) {
            const int n = reserve(called);
            if (n > 0) slots.settle(called, n);
            served[static_cast<std::size_t>(called)] += n;
            held += n;
        }
        if (held > 0) slots.release(0, std::exchange(held, 0));
    }
    for (const int n : served) EXPECT_GT(n, 100);
}

}  // namespace
}  // namespace pawl::runtime
