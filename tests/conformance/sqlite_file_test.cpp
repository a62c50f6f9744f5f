// The file itself: its one holder, what else may lie there, damage, backups, upkeep.
#include "store/sqlite/sqlite_store.hpp"

#include "conformance/harness.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace pawl::test {
namespace {

class SqliteFile : public testing::Test {
protected:
    Result<std::unique_ptr<Store>> open() { return store::open_sqlite(file, clock); }

    // Runs SQL behind the store's back, while it is closed.
    void exec(const char* sql) const {
        sqlite3* db = nullptr;
        ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
        char* message = nullptr;
        EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, &message), SQLITE_OK) << message;
        sqlite3_free(message);
        sqlite3_close(db);
    }
    std::string pragma(const char* sql) const {
        sqlite3* db = nullptr;
        sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
        sqlite3_stmt* statement = nullptr;
        sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
        std::string text;
        if (sqlite3_step(statement) == SQLITE_ROW)
            text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return text;
    }
    void write_file(const std::string& text) const { std::ofstream(file, std::ios::binary) << text; }
    static Applied run(Store& store, const std::vector<Command>& batch) {
        Applied applied = store.apply(batch).value();
        EXPECT_TRUE(store.flush());
        return applied;
    }

    TempFolder folder;
    std::string file = folder.path() + "/pawl.db";
    ManualClock clock;
};

// ---- one holder --------------------------------------------------------------------------------------------------

TEST_F(SqliteFile, WhatTheSameProcessHeldWhenItsStoreFailedIsHandedBackAndSuspectsNobody) {
    auto store = open().value();
    const Submit task = submit(1);
    run(*store, {task, claim()});
    const std::int32_t epoch = store->epoch();

    store.reset();  // it failed: nothing was closed
    store = store::open_sqlite(file, clock, {.program = "pawl", .create = true, .living_epoch = epoch}).value();
    EXPECT_EQ(store->get(task.id)->state, TaskState::pending);
    EXPECT_EQ(store->get(task.id)->crash_count, 0);

    run(*store, {claim()});
    store.reset();
    store = store::open_sqlite(file, clock, {.program = "pawl", .create = true, .living_epoch = epoch}).value();
    EXPECT_EQ(store->get(task.id)->crash_count, 1) << "it was held by a later opening, so by another process";
}

TEST_F(SqliteFile, ASecondHolderIsRefusedAndToldWhoTheFirstIs) {
    auto store = store::open_sqlite(file, clock, {.program = "pawl worker", .create = true}).value();
    const auto second = open();
    ASSERT_EQ(code_of(second), Errc::store_locked);
    EXPECT_NE(second.error().message.find("pawl worker (pid " + std::to_string(::getpid()) + ")"), std::string::npos)
        << second.error().message;
    const auto holder = store::sqlite_holder(file).value();
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->pid, ::getpid());
    ASSERT_TRUE(store->close());
    EXPECT_FALSE(store::sqlite_holder(file).value());
    EXPECT_TRUE(open()) << "free again though the object still lives";
}

TEST_F(SqliteFile, TheLockIsTheSameThroughAnyName) {
    auto store = open().value();
    const std::string link = folder.path() + "/link.db";
    ASSERT_EQ(::symlink(file.c_str(), link.c_str()), 0);
    EXPECT_EQ(code_of(store::open_sqlite(link, clock)), Errc::store_locked);
    EXPECT_EQ(code_of(store::open_sqlite(folder.path() + "/./pawl.db", clock)), Errc::store_locked);
    EXPECT_EQ(store::sqlite_real_path(link).value(), store::sqlite_real_path(file).value());
}

TEST_F(SqliteFile, AKilledHolderLeavesNoLock) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto store = open();
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->unclean());
}

// ---- what is not a store of ours ---------------------------------------------------------------------------------

TEST_F(SqliteFile, AMissingFileOrFolderIsNotFound) {
    EXPECT_EQ(code_of(store::open_sqlite(file, clock, {.program = "p", .create = false})), Errc::not_found);
    EXPECT_EQ(code_of(store::open_sqlite_reader(file)), Errc::not_found);
    EXPECT_EQ(code_of(store::open_sqlite(folder.path() + "/no/pawl.db", clock)), Errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(file + ".lock"));
}

TEST_F(SqliteFile, AnEmptyFileBecomesAStore) {
    write_file("");
    EXPECT_TRUE(open());
}

