// Submit, keys, claim order.
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

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

TEST_P(StoreConformance, ATaskIsCompletedWithItsOutput) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ASSERT_TRUE(ask<Recorded>(*h, record(task, {}, {completed_step("a#1", "42")})));
    ASSERT_TRUE(ask<Recorded>(*h, record(task, Complete{"{\"ok\":true}"})));

    const TaskRow row = row_of(*h, task.row.id);
    EXPECT_EQ(row.state, TaskState::completed);
    EXPECT_EQ(row.output, "{\"ok\":true}");
    EXPECT_EQ(row.input, task.row.input);
    EXPECT_EQ(row.last_no, 4);
    const std::vector<Entry> journal = journal_of(*h, task.row.ref);
    ASSERT_EQ(journal.size(), 4u);
    EXPECT_EQ(journal[2].path, "a#1");
    EXPECT_EQ(journal[2].result, "42");
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(All, StoreConformance, testing::ValuesIn(kinds()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace pawl::test
