// Who is next: priorities, aging, lanes, limits (spec section 7).
#include "conformance/harness.hpp"
#include "core/sha256.hpp"

namespace pawl::test {
namespace {

Submit with_priority(int number, int priority) {
    Submit command = submit(number);
    command.priority = priority;
    return command;
}

std::vector<TaskId> claim_all(Harness& h, Claim command) {
    std::vector<TaskId> ids;
    while (true) {
        const Claimed claimed = ask<Claimed>(h, command).value();
        if (claimed.tasks.empty()) return ids;
        for (const ClaimedTask& task : claimed.tasks) ids.push_back(task.row.id);
    }
}

std::vector<TaskId> ids_of(const std::vector<int>& numbers) {
    std::vector<TaskId> ids;
    for (const int number : numbers) ids.push_back(submit(number).id);
    return ids;
}

TEST_P(StoreConformance, HigherPriorityGoesFirstAndEqualOnesInOrder) {
    run(*h, {with_priority(1, 0), with_priority(2, 5), with_priority(3, 0), with_priority(4, 5), with_priority(5, -1)});
    EXPECT_EQ(claim_all(*h, claim(2)), ids_of({2, 4, 1, 3, 5}));
}

TEST_P(StoreConformance, AMinuteOfWaitingWeighsAsMuchAsOneLevelOfPriority) {
    run(*h, {with_priority(1, 0)});
    h->clock().advance(59s);
    run(*h, {with_priority(2, 1)});
    h->clock().advance(2s);
    run(*h, {with_priority(3, 1)});
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({2, 1, 3}));
}

TEST_P(StoreConformance, AWokenTaskGoesAheadOfNewerWork) {
    const ClaimedTask old = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(old, Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1s})).value();
    ask<Submitted>(*h, submit(2)).value();
    h->clock().advance(1s);
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({1, 2}));
}

// More rows than the window of heads in memory holds, coming and going on both sides of its edge.
TEST_P(StoreConformance, ALongBacklogIsClaimedInOrder) {
    std::vector<Command> batch;
    std::vector<TaskId> low, high;
    for (int i = 1; i <= 1'500; ++i) {
        const bool is_high = i % 3 == 0;
        batch.push_back(with_priority(i, is_high ? 10 : 0));
        (is_high ? high : low).push_back(submit(i).id);
    }
    run(*h, batch);
    std::vector<TaskId> first;
    for (const ClaimedTask& task : ask<Claimed>(*h, claim(400)).value().tasks) first.push_back(task.row.id);
    EXPECT_EQ(first, std::vector<TaskId>(high.begin(), high.begin() + 400));
    run(*h, {with_priority(2'001, 20)});
    std::vector<TaskId> rest{submit(2'001).id};
    rest.insert(rest.end(), high.begin() + 400, high.end());
    rest.insert(rest.end(), low.begin(), low.end());
    EXPECT_EQ(claim_all(*h, claim(64)), rest);
}

TEST_P(StoreConformance, OnlyServedTypesAndQueuesAreClaimed) {
    Submit other_queue = submit(2);
    other_queue.lane.queue = "slow";
    run(*h, {submit(1, "mail"), other_queue, submit(3, "print")});

    Claim command = claim(9);
    command.queues = {"slow"};
    EXPECT_EQ(claim_all(*h, command), ids_of({2}));
    EXPECT_EQ(claim_all(*h, claim(9, "print")), ids_of({3}));
    EXPECT_EQ(claim_all(*h, claim(9, "nothing")), ids_of({}));
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({1}));
}

TEST_P(StoreConformance, TheFirstClaimBindsAVersionThatLaterClaimsMustServe) {
    ask<Submitted>(*h, submit(1)).value();
    Claim second = claim(9);
    second.types = {{"mail", 2, 2}};
    const Claimed claimed = ask<Claimed>(*h, second).value();
    ASSERT_EQ(claimed.tasks.size(), 1u);
    EXPECT_EQ(claimed.tasks[0].row.lane.version, 2);
    EXPECT_EQ(journal_of(*h, claimed.tasks[0].row.ref).back().number, 2);
    ask<Recorded>(*h, record(claimed.tasks[0], HandBack{})).value();

    EXPECT_TRUE(ask<Claimed>(*h, claim(9)).value().tasks.empty()) << "version 1 is too old";
    Claim fourth = claim(9);
    fourth.types = {{"mail", 4, 3}};
    EXPECT_TRUE(ask<Claimed>(*h, fourth).value().tasks.empty()) << "version 4 is compatible from 3 only";
    Claim third = claim(9);
    third.types = {{"mail", 3, 1}};
    EXPECT_EQ(claim_all(*h, third), ids_of({1}));
}

TEST_P(StoreConformance, TheFirstClaimRecordsTheDefinitionOfATaskThatCameWithoutOne) {
    const auto claim_with = [&](int version, const std::string& definition) {
        Claim command = claim();
        command.types = {{"mail", version, 1, std::make_shared<const std::string>(definition)}};
        const Claimed claimed = ask<Claimed>(*h, command).value();
        return claimed.tasks.empty() ? ClaimedTask{} : claimed.tasks.front();
    };
    Submit with_its_own = submit(2);
    with_its_own.definition = "{\"own\":1}";
    run(*h, {submit(1), with_its_own});
    EXPECT_FALSE(row_of(*h, submit(1).id).definition);

    const ClaimedTask first = claim_with(1, "{\"deploy\":1}");
    EXPECT_EQ(first.row.id, submit(1).id);
    EXPECT_EQ(first.definition, "{\"deploy\":1}");
    EXPECT_EQ(row_of(*h, first.row.id).definition, std::optional(sha256("{\"deploy\":1}")));
    EXPECT_EQ(claim_with(1, "{\"deploy\":1}").definition, "{\"own\":1}");

    h->crash();
    const ClaimedTask again = claim_with(1, "{\"deploy\":2}");
    EXPECT_EQ(again.row.id, first.row.id);
    EXPECT_EQ(again.definition, "{\"deploy\":1}") << "a deploy does not change what runs";
    ask<Recorded>(*h, record(again, Complete{"1"})).value();
    h->clock().advance(24h * 60);
    EXPECT_EQ(ask<Purged>(*h, Purge{24h * 30, 10}).value().tasks, 1) << "and its definition goes with it";
}

TEST_P(StoreConformance, AQueueNeverRunsMoreThanItsLimit) {
    SetQueue limit;
    limit.concurrency = 2;
    run(*h, {limit, submit(1), submit(2), submit(3), submit(4)});
    const Claimed claimed = ask<Claimed>(*h, claim(9)).value();
    ASSERT_EQ(claimed.tasks.size(), 2u);
    EXPECT_TRUE(ask<Claimed>(*h, claim(9)).value().tasks.empty());

    const Applied applied = run(*h, {record(claimed.tasks[0], Complete{"1"}), claim(9)});
    EXPECT_EQ(answer_of<Claimed>(applied, 1).tasks.size(), 1u) << "the place is free within the same batch";
    ask<Recorded>(*h, record(claimed.tasks[1], Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1h})).value();
    EXPECT_EQ(ask<Claimed>(*h, claim(9)).value().tasks.size(), 1u) << "a parked task holds no place";
    limit.concurrency = 0;
    run(*h, {limit, submit(5)});
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({5}));
}

TEST_P(StoreConformance, APausedQueueGivesNothingAndOthersGoOn) {
    SetQueue pause;
    pause.paused = true;
    Submit other = submit(2);
    other.lane.queue = "other";
    run(*h, {pause, submit(1), other});
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({2}));
    h->crash();
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({2})) << "taken over; the queue is still paused";
    pause.paused = false;
    run(*h, {pause});
    EXPECT_EQ(claim_all(*h, claim(9)), ids_of({1}));
}