TEST_F(SqliteFile, AFileThatIsNoDatabaseIsCorruptAndLeftAlone) {
    const std::string text(5'000, 'x');
    write_file(text);
    EXPECT_EQ(code_of(open()), Errc::store_corrupt);
    EXPECT_EQ(code_of(store::open_sqlite_reader(file)), Errc::store_corrupt);
    std::ifstream in(file, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

TEST_F(SqliteFile, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
    exec("create table users(name text)");
    EXPECT_EQ(code_of(open()), Errc::store_corrupt);
    EXPECT_EQ(code_of(store::open_sqlite_reader(file)), Errc::store_corrupt);
    EXPECT_EQ(pragma("select count(*) from sqlite_master"), "1");
    EXPECT_EQ(pragma("pragma journal_mode"), "delete");
}

TEST_F(SqliteFile, AnInspectionSaysWhatIsWrongWithAFileThatCannotBeOpened) {
    ASSERT_TRUE(open().value()->close());
    EXPECT_EQ(store::inspect_sqlite_file(file).value(), std::vector<std::string>{});
    write_file(std::string(5'000, 'x'));
    EXPECT_EQ(store::inspect_sqlite_file(file).value(), std::vector<std::string>{"the file: file is not a database"});
    EXPECT_EQ(code_of(store::inspect_sqlite_file(file + ".none")), Errc::store_unavailable);
}

TEST_F(SqliteFile, AFileThatNeedsANewerVersionIsRefused) {
    ASSERT_TRUE(open().value()->close());
    exec("update meta set schema = 99, min_writer = 99");
    EXPECT_EQ(code_of(open()), Errc::store_newer);
    EXPECT_TRUE(store::open_sqlite_reader(file)) << "reading is still allowed";
    exec("update meta set min_reader = 99");
    EXPECT_EQ(code_of(store::open_sqlite_reader(file)), Errc::store_newer);
    exec("update meta set min_writer = 1, min_reader = 1");
    EXPECT_TRUE(open()) << "a newer schema that only adds is no hindrance";
}

TEST_F(SqliteFile, AFolderThatCannotBeWrittenIsReadOnly) {
    if (::geteuid() == 0) {
        // Root may write anywhere but where the kernel forbids it.
        EXPECT_EQ(code_of(store::open_sqlite("/sys/kernel/pawl.db", clock)), Errc::store_readonly);
        return;
    }
    ASSERT_EQ(::chmod(folder.path().c_str(), 0500), 0);
    EXPECT_EQ(code_of(open()), Errc::store_readonly);
    ASSERT_EQ(::chmod(folder.path().c_str(), 0700), 0);
}

// ---- damage ------------------------------------------------------------------------------------------------------

TEST_F(SqliteFile, AZeroedPageIsFoundAndNamed) {
    {
        auto store = open().value();
        std::vector<Command> batch;
        for (int i = 1; i <= 500; ++i) batch.push_back(submit(i));
        run(*store, batch);
        ASSERT_TRUE(store->close());
    }
    {
        std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
        damaged.seekp(40 * 4096);
        damaged << std::string(4096, '\0');
    }
    auto reader = store::open_sqlite_reader(file).value();
    EXPECT_FALSE(reader->check().value().empty());
}

TEST_F(SqliteFile, DamageInTheHeaderIsCorruption) {
    ASSERT_TRUE(open().value()->close());
    {
        std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
        damaged.seekp(100);
        damaged << std::string(3'000, '\xff');
    }
    EXPECT_EQ(code_of(open()), Errc::store_corrupt);
}

TEST_F(SqliteFile, TheCheckFindsWhatSqliteCannotSee) {
    ASSERT_TRUE([&] {
        auto store = open().value();
        Submit keyed = submit(1);
        keyed.key = "k";
        keyed.definition = "{}";
        run(*store, {keyed, submit(2)});
        return store->close();
    }());
    struct Damage {
        const char* sql;
        const char* finding;
    };
    for (const Damage& damage : {Damage{"update journal set no = 7 where task = 1", "gap"},
                                 Damage{"update task set line = null where id = 2", "place in the queue"},
                                 Damage{"update blob set refs = 5", "count of references"},
                                 Damage{"delete from task where id = 1", "belongs to no task"},
                                 Damage{"update task set state = 1, line = 3 where id = 2", "without a valid claim"}}) {
        exec(damage.sql);
        std::string all;
        for (const std::string& finding : store::open_sqlite_reader(file).value()->check().value())
            all += finding + "\n";
        EXPECT_NE(all.find(damage.finding), std::string::npos) << damage.sql << "\n" << all;
    }
}

TEST_F(SqliteFile, ATaskThatContradictsItselfStopsTheStoreAndNotTheProcess) {
    for (const char* damage : {"update task set state = 4", "update task set lane = 99", "update task set state = 77",
                               "update task set fence = 1 << 60", "delete from task where id = 1",
                               "update lane set id = 7", "update task set line = 3"}) {
        SCOPED_TRACE(damage);
        for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix);
        Submit keyed = submit(1);
        keyed.key = "k";
        {
            auto store = open().value();
            run(*store, {keyed});
            ASSERT_TRUE(store->close());
        }
        exec(damage);
        Result<std::unique_ptr<Store>> store = open();
        if (!store) {
            EXPECT_EQ(store.error().code, Errc::store_corrupt);
            continue;
        }
        const std::vector<Command> batch{claim(), keyed, [&] {
                                             Submit again = keyed;
                                             again.id = submit(2).id;
                                             return again;
                                         }()};
        EXPECT_EQ(code_of((*store)->apply(batch)), Errc::store_corrupt);
    }
}

TEST_F(SqliteFile, APayloadOfAnUnknownCodecIsLeftToANewerVersion) {
    auto store = open().value();
    run(*store, {submit(1)});
    const ClaimedTask task = answer_of<Claimed>(run(*store, {claim()}), 0).tasks.at(0);
    run(*store, {record(task, {}, {completed_step("a#1", "1")})});
    ASSERT_TRUE(store->close());
    exec("update journal set result = x'02414243' where kind = 43");
    store = open().value();
    const Entry entry = store->journal(task.row.ref, 2, 1).value().at(0);
    EXPECT_EQ(entry.format, 1 | 2 << 8) << "the codec stands in bits 8 to 15";
    EXPECT_EQ(entry.result, "ABC");
}

// ---- settings, backup, upkeep ------------------------------------------------------------------------------------

TEST_F(SqliteFile, TheFileHasTheSettingsThatDurabilityNeeds) {
    auto store = open().value();
    EXPECT_EQ(pragma("pragma journal_mode"), "wal");
    EXPECT_EQ(pragma("pragma page_size"), "4096");
    EXPECT_EQ(pragma("pragma auto_vacuum"), "2") << "incremental";
    EXPECT_EQ(pragma("pragma application_id"), "1348564844");
}

TEST_F(SqliteFile, ABackupIsAStoreOfTheSameTasksTakenWhileInUse) {
    auto store = open().value();
    run(*store, {submit(1), submit(2)});
    const std::string copy = folder.path() + "/copy.db";
    const std::vector<Command> unflushed{submit(3)};
    ASSERT_TRUE(store->apply(unflushed));
    ASSERT_TRUE(store->backup(copy));
    ASSERT_TRUE(store->flush());
    EXPECT_EQ(code_of(store->backup(copy)), Errc::refused) << "it never overwrites";
    EXPECT_EQ(code_of(store->backup(folder.path() + "/no/copy.db")), Errc::bad_input);

    auto copied = store::open_sqlite(copy, clock).value();
    EXPECT_EQ(copied->counts().value()[0], 2) << "what was flushed, and nothing else";
    EXPECT_EQ(copied->check().value(), std::vector<std::string>{});
    EXPECT_EQ(store->counts().value()[0], 3);
    EXPECT_FALSE(std::filesystem::exists(copy + ".part"));
}

TEST_F(SqliteFile, TheLogIsCheckpointedByItsWriterAndNeverTruncated) {
    auto store = open().value();
    const auto log_size = [&] { return std::filesystem::file_size(file + "-wal"); };
    std::uintmax_t largest = 0;
    int upkeeps = 0;
    for (int i = 1; i <= 600; ++i) {
        Submit large = submit(i);
        large.input = "\"" + std::string(16'000, 'x') + "\"";
        run(*store, {large});
        EXPECT_GE(log_size(), largest) << "it never shrinks";
        largest = log_size();
        if (!store->wants_upkeep()) continue;
        ASSERT_TRUE(store->upkeep());
        EXPECT_FALSE(store->wants_upkeep());
        ++upkeeps;
    }
    EXPECT_GE(upkeeps, 2);
    EXPECT_LT(largest, 8u << 20) << "it is written again from its start";
}

TEST_F(SqliteFile, AFlushCheckpointsByItselfWhenNobodyFindsTheTime) {
    auto store = open().value();
    for (int i = 1; i <= 80; ++i) {
        Submit large = submit(i);
        large.input = "\"" + std::string(1'000'000, 'x') + "\"";
        run(*store, {large});
    }
    EXPECT_LT(std::filesystem::file_size(file + "-wal"), 48u << 20);
}

TEST_F(SqliteFile, SpaceOfPurgedTasksIsGivenBack) {
    auto store = open().value();
    for (int i = 1; i <= 40; ++i) {
        Submit large = submit(i);
        large.input = "\"" + std::string(100'000, 'x') + "\"";
        run(*store, {large, operate(large.id, Operate::Verb::cancel)});
    }
    ASSERT_TRUE(store->upkeep());
    const auto before = std::filesystem::file_size(file);
    clock.advance(1s);
    EXPECT_EQ(answer_of<Purged>(run(*store, {Purge{Micros{0}, 100}}), 0).tasks, 40);
    int pieces = 0;
    while (store->wants_upkeep() && ++pieces < 100) ASSERT_TRUE(store->upkeep());
    EXPECT_GT(pieces, 1) << "in pieces, so that nobody waits";
    EXPECT_LT(std::filesystem::file_size(file), before / 4);
}

TEST_F(SqliteFile, AReaderOnAnotherConnectionSeesWhatIsFlushed) {
    auto store = open().value();
    auto reader = store::open_sqlite_reader(file).value();
    run(*store, {submit(1)});
    EXPECT_EQ(reader->counts().value()[0], 1);
    const std::vector<Command> unflushed{submit(2)};
    ASSERT_TRUE(store->apply(unflushed));
    EXPECT_EQ(reader->counts().value()[0], 1);
    ASSERT_TRUE(store->flush());
    EXPECT_EQ(reader->counts().value()[0], 2);
}

}  // namespace
}  // namespace pawl::test
