// A disk that fills up, on a small file system of the test's own.
#include "conformance/harness.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/small_disk.hpp"
#include "support/temp_folder.hpp"

namespace pawl::test {
namespace {

Submit large_submit(int number) {
    Submit command = submit(number);
    command.input = "\"" + std::string(200'000, 'x') + "\"";
    return command;
}

TEST(DiskFull, NothingOfTheBatchIsStoredAndWorkGoesOnWhenSpaceReturns) {
    const TempFolder folder;
    const SmallDisk disk(folder.path(), "8m");
    if (!disk.is_mounted()) GTEST_SKIP() << "a file system of a test's own cannot be mounted here";
    ManualClock clock;
    auto store = store::open_sqlite(disk.path() + "/pawl.db", clock).value();
    const auto run = [&](const std::vector<Command>& batch) -> Result<Applied> {
        Result<Applied> applied = store->apply(batch);
        if (!applied) return applied;
        if (auto flushed = store->flush(); !flushed) return flushed.error();
        return applied;
    };
    ASSERT_TRUE(run({submit(1)}));
    const ClaimedTask running = answer_of<Claimed>(run({claim()}).value(), 0).tasks.at(0);
    disk.fill();

    int stored = 0;
    Result<Applied> last = Error{};
    do {
        last = run({large_submit(100 + stored), submit(200 + stored)});
        stored += last ? 1 : 0;
    } while (last && stored < 100);
    ASSERT_EQ(code_of(last), Errc::disk_full) << last.error().message;
    EXPECT_EQ(store->counts().value()[0], 2 * stored) << "both of a batch, or none";
    EXPECT_EQ(code_of(run({large_submit(999)})), Errc::disk_full) << "it answers, and it keeps answering";

    disk.free();
    EXPECT_TRUE(run({large_submit(300)}));
    const Applied done = run({record(running, Complete{"1"})}).value();
    EXPECT_EQ(answer_of<Recorded>(done, 0).state, TaskState::completed) << "claims given out before are still valid";
    EXPECT_EQ(store->check().value(), std::vector<std::string>{});
    ASSERT_TRUE(store->close());
    store = store::open_sqlite(disk.path() + "/pawl.db", clock).value();
    EXPECT_EQ(store->counts().value()[0], 2 * stored + 1);
}

TEST(DiskFull, AFullDiskAtTheOpenIsSaid) {
    const TempFolder folder;
    const SmallDisk disk(folder.path(), "64k");
    if (!disk.is_mounted()) GTEST_SKIP() << "a file system of a test's own cannot be mounted here";
    disk.fill();
    ManualClock clock;
    EXPECT_EQ(code_of(store::open_sqlite(disk.path() + "/pawl.db", clock)), Errc::disk_full);
}

// ---- the same of the memory store, and its other faults -----------------------------------------------------------

class MemoryFaults : public testing::Test {
protected:
    using Fault = store::MemoryDisk::Fault;

    Result<Applied> run(const std::vector<Command>& batch) {
        Result<Applied> applied = memory->apply(batch);
        if (!applied) return applied;
        if (auto flushed = memory->flush(); !flushed) return flushed.error();
        return applied;
    }
    void reopen() { memory = std::make_unique<store::MemoryStore>(disk, clock); }
    std::int64_t pending() { return memory->counts().value()[0]; }

    ManualClock clock;
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::MemoryStore> memory = std::make_unique<store::MemoryStore>(disk, clock);
};

TEST_F(MemoryFaults, AFullDiskStoresNothingAndTheStoreGoesOn) {
    ASSERT_TRUE(run({submit(1)}));
    const ClaimedTask task = answer_of<Claimed>(run({claim()}).value(), 0).tasks.at(0);
    const std::vector<Command> before{submit(2)};
    ASSERT_TRUE(memory->apply(before));
    disk->fail_next_flush(Fault::full);
    EXPECT_EQ(code_of(run({submit(3)})), Errc::disk_full);
    EXPECT_EQ(pending(), 0) << "nothing since the last flush";
    EXPECT_TRUE(run({record(task, HandBack{})}));
    EXPECT_TRUE(run({submit(4)}));
    EXPECT_EQ(pending(), 2);
}

TEST_F(MemoryFaults, AFailedFlushMayOrMayNotHaveHappened) {
    disk->fail_next_flush(Fault::before);
    EXPECT_EQ(code_of(run({submit(1)})), Errc::store_unavailable);
    EXPECT_EQ(code_of(run({submit(2)})), Errc::store_unavailable) << "it must be opened again";
    reopen();
    EXPECT_EQ(pending(), 0);

    disk->fail_next_flush(Fault::after);
    EXPECT_EQ(code_of(run({submit(3)})), Errc::store_unavailable);
    reopen();
    EXPECT_EQ(pending(), 1);
}

TEST_F(MemoryFaults, AFailedApplyIsNeverFlushed) {
    disk->fail_next_apply(Fault::after);
    EXPECT_EQ(code_of(run({submit(1)})), Errc::store_unavailable);
    reopen();
    EXPECT_EQ(pending(), 0);
}

TEST_F(MemoryFaults, ACrashKeepsAnyPrefixOfTheUnflushedBatches) {
    for (int kept = 0; kept <= 3; ++kept) {
        disk = std::make_shared<store::MemoryDisk>();
        reopen();
        for (int i = 1; i <= 3; ++i) {
            const std::vector<Command> batch{submit(i)};
            ASSERT_TRUE(memory->apply(batch));
        }
        EXPECT_EQ(disk->unflushed(), 3);
        disk->crash(kept);
        EXPECT_EQ(code_of(run({submit(9)})), Errc::store_unavailable) << "its process is dead";
        reopen();
        EXPECT_EQ(pending(), kept);
        EXPECT_EQ(memory->check().value(), std::vector<std::string>{});
    }
}

}  // namespace
}  // namespace pawl::test
