// Clients' threads that wait for an end: told once, by the batch that ends their task.
#include "runtime/waiters.hpp"

#include <gtest/gtest.h>

namespace pawl::runtime {
namespace {

using core::Notice;

core::TaskId id_of(std::uint8_t n) {
    core::TaskId id;
    id.bytes[15] = n;
    return id;
}

// A batch in which task `n` completed with `output`, as the store's thread sees it after the flush.
BatchOutcome completion(std::uint8_t n, const std::string& output) {
    BatchOutcome outcome;
    core::Record record;
    record.task = n;
    record.next = core::Complete{output};
    outcome.items.push_back(Item{std::move(record), nullptr, true});
    outcome.replies.push_back({core::Answer{core::Recorded{}}, false});
    outcome.notices.push_back({Notice::What::final, n, id_of(n), TaskState::completed, core::Ending::none, {}});
    return outcome;
}

struct Heard {
    int times = 0;
    std::optional<std::string> output;
    Waiters::Ended hear() {
        return [this](std::optional<std::string> o) {
            times++;
            output = std::move(o);
        };
    }
};

void tell(const std::vector<Waiters::Told>& told) {
    for (const auto& one : told) one.ended(one.output);
}

TEST(Waiters, AnEndIsToldOnceAndWithItsOutput) {
    Waiters waiters;
    Heard first, second, other;
    waiters.add(id_of(1), first.hear());
    waiters.add(id_of(1), second.hear());
    waiters.add(id_of(2), other.hear());

    tell(waiters.take(completion(1, "7")));
    tell(waiters.take(completion(1, "8")));

    EXPECT_EQ(first.times, 1);
    EXPECT_EQ(first.output, "7");
    EXPECT_EQ(second.times, 1);
    EXPECT_EQ(second.output, "7");
    EXPECT_EQ(other.times, 0);
}

TEST(Waiters, WhoWasForgottenIsNotTold) {
    Waiters waiters;
    Heard gone, left;
    const auto token = waiters.add(id_of(1), gone.hear());
    waiters.add(id_of(1), left.hear());

    waiters.forget(id_of(1), token);
    tell(waiters.take(completion(1, "7")));

    EXPECT_EQ(gone.times, 0);
    EXPECT_EQ(left.times, 1);
}

// Of another end, and of one that another process or an operator made, the row is to be read.
TEST(Waiters, AnEndWithoutARecordOfItsOutputIsToldWithoutOne) {
    Waiters waiters;
    Heard paused, failed;
    waiters.add(id_of(1), paused.hear());
    waiters.add(id_of(2), failed.hear());
    BatchOutcome outcome;
    outcome.notices.push_back({Notice::What::stopped, 1, id_of(1), TaskState::paused, core::Ending::none, {}});
    outcome.notices.push_back({Notice::What::final, 2, id_of(2), TaskState::failed, core::Ending::none, {}});

    tell(waiters.take(outcome));

    EXPECT_EQ(paused.times, 1);
    EXPECT_FALSE(paused.output);
    EXPECT_EQ(failed.times, 1);
    EXPECT_FALSE(failed.output);
}

TEST(Waiters, ARunningTasksEndingIsNoEnd) {
    Waiters waiters;
    Heard heard;
    waiters.add(id_of(1), heard.hear());
    BatchOutcome outcome;
    outcome.notices.push_back({Notice::What::ending, 1, id_of(1), TaskState::running, core::Ending::deadline, {}});

    tell(waiters.take(outcome));

    EXPECT_EQ(heard.times, 0);
}

// What answers a waiting thread is taken out of what the loop gets; the order within both stays.
TEST(Waiters, OnlyItemsToBeAnsweredHereAreSplitOff) {
    BatchOutcome outcome;
    for (int i = 1; i <= 4; i++) {
        outcome.items.push_back(Item{core::Load{i, 0, 1}, nullptr, false, i % 2 == 0});
        outcome.replies.push_back({core::Answer{core::Loaded{}}, false});
    }

    const BatchOutcome here = split_here(outcome);

    const auto task_of = [](const Item& item) { return std::get<core::Load>(item.command).task; };
    ASSERT_EQ(here.items.size(), 2u);
    ASSERT_EQ(here.replies.size(), 2u);
    EXPECT_EQ(task_of(here.items[0]), 2);
    EXPECT_EQ(task_of(here.items[1]), 4);
    ASSERT_EQ(outcome.items.size(), 2u);
    ASSERT_EQ(outcome.replies.size(), 2u);
    EXPECT_EQ(task_of(outcome.items[0]), 1);
    EXPECT_EQ(task_of(outcome.items[1]), 3);
}

}  // namespace
}  // namespace pawl::runtime
