// Group commit: what goes together, who may wait, and when an answer may go out.
#include "runtime/batcher.hpp"

#include "core/validate.hpp"
#include "store/memory/memory_store.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace pawl::runtime {
namespace {

using Fault = store::MemoryDisk::Fault;

core::Submit submission(int n) {
    core::SubmitRequest request;
    request.type = "mail";
    return core::make_submit(std::move(request), core::wall_instant(1), {7, static_cast<std::uint64_t>(n)}).value();
}

class BatcherTest : public ::testing::Test {
protected:
    Item item(int n) {
        return {submission(n),
                [this, n](core::Command&, Result<core::Answer> answer) { answered.push_back(answer ? n : -n); }};
    }
    std::vector<std::size_t> sizes_of_two_batches() {
        const std::size_t first = batcher.take().size();
        return {first, batcher.take().size()};
    }
    core::Claim claim() { return {{{"mail", 1, 1}}, {}, 0}; }

    test::ManualClock clock;
    Batcher batcher{clock};
    std::vector<int> answered;
};

TEST_F(BatcherTest, WhatGatheredGoesTogetherInTheOrderOfItsComing) {
    for (int n = 1; n <= 3; n++) batcher.push(item(n));
    EXPECT_TRUE(batcher.has_work());

    std::vector<Item> batch = batcher.take();

    ASSERT_EQ(batch.size(), 3u);
    for (Item& i : batch) i.done(i.command, core::Answer{core::Ticked{}});
    EXPECT_EQ(answered, (std::vector{1, 2, 3}));
    EXPECT_FALSE(batcher.has_work());
}

TEST_F(BatcherTest, TheClaimForTheFreeSlotsRidesInTheNextBatchOnceAndTakesThemAll) {
    batcher.set_claim(claim(), {});
    batcher.add_slots(5);
    EXPECT_FALSE(batcher.has_work()) << "a free slot alone is no reason for a batch";
    batcher.push(item(1));

    const std::vector<Item> batch = batcher.take();

    ASSERT_EQ(batch.size(), 2u);
    EXPECT_EQ(std::get<core::Claim>(batch[1].command).tasks_max, 5);
    EXPECT_EQ(batcher.free_slots(), 0) << "the slots are on their way";
    EXPECT_TRUE(batcher.take().empty());
}

TEST_F(BatcherTest, ItCanClaimWhileBatchesAreStoredAndComeToTheirEnd) {
    using namespace std::chrono_literals;
    EXPECT_FALSE(batcher.can_claim()) << "nobody wants to";
    batcher.set_claim(claim(), {});
    EXPECT_TRUE(batcher.can_claim());
    batcher.begin_batch();
    clock.advance(4s);
    EXPECT_TRUE(batcher.can_claim());
    clock.advance(1s);
    EXPECT_FALSE(batcher.can_claim()) << "a store that does not answer";
    batcher.end_batch(true);
    EXPECT_TRUE(batcher.can_claim());
    batcher.end_batch(false);
    EXPECT_FALSE(batcher.can_claim());
    batcher.end_batch(true);
    batcher.stop_claiming();
    EXPECT_FALSE(batcher.can_claim());
}

TEST_F(BatcherTest, SlotsThatAClaimDidNotUseAreFreeAgain) {
    batcher.set_claim(claim(), {});
    batcher.add_slots(5);
    const std::vector<Item> batch = batcher.take();
    core::Claimed claimed;
    claimed.tasks.resize(2);
    std::vector<core::Reply> replies(1);
    replies[0].answer = core::Answer{std::move(claimed)};

    batcher.settle_claim(batch, replies);
    EXPECT_EQ(batcher.free_slots(), 3);
    batcher.return_claimed(batch, replies);
    EXPECT_EQ(batcher.free_slots(), 5) << "a claim whose flush failed delivered nothing";
}

TEST_F(BatcherTest, AfterStopClaimingNoBatchClaims) {
    batcher.set_claim(claim(), {});
    batcher.add_slots(5);
    batcher.stop_claiming();

    EXPECT_TRUE(batcher.take().empty());
}

TEST_F(BatcherTest, WhatIsPutBackGoesFirst) {
    batcher.push(item(1));
    std::vector<Item> batch = batcher.take();
    batcher.push(item(2));

    batcher.put_back(std::move(batch));

    batch = batcher.take();
    ASSERT_EQ(batch.size(), 2u);
    for (Item& i : batch) i.done(i.command, core::Answer{core::Ticked{}});
    EXPECT_EQ(answered, (std::vector{1, 2}));
}

TEST_F(BatcherTest, AKickMakesAnEmptyBatch) {
    batcher.kick();

    EXPECT_TRUE(batcher.has_work());
    EXPECT_TRUE(batcher.wait_and_take().empty());
    EXPECT_FALSE(batcher.has_work());
}

TEST_F(BatcherTest, AClientWaitsForRoomAndTheLoopDoesNot) {
    Batcher small{clock, {2, 1u << 20}};
    ASSERT_TRUE(small.push_blocking(item(1)));
    ASSERT_TRUE(small.push_blocking(item(2)));
    small.push(item(3));  // the loop's thread must never wait for the store's
    std::promise<bool> taken;
    auto heard = taken.get_future();
    std::thread client([&] { taken.set_value(small.push_blocking(item(4))); });

    EXPECT_EQ(small.wait_and_take().size(), 3u);
    EXPECT_TRUE(heard.get());
    client.join();
    EXPECT_EQ(small.wait_and_take().size(), 1u);
}

TEST_F(BatcherTest, AClientThatWaitsForRoomHearsOfTheStop) {
    Batcher small{clock, {1, 1u << 20}};
    ASSERT_TRUE(small.push_blocking(item(1)));
    std::promise<bool> taken;
    auto heard = taken.get_future();
    std::thread client([&] { taken.set_value(small.push_blocking(item(2))); });

    small.stop();

    EXPECT_FALSE(heard.get());
    client.join();
    EXPECT_EQ(small.wait_and_take().size(), 1u) << "what was taken before is still carried out";
}

// ---- one batch ---------------------------------------------------------------------------------------------------

class BatchTurnTest : public BatcherTest {
protected:
    void deliver(BatchOutcome outcome) {
        for (std::size_t i = 0; i < outcome.items.size(); i++)
            if (outcome.items[i].done)
                outcome.items[i].done(outcome.items[i].command, std::move(outcome.replies[i].answer));
    }
    std::vector<Item> batch_of(int n) {
        for (int i = 1; i <= n; i++) batcher.push(item(i));
        return batcher.take();
    }

