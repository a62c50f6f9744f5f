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
    store::SqliteOpening last;
    auto store = store::open_sqlite(file, clock, {.last = &last}).value();
    const Submit task = submit(1);
    run(*store, {task, claim()});
    store::SqliteOpening other = last;

    store.reset();  // it failed: nothing was closed
    store = store::open_sqlite(file, clock, {.last = &last}).value();
    EXPECT_EQ(store->get(task.id)->state, TaskState::pending);
    EXPECT_EQ(store->get(task.id)->crash_count, 0);

    run(*store, {claim()});
    store.reset();
    store = store::open_sqlite(file, clock, {.last = &other}).value();
    EXPECT_EQ(store->get(task.id)->crash_count, 1) << "it was held by a later opening, so by another process";
}

TEST_F(SqliteFile, AReopeningMakesNoFileAndTakesNoOtherForItsOwn) {
    store::SqliteOpening last;
    auto store = store::open_sqlite(file, clock, {.last = &last}).value();
    run(*store, {submit(1)});
    const std::string id = last.store_id;
    store.reset();  // it failed
    std::filesystem::rename(file, file + ".away");
    std::filesystem::remove(file + "-wal");
    std::filesystem::remove(file + "-shm");

    EXPECT_EQ(code_of(store::open_sqlite(file, clock, {.last = &last})), Errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(file));

    write_file("");
    EXPECT_EQ(code_of(store::open_sqlite(file, clock, {.last = &last})), Errc::refused);
    EXPECT_EQ(std::filesystem::file_size(file), 0u) << "left alone";

    EXPECT_EQ(code_of(open()), Errc::store_locked) << "the process that will open it anew holds on to it";
    last.lock.reset();
    ASSERT_TRUE(open().value()->close());
    EXPECT_EQ(code_of(store::open_sqlite(file, clock, {.last = &last})), Errc::refused) << "another store";
    EXPECT_EQ(last.store_id, id);

    std::filesystem::rename(file + ".away", file);
    EXPECT_TRUE(store::open_sqlite(file, clock, {.last = &last}));
    EXPECT_EQ(last.store_id, id);
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

TEST_F(SqliteFile, AFileWithASecondNameIsRefused) {
    ASSERT_TRUE(open().value()->close());
    const std::string second = folder.path() + "/second.db";
    std::filesystem::create_hard_link(file, second);
    for (const std::string& name : {file, second}) {
        const auto refused = store::open_sqlite(name, clock);
        ASSERT_EQ(code_of(refused), Errc::refused);
        EXPECT_NE(refused.error().message.find("2 names"), std::string::npos);
    }
    std::filesystem::remove(second);
    EXPECT_TRUE(open());
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

TEST_F(SqliteFile, AStateThatIsNotKnownIsCountedNowhereAndNamedByTheCheck) {
    ASSERT_TRUE([&] {
        auto store = open().value();
        run(*store, {submit(1), submit(2), submit(3)});
        return store->close();
    }());
    exec("update task set state = 9, line = null where id = 2");
    exec("update task set state = -1, line = null where id = 3");

    const auto reader = store::open_sqlite_reader(file).value();
    EXPECT_EQ(reader->counts().value(), (std::vector<std::int64_t>{1, 0, 0, 0, 0, 0, 0}));
    EXPECT_TRUE(reader->list({}));
    EXPECT_TRUE(reader->queues());
    std::string all;
    for (const std::string& finding : reader->check().value()) all += finding + "\n";
    EXPECT_NE(all.find(to_string(submit(2).id) + ": it has a state that is not known"), std::string::npos) << all;
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

TEST_F(SqliteFile, TablesThatContradictEachOtherStopTheStoreAndNotTheProcess) {
    for (const char* damage : {"update task set lane = 99", "update task set fence = 1 << 60",
                               "delete from task where id = 1", "update lane set id = 7"}) {
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

// Three tasks, the second one not as this version can have written it: it is left alone and named, the others go on.
TEST_F(SqliteFile, ATaskThatCannotBeReadIsLeftAloneAndTheOthersGoOn) {
    for (const char* damage :
         {"update task set input = x'0122' where id = 2", "update task set state = 77 where id = 2",
          "update task set state = 4 where id = 2", "update task set state = 1 where id = 2",
          "update task set line = 3 where id = 2", "update task set state = 260, line = 3 where id = 2",
          "update task set line = 2, reason = 22 where id = 2", "update task set error = x'0241' where id = 2",
          "update task set state = 77, due = 1 where id = 2", "update task set state = 4, due = 1 where id = 2",
          "update task set line = 3, expires = 1, state = 77 where id = 2",
          "update task set deadline = 1, reason = 99 where id = 2", "update blob set body = x'017b7d'"}) {
        SCOPED_TRACE(damage);
        for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix);
        Submit second = submit(2);
        second.key = "k";
        second.definition = "{}";
        {
            auto store = open().value();
            run(*store, {submit(1), second, submit(3)});
            ASSERT_TRUE(store->close());
        }
        exec(damage);
        {
            auto store = open().value();
            for (const int expected : {1, 3}) {
                const std::vector<ClaimedTask> claimed = answer_of<Claimed>(run(*store, {claim(1)}), 0).tasks;
                ASSERT_EQ(claimed.size(), 1u);
                EXPECT_EQ(claimed[0].row.id, submit(expected).id);
            }
            const Applied rest = run(*store, {claim(9)});
            EXPECT_TRUE(answer_of<Claimed>(rest, 0).tasks.empty());
            EXPECT_FALSE(rest.more_ready);
            EXPECT_FALSE(rest.next_due) << "what cannot be woken must not make anybody look again and again";
            EXPECT_FALSE(rest.next_deadline);
            // It is named to whoever asks.
            const auto reader = store::open_sqlite_reader(file).value();
            const std::vector<TaskRow> rows = reader->list({}).value();
            ASSERT_EQ(rows.size(), 3u);
            EXPECT_EQ(rows[0].format_min, 1);
            EXPECT_GT(rows[1].format_min, journal_format_max) << "no worker of this version goes on with it";
            std::string findings;
            for (const std::string& finding : reader->check().value()) findings += finding + "\n";
            EXPECT_NE(findings.find(to_string(second.id)), std::string::npos) << findings;
            EXPECT_EQ(findings.find(to_string(submit(1).id)), std::string::npos) << findings;
            // Whatever is asked of it is answered or refused, and stops nothing.
            Submit again = second;
            again.id = submit(4).id;
            run(*store, {operate(second.id, Operate::Verb::kill), again, second, Tick{}, Purge{Micros{0}, 9}});
            ASSERT_TRUE(store->close());
        }
        auto store = open().value();
        EXPECT_GE(answer_of<Claimed>(run(*store, {claim(9)}), 0).tasks.size(), 2u) << "the next opening, too";
    }
}

TEST_F(SqliteFile, AReaderShowsWhatItCannotUnderstandAsSuch) {
    {
        auto store = open().value();
        run(*store, {submit(1)});
        ASSERT_TRUE(store->close());
    }
    exec("update task set state = 9, line = null");
    const auto reader = store::open_sqlite_reader(file).value();
    EXPECT_EQ(reader->counts().value(), std::vector<std::int64_t>(7, 0));
    const Result<TaskRow> row = reader->get(submit(1).id);
    ASSERT_EQ(code_of(row), Errc::store_newer);
    EXPECT_NE(row.error().message.find(to_string(submit(1).id)), std::string::npos);
    EXPECT_EQ(to_string(reader->list({}).value().at(0).state), "unknown");
}

TEST_F(SqliteFile, ANewerVersionTakesWhatAnOlderOneLeftToIt) {
    {
        auto store = open().value();
        run(*store, {submit(1)});
        const ClaimedTask task = answer_of<Claimed>(run(*store, {claim()}), 0).tasks.at(0);
        run(*store, {record(task, HandBack{journal_format_max + 1})});
        ASSERT_TRUE(store->close());
    }
    EXPECT_TRUE(answer_of<Claimed>(run(*open().value(), {claim()}), 0).tasks.empty());
    exec("update task set format_min = 1");  // the same as a binary that knows more
    EXPECT_EQ(answer_of<Claimed>(run(*open().value(), {claim()}), 0).tasks.size(), 1u);
}

TEST_F(SqliteFile, NumbersOfLanesMayHaveGaps) {
    {
        auto store = open().value();
        run(*store, {submit(1), submit(2, "print")});
        ASSERT_TRUE(store->close());
    }
    exec("update lane set id = id + 5; update task set lane = lane + 5");
    auto store = open().value();
    run(*store, {submit(3, "fax")});
    for (const char* type : {"mail", "print", "fax"})
        EXPECT_EQ(answer_of<Claimed>(run(*store, {claim(9, type)}), 0).tasks.size(), 1u) << type;
}

TEST_F(SqliteFile, JournalsOfPurgedTasksAreClearedAwayToTheLastEntry) {
    auto store = open().value();
    for (int i = 1; i <= 2; ++i) {
        run(*store, {submit(i)});
        const ClaimedTask task = answer_of<Claimed>(run(*store, {claim()}), 0).tasks.at(0);
        run(*store, {record(task, Complete{"1"}, std::vector<EntryDraft>(5'000, completed_step("a#1")))});
    }
    clock.advance(1s);
    int asked = 1;
    while (answer_of<Purged>(run(*store, {Purge{Micros{0}, 256}}), 0).more) ASSERT_LT(++asked, 9);
    EXPECT_GT(asked, 1) << "in pieces";
    EXPECT_EQ(pragma("select count(*) from journal"), "0");
    EXPECT_EQ(pragma("select count(*) from leftover"), "0");
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
