// cancel, kill, pause, resume and retry of all tasks of a filter.
#include "e2e/cli.hpp"

namespace pawl::e2e {
namespace {

class CliBulk : public CliTest {
protected:
    CliBulk() : CliTest(InMemory{}) {
        for (int i = 0; i < 3; ++i) submit({"echo", "1", "--queue", "mails", "--tag", "spam"});
        submit({"echo", "1", "--queue", "orders"});
    }
    std::size_t in_state(const std::string& state) const {
        return json({"list", "--state", state}).at("tasks").as_array().size();
    }
};

TEST_F(CliBulk, AFilterNeedsAYes) {
    expect_refused(pawl({"cancel", "--queue", "mails"}), 2, "the filter fits 3 tasks");
    expect_refused(pawl({"kill", "--all"}), 2, "the filter fits 4 tasks");
    expect_refused(pawl({"cancel"}), 2, "no TASK was given");
    expect_refused(pawl({"cancel", "t_x", "--all", "--yes"}), 2, "a TASK and a filter");
    EXPECT_EQ(in_state("pending"), 4u);
}

TEST_F(CliBulk, ADryRunShowsAndChangesNothing) {
    const auto shown = pawl({"cancel", "--tag", "spam", "--dry-run"});
    EXPECT_EQ(shown.exit, 0) << shown.err;
    EXPECT_NE(shown.err.find("cancel would be sent to 3 tasks"), std::string::npos) << shown.err;
    EXPECT_EQ(json({"cancel", "--tag", "spam", "--dry-run"}).at("tasks").as_array().size(), 3u);
    EXPECT_EQ(in_state("pending"), 4u);
}

TEST_F(CliBulk, WithAYesItIsDoneForThoseAlone) {
    const auto paused = pawl({"pause", "--queue", "mails", "--reason", "the sender is down", "--yes"});
    EXPECT_EQ(paused.exit, 0) << paused.err;
    EXPECT_EQ(paused.out, "pause: 3 of 3 tasks changed\n");
    EXPECT_EQ(in_state("paused"), 3u);
    EXPECT_EQ(json({"resume", "--all", "--yes"}).at("changed").as_int64(), 3);
    EXPECT_EQ(json({"cancel", "--queue", "mails", "--yes"}).at("changed").as_int64(), 3);
    EXPECT_EQ(json({"retry", "--state", "cancelled", "--yes"}).at("changed").as_int64(), 3);
    EXPECT_EQ(in_state("pending"), 4u);
}

TEST_F(CliBulk, NothingThatFitsIsNotFound) {
    expect_refused(pawl({"cancel", "--queue", "nobody", "--yes"}), 3, "no task fits the filter");
    expect_refused(pawl({"resume", "--all", "--yes"}), 3, "no task fits the filter");
    expect_refused(pawl({"cancel", "--state", "gone", "--yes"}), 2, "there is no state");
    EXPECT_EQ(in_state("pending"), 4u);
}

TEST_F(CliBulk, ARefusalIsToldAndTheOthersAreDone) {
    ASSERT_EQ(pawl({"cancel", "--queue", "mails", "--yes"}).exit, 0);
    const auto retried = pawl({"retry", "--state", "pending,cancelled", "--yes"});
    EXPECT_EQ(retried.exit, 2);
    EXPECT_EQ(retried.out, "retry: 3 of 4 tasks changed, 1 refused\n");
    EXPECT_EQ(in_state("pending"), 4u);
}

}  // namespace
}  // namespace pawl::e2e