    const std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    store::MemoryStore store{disk, clock};
    Error error;
    const Deliver carry = [this](BatchOutcome outcome, bool) { deliver(std::move(outcome)); };
};

TEST_F(BatchTurnTest, NothingIsAcknowledgedBeforeTheFlush) {
    BatchTurn<core::AllGuards> turn(batcher);
    std::vector<Item> items = batch_of(3);

    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);
    EXPECT_TRUE(answered.empty());
    EXPECT_EQ(disk->unflushed(), 1);

    ASSERT_EQ(turn.flush(store, items, error, carry), BatchEnd::done);
    EXPECT_EQ(answered, (std::vector{1, 2, 3}));
    EXPECT_EQ(disk->unflushed(), 0);
}

TEST_F(BatchTurnTest, WithTheFlushGuardOffTheAnswersGoOutTooEarly) {
    BatchTurn<core::NoFlush> turn(batcher);
    std::vector<Item> items = batch_of(2);

    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);

    EXPECT_EQ(answered, (std::vector{1, 2}));
    EXPECT_EQ(disk->unflushed(), 1) << "the mutation that simulation must catch";
}

TEST_F(BatchTurnTest, OnlyAClaimOfDurableTasksGoesOutBeforeItsFlush) {
    BatchTurn<core::AllGuards> turn(batcher);
    std::vector<Item> items = batch_of(2);
    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);
    ASSERT_EQ(turn.flush(store, items, error, carry), BatchEnd::done);
    answered.clear();
    int claimed = 0;
    batcher.set_claim(claim(), [&](core::Command&, Result<core::Answer> answer) {
        claimed += static_cast<int>(std::get<core::Claimed>(*answer).tasks.size());
    });
    batcher.add_slots(3);
    batcher.push(item(3));

    items = batcher.take();
    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);

    // The third task is of this batch: with it among them the claim has to wait.
    EXPECT_EQ(claimed, 0);
    EXPECT_TRUE(answered.empty());
    ASSERT_EQ(turn.flush(store, items, error, carry), BatchEnd::done);
    EXPECT_EQ(claimed, 3);
    EXPECT_EQ(answered, std::vector{3});
}

TEST_F(BatchTurnTest, AFailedFlushAnswersNobodyAndGivesTheItemsBack) {
    BatchTurn<core::AllGuards> turn(batcher);
    std::vector<Item> items = batch_of(2);
    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);
    disk->fail_next_flush(Fault::before);

    EXPECT_EQ(turn.flush(store, items, error, carry), BatchEnd::store_lost);

    EXPECT_TRUE(answered.empty());
    EXPECT_EQ(items.size(), 2u);
}

TEST_F(BatchTurnTest, AFullDiskAnswersNobodyAndTheSameBatchMayBeTriedAgain) {
    BatchTurn<core::AllGuards> turn(batcher);
    std::vector<Item> items = batch_of(2);
    disk->fail_next_apply(Fault::full);
    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::disk_full);
    EXPECT_TRUE(answered.empty());

    ASSERT_EQ(turn.apply(store, items, error, carry), BatchEnd::done);
    ASSERT_EQ(turn.flush(store, items, error, carry), BatchEnd::done);

    EXPECT_EQ(answered, (std::vector{1, 2}));
}

}  // namespace
}  // namespace pawl::runtime
