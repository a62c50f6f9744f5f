// The window of heads in memory, and the numbers of claims at their end.
#include "core/ledger.hpp"

#include "store/memory/memory_image.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace pawl::core {
namespace {

Head head(std::int64_t sort_key) { return {sort_key, sort_key}; }

TEST(ReadyWindow, GivesEveryRowInOrderWhateverComesAndGoes) {
    std::mt19937_64 random(7);
    std::set<Head> all;  // the table
    ReadyWindow window;
    window.refill({}, true);
    std::int64_t taken = 0;
    for (int i = 0; i < 50'000; ++i) {
        if (random() % 100 < 55) {
            const Head added{static_cast<std::int64_t>(random() % 1'000), i};
            all.insert(added);
            window.add(added);
        } else if (!all.empty() && random() % 100 < 20) {
            const Head removed = *std::next(all.begin(), static_cast<std::ptrdiff_t>(random() % all.size()));
            all.erase(removed);
            window.remove(removed);
        } else if (!all.empty()) {
            if (window.needs_refill()) {
                std::vector<Head> rows;
                for (auto it = all.begin(); it != all.end() && rows.size() < 100; ++it) rows.push_back(*it);
                window.refill(rows, rows.size() < 100);
            }
            ASSERT_FALSE(window.empty());
            ASSERT_EQ(window.front(), *all.begin());
            all.erase(all.begin());
            window.remove(Head(window.front()));
            ++taken;
        }
    }
    EXPECT_GT(taken, 5'000);
}

TEST(ReadyWindow, HoldsABoundedNumberOfRows) {
    ReadyWindow window;
    window.refill({}, true);
    for (int i = 0; i < 5'000; ++i) window.add(head(i));
    int held = 0;
    for (; !window.empty(); ++held) window.remove(Head(window.front()));
    EXPECT_EQ(held, static_cast<int>(ReadyWindow::rows_max));
    EXPECT_TRUE(window.needs_refill()) << "the rest is in the tables";
}

// 2^31 claims of one opening are a matter of hours: the next one begins a new epoch, and older fences stay valid.
TEST(Ledger, ANewEpochBeginsWhenTheNumbersOfClaimsAreUsedUp) {
    store::MemoryImage image;
    test::ManualClock machine;
    const OwnClock clock(machine, std::nullopt);
    Ledger<AllGuards> ledger(image, clock, {.epoch = 1, .unclean = false, .marks = {}, .claims_max = 2});
    image.set_epoch(1);
    ledger.open();
    std::vector<Command> batch;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        Submit command;
        command.id = make_task_id(machine.wall(), 0, i << 8, 1);
        command.lane.type = "mail";
        batch.push_back(command);
    }
    Claim claim;
    claim.types = {{"mail", 1, 1}};
    claim.tasks_max = 5;
    batch.push_back(claim);
    const Applied applied = ledger.apply(batch);
    const auto& claimed = std::get<Claimed>(*applied.replies.back().answer);
    ASSERT_EQ(claimed.tasks.size(), 5u);
    EXPECT_EQ(ledger.epoch(), 3);
    EXPECT_EQ(image.meta().epoch, 3) << "it is durable with the claims that it numbers";
    std::vector<Command> ends;
    for (std::size_t i = 0; i < 5; ++i) {
        if (i > 0) { EXPECT_GT(claimed.tasks[i].row.fence, claimed.tasks[i - 1].row.fence); }
        Record end;
        end.task = claimed.tasks[i].row.ref;
        end.fence = claimed.tasks[i].row.fence;
        end.next = Complete{"1"};
        ends.push_back(end);
    }
    for (const Reply& reply : ledger.apply(ends).replies) EXPECT_TRUE(reply.answer) << reply.answer.error().message;
}

}  // namespace
}  // namespace pawl::core
