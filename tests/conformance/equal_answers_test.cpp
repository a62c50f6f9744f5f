// The memory store stands for every store in the simulation: so every store must answer exactly as it does.
#include "conformance/memory_and_postgres.hpp"
#include "conformance/random_commands.hpp"
#include "conformance/shown_answers.hpp"
#include "store/memory/memory_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/manual_clock.hpp"
#include "support/postgres.hpp"
#include "support/temp_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace pawl::test {
namespace {

using namespace core;
using namespace std::chrono_literals;

class TwoStores {
public:
    TwoStores() { open(); }

    void open() {
        memory_.reset();
        sqlite_.reset();
        memory_ = std::make_unique<store::MemoryStore>(disk_, clock_);
        sqlite_ = store::open_sqlite(folder_.path() + "/pawl.db", clock_).value();
    }
    void crash() {
        disk_->crash();
        open();
    }
    void close() {
        ASSERT_TRUE(memory_->close());
        ASSERT_TRUE(sqlite_->close());
        open();
    }
    void flush() {
        ASSERT_TRUE(memory_->flush());
        ASSERT_TRUE(sqlite_->flush());
    }
    /// The answers of both, which must be equal.
    Applied apply(const std::vector<Command>& batch) {
        Applied expected = memory_->apply(batch).value();
        const Applied got = sqlite_->apply(batch).value();
        EXPECT_EQ(shown(expected), shown(got)) << "to" << text_of(batch);
        return expected;
    }
    void compare() { EXPECT_EQ(shown_all(*memory_), shown_all(*sqlite_)); }
    ManualClock& clock() { return clock_; }

private:
    ManualClock clock_;
    TempFolder folder_ = TempFolder::in_memory();
    std::shared_ptr<store::MemoryDisk> disk_ = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::MemoryStore> memory_;
    std::unique_ptr<Store> sqlite_;
};

class EqualAnswers : public testing::TestWithParam<int> {};

// 25 seeds of 400 sequences: 10,000 in all, each a batch of up to six commands and what happens after it.
TEST_P(EqualAnswers, MemoryAndSqliteAnswerAlikeWhateverComes) {
    constexpr int sequences = 400;
    RandomCommands commands(static_cast<std::uint64_t>(GetParam()));
    TwoStores stores;
    for (int i = 0; i < sequences && !testing::Test::HasFailure(); ++i) {
        SCOPED_TRACE("seed " + std::to_string(GetParam()) + ", sequence " + std::to_string(i));
        commands.learn(stores.apply(commands.batch()));
        if (commands.chance(80)) stores.flush();
        if (commands.chance(50)) stores.clock().advance(Micros(1s) * commands.below(8));
        if (commands.chance(3)) stores.clock().advance(Micros(24h) * (1 + commands.below(5)));
        if (commands.chance(4)) stores.clock().jump_wall(Micros(1h) * (commands.below(5) - 2));
        if (commands.chance(3)) stores.crash();
        if (commands.chance(1)) stores.close();
        if (commands.chance(2)) stores.compare();
    }
    stores.compare();
}

INSTANTIATE_TEST_SUITE_P(Seeds, EqualAnswers, testing::Range(1, 26));

// ---- PostgreSQL --------------------------------------------------------------------------------------------------

class EqualAnswersOnPostgres : public testing::TestWithParam<int> {
protected:
    void SetUp() override { PAWL_NEEDS_POSTGRES(); }
};

// A part of them at each run: a round trip for everything takes its time. PAWL_POSTGRES_SEQUENCES=400 makes it 10,000.
TEST_P(EqualAnswersOnPostgres, MemoryAndPostgresAnswerAlikeWhateverComes) {
    const char* wanted = std::getenv("PAWL_POSTGRES_SEQUENCES");
    const int sequences = wanted ? std::atoi(wanted) : 60;
    RandomCommands commands(static_cast<std::uint64_t>(GetParam()));
    MemoryAndPostgres stores;
    for (int i = 0; i < sequences && !testing::Test::HasFailure(); ++i) {
        SCOPED_TRACE("seed " + std::to_string(GetParam()) + ", sequence " + std::to_string(i));
        commands.learn(stores.apply(commands.batch()));
        if (commands.chance(50)) stores.clock().advance(Micros(1s) * commands.below(8));
        if (commands.chance(3)) stores.clock().advance(Micros(24h) * (1 + commands.below(5)));
        if (commands.chance(4)) stores.clock().jump_wall(Micros(1h) * (commands.below(5) - 2));
        if (commands.chance(3)) stores.crash();
        if (commands.chance(1)) stores.close();
        if (commands.chance(1)) stores.compare();
    }
    stores.compare();
}

INSTANTIATE_TEST_SUITE_P(Seeds, EqualAnswersOnPostgres, testing::Range(1, 26));

}  // namespace
}  // namespace pawl::test
