// Submit and its idempotency keys (spec section 4).
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

Submit keyed(int number, const std::string& key, int fingerprint = 1) {
    Submit command = submit(number);
    command.key = key;
    command.fingerprint = {};
    command.fingerprint[0] = static_cast<std::uint8_t>(fingerprint);
    return command;
}

TEST_P(StoreConformance, SubmitStoresATaskThatCanBeClaimedWithItsInput) {
    const Submit command = submit(1);
    const Submitted done = ask<Submitted>(*h, command).value();
    EXPECT_FALSE(done.replayed);
    EXPECT_EQ(done.id, command.id);
    EXPECT_EQ(state_of(*h, command.id), "pending(queued)");

    const ClaimedTask task = claim_one(*h);
    EXPECT_EQ(task.row.ref, done.ref);
    EXPECT_EQ(task.row.input, command.input);
    EXPECT_EQ(task.row.lane.version, 1);
    EXPECT_TRUE(task.fresh);
    EXPECT_EQ(task.row.fence.epoch, h->store().epoch());
    EXPECT_EQ(kinds_of(*h, done.ref), (std::vector{EntryKind::submitted, EntryKind::claimed}));
}

TEST_P(StoreConformance, AnInputOfOneMebibyteWithZeroBytesComesBackUnchanged) {
    Submit command = submit(1);
    command.input = "\"" + std::string(1u << 20, '\0') + "\"";
    ask<Submitted>(*h, command).value();
    EXPECT_EQ(row_of(*h, command.id).input, command.input);

    const ClaimedTask task = claim_one(*h);
    EXPECT_EQ(task.row.input, command.input);
    EXPECT_EQ(journal_of(*h, task.row.ref)[0].result, "") << "the input belongs to the row";
    ask<Recorded>(*h, record(task, HandBack{})).value();
    EXPECT_EQ(claim_one(*h).row.input, command.input);
}

TEST_P(StoreConformance, TheSameKeyAndInputIsTheSameTaskRunningOrFinal) {
    const Submitted first = ask<Submitted>(*h, keyed(1, "k")).value();
    const Submitted again = ask<Submitted>(*h, keyed(2, "k")).value();
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.ref, first.ref);

    ask<Recorded>(*h, record(claim_one(*h), Complete{"1"})).value();
    const Submitted late = ask<Submitted>(*h, keyed(3, "k")).value();
    EXPECT_TRUE(late.replayed);
    EXPECT_EQ(late.id, first.id);
    EXPECT_EQ(late.state, TaskState::completed);
    EXPECT_EQ(code_of(h->store().get(submit(3).id)), Errc::not_found);
}

TEST_P(StoreConformance, AKeyWithOtherInputIsRefusedAndNothingChanges) {
    const Submitted first = ask<Submitted>(*h, keyed(1, "k", 1)).value();
    const Result<Submitted> other = ask<Submitted>(*h, keyed(2, "k", 2));
    ASSERT_EQ(code_of(other), Errc::idempotency_key_reused);
    EXPECT_NE(other.error().message.find(to_string(first.id)), std::string::npos) << "it names the first task";
    EXPECT_EQ(h->store().counts().value()[0], 1);
}

TEST_P(StoreConformance, AKeyIsScopedToNamespaceAndType) {
    Submit other_type = keyed(2, "k");
    other_type.lane.type = "print";
    Submit other_space = keyed(3, "k");
    other_space.lane.space = "acme";
    const Applied applied = run(*h, {keyed(1, "k"), other_type, other_space});
    for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(answer_of<Submitted>(applied, i).replayed);
}

TEST_P(StoreConformance, OnExistingRejectRefusesATakenKey) {
    ask<Submitted>(*h, keyed(1, "k")).value();
    Submit command = keyed(2, "k");
    command.on_existing = OnExisting::reject;
    EXPECT_EQ(code_of(ask<Submitted>(*h, command)), Errc::key_exists);
}

TEST_P(StoreConformance, OnExistingRetryReopensAFailedTaskAndAttachesToAnyOther) {
    const Submitted first = ask<Submitted>(*h, keyed(1, "k")).value();
    Submit again = keyed(2, "k");
    again.on_existing = OnExisting::retry_if_failed;
    EXPECT_EQ(ask<Submitted>(*h, again).value().state, TaskState::pending);
    EXPECT_EQ(row_of(*h, first.id).reopened, 0);

    ask<Recorded>(*h, record(claim_one(*h), failure())).value();
    const Submitted retried = ask<Submitted>(*h, again).value();
    EXPECT_TRUE(retried.replayed);
    EXPECT_EQ(retried.id, first.id);
    EXPECT_EQ(retried.state, TaskState::pending);
    EXPECT_EQ(row_of(*h, first.id).reopened, 1);
}

TEST_P(StoreConformance, OnExistingReplaceCancelsTheOldTaskAndMovesTheKey) {
    const Submitted first = ask<Submitted>(*h, keyed(1, "k", 1)).value();
    Submit command = keyed(2, "k", 2);
    command.on_existing = OnExisting::replace;
    const Submitted second = ask<Submitted>(*h, command).value();
    EXPECT_FALSE(second.replayed);
    EXPECT_EQ(state_of(*h, first.id), "cancelled(user)");
    EXPECT_EQ(ask<Submitted>(*h, keyed(3, "k", 2)).value().id, second.id);
}