TEST_P(StoreConformance, MoreReadyTellsWhetherALikeClaimWouldGetATask) {
    EXPECT_FALSE(run(*h, {claim(1)}).more_ready);
    EXPECT_TRUE(run(*h, {submit(1)}).more_ready) << "though this batch claimed nothing";
    EXPECT_FALSE(run(*h, {claim(1)}).more_ready);
    EXPECT_TRUE(run(*h, {submit(2), submit(3), claim(1)}).more_ready);
    EXPECT_FALSE(run(*h, {claim(1), submit(4, "print")}).more_ready) << "nobody has asked for this type";
}

TEST_P(StoreConformance, FencesRiseWithEveryClaimAndOpening) {
    run(*h, {submit(1), submit(2)});
    const Fence first = claim_one(*h).row.fence;
    const ClaimedTask second = claim_one(*h);
    if (!GetParam().is_shared) { EXPECT_GT(second.row.fence, first) << "where one process gives them all"; }
    ask<Recorded>(*h, record(second, HandBack{})).value();
    const Fence third = claim_one(*h).row.fence;
    EXPECT_GT(third, second.row.fence);
    h->crash();
    EXPECT_GT(claim_one(*h).row.fence, third);
}

TEST_P(OwnedStore, AClaimOfDurableTasksMayBeAnsweredBeforeTheFlush) {
    run(*h, {submit(1)});
    Applied applied = run(*h, {claim(1)});
    EXPECT_TRUE(applied.replies[0].early);
    applied = run(*h, {submit(2), claim(1)});
    EXPECT_FALSE(applied.replies[1].early) << "the task itself is not yet durable";
    EXPECT_FALSE(applied.replies[0].early);

    const std::vector<Command> unflushed{submit(3)};
    ASSERT_TRUE(h->store().apply(unflushed));
    applied = run(*h, {claim(1)});
    EXPECT_FALSE(applied.replies[0].early) << "submitted by a batch that was not flushed before";
}

TEST_P(OwnedStore, InTheFirstMinuteAfterAnUncleanEndClaimsAreFlushedFirst) {
    run(*h, {submit(1), submit(2)});
    EXPECT_FALSE(h->store().unclean());
    h->crash();
    EXPECT_TRUE(h->store().unclean());
    EXPECT_FALSE(run(*h, {claim(1)}).replies[0].early);
    h->clock().advance(60s);
    EXPECT_TRUE(run(*h, {claim(1)}).replies[0].early);
    ASSERT_TRUE(h->store().close());
    h->reopen();
    EXPECT_FALSE(h->store().unclean());
    EXPECT_TRUE(run(*h, {claim(1)}).replies[0].early);
}

}  // namespace
}  // namespace pawl::test
