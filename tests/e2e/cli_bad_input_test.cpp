// Bad input at the command line: a clear error with what to do, the documented exit code, nothing stored or lost, and
// the next command works.
#include "e2e/cli.hpp"

#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace pawl::e2e {
namespace {

struct BadSubmit {
    const char* name;
    std::vector<std::string> arguments;
    const char* part;
};

class CliBadSubmit : public CliTest, public testing::WithParamInterface<BadSubmit> {};

TEST_P(CliBadSubmit, IsRefusedAndStoresNothing) {
    submit({"echo", "\"first\"", "--key", "taken"});
    std::vector<std::string> verb = GetParam().arguments;
    verb.insert(verb.begin(), "submit");
    const auto done = pawl(verb);
    expect_refused(done, 2, GetParam().part);
    EXPECT_EQ(done.err.find("submit t_"), std::string::npos) << "the id of a task that never was";
    EXPECT_EQ(tasks(), 1u);
    submit({"echo"});
}

INSTANTIATE_TEST_SUITE_P(
    All, CliBadSubmit,
    testing::Values(BadSubmit{"TypeMissing", {}, "TYPE is missing"}, BadSubmit{"TypeEmpty", {""}, "type is empty"},
                    BadSubmit{"TypeMalformed", {"no good"}, "type \"no good\" is malformed"},
                    BadSubmit{"TypeTooLong", {std::string(129, 'x')}, "too long"},
                    BadSubmit{"InvalidJson", {"echo", "{\"a\":}"}, "input: "},
                    BadSubmit{"BareText", {"echo", "hello"}, "a text goes in quotes"},
                    BadSubmit{"TwoValues", {"echo", "1 2"}, "input: "},
                    BadSubmit{"DoubleKeys", {"echo", "{\"a\":1,\"a\":2}"}, "input: "},
                    BadSubmit{"NotANumber", {"echo", "NaN"}, "input: "},
                    BadSubmit{"NumberBeyondDouble", {"echo", "1e400"}, "input: "},
                    BadSubmit{"InvalidUtf8", {"echo", "\"\xff\""}, "input: "},
                    BadSubmit{"LoneSurrogate", {"echo", R"("\ud800")"}, "input: "},
                    BadSubmit{"Depth65", {"echo", std::string(65, '[') + std::string(65, ']')}, "64"},
                    BadSubmit{"Depth100000", {"echo", std::string(100'000, '[')}, "64"},
                    BadSubmit{"KeyReused", {"echo", "\"second\"", "--key", "taken"}, "taken"},
                    BadSubmit{"KeyEmpty", {"echo", "1", "--key", ""}, "key: is empty"},
                    BadSubmit{"KeyControl", {"echo", "1", "--key", "a\nb"}, "control character"},
                    BadSubmit{"KeyTooLong", {"echo", "1", "--key", std::string(256, 'k')}, "too long"},
                    BadSubmit{"KeyInvalidUtf8", {"echo", "1", "--key", "\xff"}, "not UTF-8"},
                    BadSubmit{"DeadlinePast", {"echo", "1", "--deadline", "2001-01-01T00:00:00Z"}, "in the past"},
                    BadSubmit{"DeadlineZero", {"echo", "1", "--deadline", "0s"}, "in the past"},
                    BadSubmit{"DeadlineNegative", {"echo", "1", "--deadline", "-5s"}, "deadline"},
                    BadSubmit{"DeadlineHuge", {"echo", "1", "--deadline", "1000000000000000000s"}, "deadline"},
                    BadSubmit{"DelayNoUnit", {"echo", "1", "--delay", "5"}, "delay"},
                    BadSubmit{"AttemptsTooMany", {"echo", "1", "--max-attempts", "1001"}, "0 to 1,000"},
                    BadSubmit{"AttemptsNegative", {"echo", "1", "--max-attempts", "-1"}, "0 to 1,000"},
                    BadSubmit{"AttemptsUnlimited", {"echo", "1", "--max-attempts", "0"}, "needs a deadline"},
                    BadSubmit{"AttemptsNotANumber", {"echo", "1", "--max-attempts", "many"}, "max-attempts"},
                    BadSubmit{"DelayNegative", {"echo", "1", "--delay", "-1s"}, "delay"},
                    BadSubmit{"PriorityTooHigh", {"echo", "1", "--priority", "101"}, "-100 to 100"},
                    BadSubmit{"QueueMalformed", {"echo", "1", "--queue", "a b"}, "queue"},
                    BadSubmit{"BulkAndType", {"echo", "--bulk", "x"}, "also what TYPE says"},
                    BadSubmit{"BulkAndQueue", {"--bulk", "x", "--queue", "q"}, "also what --queue says"},
                    BadSubmit{"BulkAndMore",
                              {"--bulk", "x", "--tag", "t", "--deadline", "5s", "--priority", "1"},
                              "also what --priority, --deadline, --tag says"}),
    [](const auto& test) { return std::string(test.param.name); });

class CliBadInput : public CliTest {};

TEST_F(CliBadInput, ARawNulByteIsRefusedAnEscapedOneIsData) {
    using std::string_literals::operator""s;
    expect_refused(pawl({"submit", "echo", "-"}, "\"a\0b\""s), 2, "input: ");
    const auto done = pawl({"submit", "echo", "-"}, R"("a\u0000b")");
    ASSERT_EQ(done.exit, 0) << done.err;
    EXPECT_NE(pawl({"get", done.out.substr(0, 28)}).out.find(R"("a\u0000b")"), std::string::npos);
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliBadInput, TextThatIsNotUtf8IsRefusedByEveryVerbAndChangesNothing) {
    const std::string id = submit({"echo"});
    const std::string bad = "a\xff";
    write("agent.toml", "name = \"a\"\nmodel = \"m\"\n");
    const std::vector<std::vector<std::string>> verbs{{"submit", bad},
                                                      {"submit", "echo", "1", "--flow-key", bad},
                                                      {"submit", "echo", "1", "--tag", "good", "--tag", bad},
                                                      {"run", "--agent", path("agent.toml"), bad},
                                                      {"run", "--agent", path("agent.toml"), "x", "--key", bad},
                                                      {"cancel", id, "--request-id", bad},
                                                      {"kill", id, "--request-id", bad},
                                                      {"pause", id, "--reason", bad},
                                                      {"resolve", id, bad, "--happened"},
                                                      {"retry", id, "--deadline", bad},
                                                      {"list", "--tag", bad},
                                                      {"events", "--after", bad},
                                                      {"get", bad},
                                                      {"queue", "set", bad, "--pause"},
                                                      {"worker", "--queues", bad},
                                                      {"backup", path(bad)}};
    for (const auto& verb : verbs) expect_refused(pawl(verb), 2, "not UTF-8");
    EXPECT_EQ(tasks(), 1u);
    EXPECT_EQ(json({"get", id}).at("state").as_string(), "pending");
    EXPECT_EQ(json({"queue", "list"}).at("queues").as_array().size(), 1u);
    EXPECT_EQ(json({"get", id}).at("last_entry").as_int64(), 1);
}

TEST_F(CliBadInput, AnInputOverTheLimitIsRefused) {
    submit({"echo"});
    expect_refused(pawl({"submit", "echo", "-"}, "\"" + std::string(1u << 20, 'x') + "\""), 2, "input");
    expect_refused(pawl({"submit", "echo", "-"}, std::string(8u << 20, ' ')), 2, "longer than");
    EXPECT_EQ(tasks(), 1u);
}

// Each control character of the output stands as six in JSON.
TEST_F(CliBadInput, AResultOverTheLimitFailsItsTaskWithAClearError) {
    const std::string id =
        submit({"command", R"({"argv": ["/bin/sh", "-c", "head -c 262144 /dev/zero | tr '\\000' '\\001'"]})"});
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
    const auto result = pawl({"result", id, "--json"});
    EXPECT_EQ(result.exit, 1) << result.err;
    EXPECT_NE((result.out + result.err).find("too_large"), std::string::npos) << result.out << result.err;
    EXPECT_NE(pawl({"result", id}).err.find("1 MiB"), std::string::npos) << pawl({"result", id}).err;
    submit({"echo"});
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
}

TEST_F(CliBadInput, AnEscapedNulIsRefusedInAKeyAndKeptInTheInput) {
    write("many", R"({"type": "echo", "input": "a\u0000b", "key": "good"}
{"type": "echo", "input": 1, "key": "a\u0000b"}
)");
    const auto done = pawl({"submit", "--bulk", path("many")});
    EXPECT_EQ(done.exit, 2) << done.err;
    EXPECT_NE(done.err.find("key"), std::string::npos) << done.err;
    const auto list = json({"list"});
    for (const auto& task : list.at("tasks").as_array())
        EXPECT_EQ(task.at("key").as_string(), "good") << "a key with a NUL was stored";
}

TEST_F(CliBadInput, AWellFormedTypeThatNobodyServesIsKept) {
    const std::string id = submit({"nobody-serves-it"});
    EXPECT_EQ(json({"why", id}).at("reason").as_string(), "no_worker");
}

TEST_F(CliBadInput, AnIdThatDoesNotExistIsNotFound) {
    submit({"echo"});
    for (const char* id : {"t_00000000000000000000000000", "../..", "u", "%00", "'; drop table task; --", ""}) {
        for (const char* verb : {"get", "why", "result", "events", "cancel", "kill", "pause", "resume", "retry"}) {
            EXPECT_EQ(pawl({verb, id}).exit, 3) << verb << " " << id;
        }
    }
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliBadInput, AnAmbiguousIdListsTheTasks) {
    const std::string one = submit({"echo"});
    const std::string two = submit({"echo"});
    const auto done = pawl({"get", one.substr(0, 5)});
    expect_refused(done, 2, one);
    expect_refused(done, 2, two);
}

// ---- stores --------------------------------------------------------------------------------------------------------

TEST_F(CliBadInput, AFolderThatIsMissingIsNotFound) {
    expect_refused(test::run({PAWL_BINARY, "--db", path("none/pawl.db"), "submit", "echo"}), 3, "folder");
}

TEST_F(CliBadInput, AFolderInPlaceOfTheFileIsRefused) {
    ::mkdir(path("folder").c_str(), 0700);
    for (const char* verb : {"submit", "list", "worker"}) {
        std::vector<std::string> all{PAWL_BINARY, "--db", path("folder"), verb};
        if (verb == std::string("submit")) all.emplace_back("echo");
        expect_refused(test::run(all), 2, "it is a folder");
    }
    expect_refused(test::run({PAWL_BINARY, "--db", "", "list"}), 2, "--db is empty");
    EXPECT_FALSE(std::filesystem::exists(path("folder.lock")));
}

TEST_F(CliBadInput, ABackupIntoAFolderThatIsMissingIsRefused) {
    submit({"echo"});
    const auto done = pawl({"backup", path("none/copy.db")});
    expect_refused(done, 2, "its folder does not exist; nothing was copied");
    EXPECT_EQ(done.err.find("unknown"), std::string::npos) << done.err;
    EXPECT_EQ(pawl({"backup", path("")}).exit, 2) << "a folder";
}

TEST_F(CliBadInput, AFolderThatWeMayNotLookIntoIsNotMissing) {
    if (::getuid() != 0) GTEST_SKIP() << "needs the right to become another user";
    const test::TempFolder open_to_all;
    ::chmod(open_to_all.path().c_str(), 0755);
    const std::string closed = open_to_all.path() + "/closed", program = open_to_all.path() + "/pawl";
    ::mkdir(closed.c_str(), 0700);
    std::filesystem::copy_file(PAWL_BINARY, program);
    const auto done =
        test::run({"setpriv", "--reuid=65534", "--clear-groups", program, "--db", closed + "/x.db", "list"});
    expect_refused(done, 9, "Permission denied");
}

TEST_F(CliBadInput, AFileWhereNothingMayBeWrittenIsReadWhenItWasClosedInGoodOrder) {
    if (::getuid() != 0) GTEST_SKIP() << "needs the right to become another user";
    const test::TempFolder open_to_all;
    ::chmod(open_to_all.path().c_str(), 0755);
    const std::string store = open_to_all.path() + "/x #1.db", program = open_to_all.path() + "/pawl";
    std::filesystem::copy_file(PAWL_BINARY, program);
    ASSERT_EQ(test::run({program, "--db", store, "submit", "echo", "1"}).exit, 0);
    const auto as_nobody = [&](std::vector<std::string> verb) {
        verb.insert(verb.begin(),
                    {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--db", store});
        return test::run(verb);
    };
    const auto listed = as_nobody({"list", "--json"});
    EXPECT_EQ(listed.exit, 0) << listed.err;
    EXPECT_EQ(parse(listed.out).at("tasks").as_array().size(), 1u);
    expect_refused(as_nobody({"submit", "echo"}), 9, "Permission denied");
    expect_refused(as_nobody({"backup", open_to_all.path() + "/copy.db"}), 9, "Permission denied); nothing was copied");

    ASSERT_EQ(::chmod((store + ".lock").c_str(), 0600), 0);
    expect_refused(as_nobody({"list"}), 9, "whether a process holds the file cannot be told");
    ASSERT_EQ(::chmod((store + ".lock").c_str(), 0644), 0);
    std::ofstream(store + "-wal") << "what a crash left";
    expect_refused(as_nobody({"list"}), 9, "its newest part is still in " + store + "-wal; nothing was read");
    EXPECT_EQ(as_nobody({"list"}).err.find("unknown"), std::string::npos);
}

TEST_F(CliBadInput, AFileThatIsNoDatabaseIsLeftAlone) {
    const std::string text(20'000, 'x');
    write("pawl.db", text);
    expect_refused(pawl({"list"}), 9, "`pawl --db " + file() + " doctor` says what is wrong");
    EXPECT_NE(pawl({"doctor"}).out.find("the file: file is not a database"), std::string::npos);
    const auto report = json({"doctor"}, 9);
    EXPECT_FALSE(report.at("ok").as_bool());
    EXPECT_EQ(report.at("findings").as_array().size(), 1u);
    EXPECT_TRUE(report.at("tasks").is_null());
    const auto done = pawl({"submit", "echo"});
    expect_refused(done, 9, "pawl.db");
    std::ifstream in(file());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

TEST_F(CliBadInput, ADamagedFileIsReported) {
    for (int i = 0; i < 50; ++i) submit({"echo", "\"" + std::string(2'000, 'x') + "\""});
    pawl({"doctor"});
    {
        // Page 3 and on: the first page still says that it is ours.
        std::fstream raw(file(), std::ios::in | std::ios::out | std::ios::binary);
        raw.seekp(2 * 4'096);
        const std::string garbage(100'000, '\x5a');
        raw.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
    }
    std::filesystem::remove(file() + "-wal");
    std::filesystem::remove(file() + "-shm");
    const auto doctor = pawl({"doctor"});
    EXPECT_EQ(doctor.exit, 9) << doctor.out << doctor.err;
    EXPECT_NE(doctor.out.find("store   damaged"), std::string::npos) << doctor.out;
    const auto report = json({"doctor"}, 9);
    EXPECT_FALSE(report.at("ok").as_bool());
    EXPECT_FALSE(report.at("findings").as_array().empty());
    EXPECT_EQ(pawl({"list"}).exit, 9);
    EXPECT_EQ(pawl({"submit", "echo"}).exit, 9);
}

TEST_F(CliBadInput, AWorkerEndsOnAFileWhosePagesAreDamaged) {
    std::string lines;
    for (int i = 0; i < 20'000; ++i) lines += R"({"type":"echo","input":)" + std::to_string(i) + "}\n";
    write("bulk.jsonl", lines);
    ASSERT_EQ(pawl({"submit", "--bulk", path("bulk.jsonl")}).exit, 0);
    {
        // In its middle: it opens, and the damage is met by the work.
        const auto middle = std::filesystem::file_size(file()) / 8'192 * 4'096;
        std::fstream raw(file(), std::ios::in | std::ios::out | std::ios::binary);
        raw.seekp(static_cast<std::streamoff>(middle));
        const std::string garbage(12'288, '\x55');
        raw.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
    }
    const auto done = pawl({"worker", "--until-idle"});
    EXPECT_EQ(done.exit, 9) << done.err;
    EXPECT_NE(done.err.find("pawl --db " + file() + " doctor"), std::string::npos) << done.err;
}

TEST_F(CliBadInput, AFileOfANewerVersionIsRefused) {
    submit({"echo"});
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(
        sqlite3_exec(db, "update meta set schema = 999, min_reader = 999, min_writer = 999", nullptr, nullptr, nullptr),
        SQLITE_OK);
    sqlite3_close(db);
    for (const char* verb : {"list", "doctor"}) expect_refused(pawl({verb}), 9, "newer");
    expect_refused(pawl({"submit", "echo"}), 9, "newer");
}

TEST_F(CliBadInput, ADatabaseOfAnotherProgramIsLeftAlone) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, "create table t(x); insert into t values(7)", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    for (const char* verb : {"submit", "list"}) {
        const auto done = pawl({verb, verb == std::string("submit") ? "echo" : "--json"});
        expect_refused(done, 9, "database of another program");
        EXPECT_EQ(done.err.find(" why "), std::string::npos) << done.err;
    }
    EXPECT_NE(pawl({"doctor"}).out.find("database of another program"), std::string::npos);
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, "select x from t", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_NE(sqlite3_exec(db, "select * from task", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
}

// A small disk of its own; needs root, as in the container that CI runs in.
class CliDisk : public CliTest {
protected:
    void mount_disk(const char* options) {
        disk_ = path("disk");
        ::mkdir(disk_.c_str(), 0700);
        mounted_ = ::mount("tmpfs", disk_.c_str(), "tmpfs", 0, options) == 0;
    }
    ~CliDisk() override {
        if (mounted_) ::umount2(disk_.c_str(), MNT_DETACH);
    }
    test::ProcessResult on_disk(std::vector<std::string> verb, const std::string& input = {}) const {
        verb.insert(verb.begin(), {PAWL_BINARY, "--db", disk_ + "/pawl.db"});
        return test::run(verb, input);
    }
    std::string disk_;
    bool mounted_ = false;
};

TEST_F(CliDisk, AFullDiskRefusesAndLosesNothing) {
    mount_disk("size=1m");
    if (!mounted_) GTEST_SKIP() << "needs the right to mount a small disk";
    const std::string input = "\"" + std::string(60'000, 'x') + "\"";
    int stored = 0;
    test::ProcessResult done;
    while ((done = on_disk({"submit", "echo", "-"}, input)).exit == 0) ASSERT_LT(++stored, 100);
    EXPECT_GT(stored, 3);
    expect_refused(done, 9, "space");
    EXPECT_EQ(on_disk({"submit", "echo", "-", "--json"}, input).err.find("\"code\":\"disk_full\"") == std::string::npos,
              false);

    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    const auto doctor = on_disk({"doctor", "--json"});
    EXPECT_EQ(parse(doctor.out).at("tasks").at("pending").as_int64(), stored) << doctor.err;
    EXPECT_EQ(on_disk({"submit", "echo", "-"}, input).exit, 0);
}

TEST_F(CliDisk, AReadOnlyDiskRefusesWrites) {
    mount_disk("size=8m");
    if (!mounted_) GTEST_SKIP() << "needs the right to mount a small disk";
    ASSERT_EQ(on_disk({"submit", "echo"}).exit, 0);
    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m"), 0);
    expect_refused(on_disk({"submit", "echo"}), 9, "writable");
    EXPECT_EQ(on_disk({"list", "-o", "jsonl"}).exit, 0) << "it was closed in good order: it can be read";
    EXPECT_EQ(on_disk({"doctor"}).exit, 0);
    EXPECT_EQ(on_disk({"backup", path("copy.db")}).exit, 0);
    expect_refused(on_disk({"backup", disk_ + "/copy.db"}), 9, "Read-only file system); nothing was copied");
    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    EXPECT_EQ(on_disk({"submit", "echo"}).exit, 0);
}

}  // namespace
}  // namespace pawl::e2e