TEST_P(StoreConformance, OnExistingReplaceAsksARunningTaskToEnd) {
    const ClaimedTask task = submit_and_claim(*h, keyed(1, "k"));
    Submit command = keyed(2, "k");
    command.on_existing = OnExisting::replace;
    const Applied applied = run(*h, {command});
    ASSERT_EQ(applied.notices.size(), 1u);
    EXPECT_EQ(applied.notices[0].what, Notice::What::ending);
    EXPECT_EQ(applied.notices[0].task, task.row.ref);
    ask<Recorded>(*h, record(task, Cancelled{})).value();
    EXPECT_EQ(ask<Submitted>(*h, keyed(3, "k")).value().id, command.id) << "the old end must not free the new key";
}

TEST_P(StoreConformance, AKeyLivesSevenDaysBeyondTheEndOfItsTask) {
    const Submitted first = ask<Submitted>(*h, keyed(1, "k")).value();
    h->clock().advance(24h * 30);
    EXPECT_EQ(ask<Submitted>(*h, keyed(2, "k")).value().id, first.id) << "as long as it is not final";
    ask<Recorded>(*h, record(claim_one(*h), Complete{"1"})).value();
    h->clock().advance(24h * 7 - 1s);
    EXPECT_EQ(ask<Submitted>(*h, keyed(3, "k")).value().id, first.id);
    h->clock().advance(1s);
    EXPECT_FALSE(ask<Submitted>(*h, keyed(4, "k", 2)).value().replayed);
}

TEST_P(StoreConformance, AThousandSubmitsWithOneKeyMakeOneTask) {
    std::vector<Command> batch;
    for (int i = 1; i <= 1'000; ++i) batch.push_back(keyed(i, "k"));
    const Applied applied = run(*h, batch);
    const Submitted first = answer_of<Submitted>(applied, 0);
    for (std::size_t i = 1; i < batch.size(); ++i) {
        const Submitted other = answer_of<Submitted>(applied, i);
        ASSERT_EQ(other.id, first.id);
        ASSERT_EQ(other.ref, first.ref);
    }
    EXPECT_EQ(h->store().counts().value()[0], 1);
}

TEST_P(StoreConformance, TheSameIdAgainIsTheSameSubmit) {
    const Submitted first = ask<Submitted>(*h, submit(1)).value();
    const Applied applied = run(*h, {submit(1), submit(2), submit(2)});
    EXPECT_EQ(answer_of<Submitted>(applied, 0).ref, first.ref);
    EXPECT_TRUE(answer_of<Submitted>(applied, 0).replayed);
    EXPECT_FALSE(answer_of<Submitted>(applied, 1).replayed);
    EXPECT_TRUE(answer_of<Submitted>(applied, 2).replayed) << "though the first is in the same batch";
    EXPECT_EQ(h->store().counts().value()[0], 2);
}

TEST_P(StoreConformance, TheSameIdAgainIsNeverRefusedForItsOwnKey) {
    Submit command = keyed(1, "k");
    for (const OnExisting choice : {OnExisting::reject, OnExisting::replace}) {
        command.on_existing = choice;
        ask<Submitted>(*h, command).value();
        EXPECT_TRUE(ask<Submitted>(*h, command).value().replayed);
        EXPECT_EQ(state_of(*h, command.id), "pending(queued)");
    }
}

TEST_P(StoreConformance, ADeadlineInThePastIsRefusedAndItsNeighboursAreStored) {
    Submit late = submit(2);
    late.deadline = h->clock().wall() - 1s;
    late.key = "k";
    const Applied applied = run(*h, {submit(1), late, submit(3)});
    EXPECT_EQ(refusal_of(applied, 1), Errc::bad_input);
    EXPECT_EQ(code_of(h->store().get(late.id)), Errc::not_found);
    EXPECT_EQ(state_of(*h, submit(1).id), "pending(queued)");
    EXPECT_EQ(state_of(*h, submit(3).id), "pending(queued)");
    EXPECT_FALSE(ask<Submitted>(*h, keyed(4, "k")).value().replayed) << "a refused submit takes no key";
}

TEST_P(StoreConformance, ADefinitionComesWithTheClaim) {
    Submit one = submit(1);
    Submit two = submit(2);
    one.definition = two.definition = "{\"model\":\"m\"}";
    run(*h, {one, two});
    EXPECT_EQ(claim_one(*h).definition, one.definition);
    h->crash();
    EXPECT_EQ(claim_one(*h).definition, one.definition);
    EXPECT_EQ(claim_one(*h).definition, one.definition);
}

TEST_P(StoreConformance, AQueueAtItsDepthRefusesTasksAndTakesThemAgainWhenOneStarts) {
    SetQueue limit;
    limit.depth_max = 2;
    ask<QueueSet>(*h, limit).value();
    const Applied applied = run(*h, {submit(1), submit(2), submit(3)});
    EXPECT_EQ(refusal_of(applied, 2), Errc::queue_full);
    EXPECT_EQ(code_of(h->store().get(submit(3).id)), Errc::not_found);
    h->crash();
    EXPECT_EQ(code_of(ask<Submitted>(*h, submit(3))), Errc::queue_full) << "the limit and the count are durable";
    claim_one(*h);
    EXPECT_TRUE(ask<Submitted>(*h, submit(3)));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(All, OwnedStore, testing::ValuesIn(owned_kinds()),
                         [](const auto& instance) { return instance.param.name; });
INSTANTIATE_TEST_SUITE_P(All, StoreConformance, testing::ValuesIn(kinds()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace pawl::test
