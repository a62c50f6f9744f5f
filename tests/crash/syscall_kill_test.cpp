// SIGKILL at every call that changes a file, before it and after it, one after the other until a run needs fewer:
// whatever a process was doing, nothing that it acknowledged is lost and no step that it recorded runs again.
#include "core/step_key.hpp"
#include "core/task_id.hpp"
#include "e2e/cli.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/storage_kill.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

namespace pawl::crash {
namespace {

namespace fs = std::filesystem;

using core::EntryKind;
using test::KillPoint;
using test::StorageRun;

constexpr const char* start_value = "100";
constexpr const char* sum_of_all = "123";  // 1 + 2 + 3 + 4 + 2 (the number of an attempt) + 5 + 6
constexpr std::size_t steps_of_a_task = 7;
constexpr int shards = 4;  // of one scenario, so that tests run beside each other

// The parameter is the first point; the next one is `shards` further.
class SyscallKill : public e2e::CliTest, public testing::WithParamInterface<int> {
protected:
    SyscallKill() : CliTest(InMemory()) {}
    void SetUp() override {
        std::string reason;
        if (!test::can_trace(reason)) GTEST_SKIP() << reason;
    }

    std::vector<std::string> program(std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {CRASH_PROGRAM, "--db", file()});
        return verb;
    }
    test::Surroundings surroundings() const { return {{"PAWL_LEDGER=" + ledger_path()}, {}}; }
    // Not below the watched folder: what the steps leave is no storage call of ours.
    std::string ledger_path() const { return outside_.path() + "/ledger"; }
    std::string watched() const { return path(""); }

    StorageRun killed(const std::vector<std::string>& argv, KillPoint point) const {
        return test::run_killed(argv, watched(), point, surroundings());
    }
    void work_to_the_end(const std::string& id) const {
        const auto worked = test::run(program({"run", "--task", id}), {}, surroundings());
        ASSERT_EQ(worked.exit, 0) << worked.err;
    }

    /// Every point from the parameter on: `prepare` makes the state before, `attempt` is killed, `judge` looks.
    template <class Prepare, class Judge>
    void at_every_point(const Prepare& prepare, const std::vector<std::string>& argv, const Judge& judge) {
        int points = 0;
        for (int n = GetParam(); !HasFatalFailure() && !IsSkipped(); n += shards) {
            clear();
            prepare();
            const StorageRun run = killed(argv, KillPoint::nth(n));
            ASSERT_TRUE(run.was_killed || run.process.exit == 0) << run.process.exit << " " << run.process.out;
            const testing::ScopedTrace trace(__FILE__, __LINE__, run.where);
            judge(run);
            if (!run.was_killed) break;
            points++;
        }
        EXPECT_GT(points, 5) << "the process was hardly killed at all";
    }
    void clear() const {
        for (const auto& entry : fs::directory_iterator(watched())) fs::remove_all(entry.path());
        fs::remove(ledger_path());
    }

    void keep_as_template() {
        template_ = std::unique_ptr<test::TempFolder>(new test::TempFolder(test::TempFolder::in_memory()));
        copy_files(watched(), template_->path());
    }
    void copy_template() const { copy_files(template_->path(), watched()); }
    // A socket that a dead process left cannot be copied, and stands for nothing.
    static void copy_files(const fs::path& from, const fs::path& to) {
        for (const auto& entry : fs::directory_iterator(from))
            if (entry.is_regular_file()) fs::copy_file(entry.path(), to / entry.path().filename());
    }

    void expect_sound() const {
        const auto doctor = pawl({"doctor"});
        EXPECT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
    }

    std::map<std::string, int> executions() const {  // by step key
        std::map<std::string, int> out;
        std::ifstream in(ledger_path());
        for (std::string step, key; in >> step >> key;) out[key]++;
        return out;
    }
    std::vector<core::Entry> journal(core::TaskRef task) const {
        auto reader = store::open_sqlite_reader(file());
        if (!reader) return {};
        auto entries = (*reader)->journal(task, 0, 10'000);
        return entries ? std::move(*entries) : std::vector<core::Entry>();
    }
    /// Keys of the steps whose result is on disk.
    std::set<std::string> recorded(const std::vector<std::string>& ids) const {
        std::set<std::string> keys;
        for (const std::string& id : ids)
            for (const core::Entry& entry : journal_of(id))
                if (entry.kind == EntryKind::step_completed) keys.insert(key_of(id, entry.path));
        return keys;
    }
    std::vector<core::Entry> journal_of(const std::string& id) const {
        const auto reader = store::open_sqlite_reader(file());
        const auto row = reader ? (*reader)->get(task_id(id)) : reader.error();
        return row ? journal(row->ref) : std::vector<core::Entry>();
    }
    static core::TaskId task_id(const std::string& id) { return *core::parse_task_id(id); }
    static std::string key_of(const std::string& id, const std::string& path) {
        return core::step_key(task_id(id), path, 0);
    }

    void expect_no_gap(const std::string& id) const {
        int no = 0;
        for (const core::Entry& entry : journal_of(id)) EXPECT_EQ(entry.no, ++no) << id;
        EXPECT_GT(no, 0) << id;
    }
    void expect_completed(const std::string& id) const {
        const auto reader = store::open_sqlite_reader(file());
        const auto row = reader ? (*reader)->get(task_id(id)) : reader.error();
        ASSERT_TRUE(row) << row.error().message;
        EXPECT_EQ(row->state, TaskState::completed) << pawl({"events", id}).out;
        EXPECT_EQ(row->output, sum_of_all);
        expect_no_gap(id);
    }
    void expect_tasks(std::int64_t count) const {
        const auto reader = store::open_sqlite_reader(file());
        const auto counts = reader ? (*reader)->counts() : reader.error();
        ASSERT_TRUE(counts) << counts.error().message;
        EXPECT_EQ(std::accumulate(counts->begin(), counts->end(), std::int64_t{0}), count);
    }

    /// What must hold after the kill, and again after the work went on to its end.
    void expect_work_goes_on(const std::vector<std::string>& ids) const {
        expect_sound();
        const auto finished = recorded(ids);
        const auto before = executions();
        for (const std::string& id : ids) work_to_the_end(id);
        const auto after = executions();
        for (const std::string& key : finished) {
            ASSERT_TRUE(before.contains(key)) << "recorded, but it never ran";
            EXPECT_EQ(before.at(key), after.at(key)) << "a recorded step was executed again";
        }
        for (const std::string& id : ids) {
            expect_completed(id);
            EXPECT_EQ(after.at(key_of(id, "once#1")), 1) << "the once step";
        }
        EXPECT_EQ(after.size(), ids.size() * steps_of_a_task);
        const auto reader = store::open_sqlite_reader(file());
        const auto findings = reader ? (*reader)->check() : reader.error();
        ASSERT_TRUE(findings) << findings.error().message;
        EXPECT_TRUE(findings->empty()) << findings->front();
    }

    std::string submit_steps(const std::string& key = {}) const {
        if (key.empty()) return submit({"steps", start_value});
        return submit({"steps", start_value, "--key", key});
    }
    static void expect_acknowledged(const std::string& id, const StorageRun& run) {
        const std::string told = acknowledged(run);
        if (told.empty()) return;
        EXPECT_EQ(id, told) << "the task that was acknowledged is gone";
    }
    /// What the killed process had answered.
    static std::string acknowledged(const StorageRun& run) {
        const std::string line = run.process.out.substr(0, run.process.out.find('\n'));
        return line.starts_with("t_") ? line : std::string();
    }

private:
    test::TempFolder outside_ = test::TempFolder::in_memory();
    std::unique_ptr<test::TempFolder> template_;
};

TEST_P(SyscallKill, SubmitToANewFileLosesNothingAcknowledged) {
    at_every_point([] {}, words({"submit", "steps", start_value, "--key", "k"}),
                   [this](const StorageRun& run) {
                       if (fs::exists(file()) && fs::file_size(file()) > 0 && !journal(1).empty()) expect_sound();
                       const std::string id = submit_steps("k");
                       expect_acknowledged(id, run);
                       expect_work_goes_on({id});
                       expect_tasks(1);
                   });
}

TEST_P(SyscallKill, SubmitToAFileThatACrashLeftLosesNothingAcknowledged) {
    const std::string old = submit_steps();
    {
        test::Background holder(words({"worker"}));  // it has no such type: it only holds the file
        ASSERT_NE(holder.wait_for_line("working"), "");
        ASSERT_EQ(submit_steps("held").empty(), false);
    }
    const std::string held = submit_steps("held");
    keep_as_template();
    const auto prepare = [this] { copy_template(); };
    at_every_point(prepare, words({"submit", "steps", start_value, "--key", "k"}), [&](const StorageRun& run) {
        expect_sound();
        const std::string id = submit_steps("k");
        expect_acknowledged(id, run);
        expect_work_goes_on({old, held, id});
        expect_tasks(3);
    });
}

// From the claim over each step and the end of the task to the last checkpoint, when the file is closed.
TEST_P(SyscallKill, WorkGoesOnAndRepeatsNoRecordedStep) {
    const std::vector<std::string> ids{submit_steps(), submit_steps()};
    keep_as_template();
    const auto prepare = [this] { copy_template(); };
    at_every_point(prepare, program({"run", "--task", ids.front()}),
                   [&](const StorageRun&) { expect_work_goes_on(ids); });
}

TEST_P(SyscallKill, BackupIsWholeOrAbsentAndTheFileIsSound) {
    const std::string id = submit_steps();
    keep_as_template();
    const auto prepare = [this] { copy_template(); };
    const std::string copy = path("copy.db");
    at_every_point(prepare, words({"backup", copy}), [&](const StorageRun& run) {
        expect_sound();
        if (run.was_killed && !fs::exists(copy)) return;
        const auto doctor = test::run({PAWL_BINARY, "--db", copy, "doctor"});
        EXPECT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
        EXPECT_EQ(test::run({PAWL_BINARY, "--db", copy, "get", id}).exit, 0);
    });
}

INSTANTIATE_TEST_SUITE_P(Shard, SyscallKill, testing::Range(0, shards),
                         [](const auto& shard) { return std::to_string(shard.param); });

// ---- a checkpoint of a log that is large enough to need one ---------------------------------------------------------

class CheckpointKill : public SyscallKill {
protected:
    /// More pages in the log than the threshold, and its process dead.
    void make_large_log() {
        std::string lines;
        const std::string input = "\"" + std::string(40'000, 'x') + "\"";
        for (int i = 0; i < 150; i++) lines += R"({"type": "nobody-serves-it", "input": )" + input + "}\n";
        write("many", lines);
        id_ = submit_steps();
        keep_as_template();
        const auto argv = words({"submit", "--bulk", path("many")});
        const StorageRun whole = killed(argv, {});
        ASSERT_EQ(whole.process.exit, 0) << whole.process.out;
        // Killed when the file is closed: all is in the log, and nothing of it in the file.
        const auto is_log = [](const auto& call) { return call.name == "pwrite64" && call.file == "pawl.db-wal"; };
        const auto last = std::ranges::find_if(whole.calls.rbegin(), whole.calls.rend(), is_log);
        ASSERT_NE(last, whole.calls.rend());
        clear();
        copy_template();
        ASSERT_TRUE(killed(argv, {last->number + 1, true}).was_killed);
        ASSERT_GT(fs::file_size(file() + "-wal"), 4u << 20);
        fs::remove(path("many"));
    }
    static bool is_page(const test::StorageCall& call) { return call.name == "pwrite64" && call.file == "pawl.db"; }
    /// The calls of the checkpoint and those around it; of the pages between the first and the last only some: one is
    /// as the other.
    static std::vector<int> points(const StorageRun& whole) {
        constexpr int stride = 101, around = 4;
        const auto first = std::ranges::find_if(whole.calls, is_page);
        const auto last = std::ranges::find_if(whole.calls.rbegin(), whole.calls.rend(), is_page);
        std::vector<int> out;
        for (const test::StorageCall& call : whole.calls) {
            const bool is_inner = call.number > first->number + 2 && call.number < last->number - 2;
            const bool is_near = call.number >= first->number - around && call.number <= last->number + around;
            if (is_near && (!is_inner || !is_page(call) || call.number % stride == 0)) out.push_back(call.number);
        }
        return out;
    }
    static auto pages_written(const StorageRun& run) { return std::ranges::count_if(run.calls, is_page); }
    std::string id_;
};

TEST_P(CheckpointKill, LosesNothing) {
    make_large_log();
    if (HasFatalFailure()) return;
    keep_as_template();
    const auto argv = program({"worker", "--until-idle"});
    clear();
    copy_template();
    const StorageRun whole = killed(argv, {});
    ASSERT_EQ(whole.process.exit, 0) << whole.process.out;
    ASSERT_GT(pages_written(whole), 1'000) << "no checkpoint was needed";

    const std::vector<int> all = points(whole);
    for (std::size_t i = static_cast<std::size_t>(GetParam()); i < all.size() * 2 && !HasFatalFailure(); i += shards) {
        clear();
        copy_template();
        const StorageRun run = killed(argv, {all[i / 2], i % 2 == 1});
        const testing::ScopedTrace trace(__FILE__, __LINE__, run.where);
        expect_work_goes_on({id_});
        expect_tasks(151);
    }
}

INSTANTIATE_TEST_SUITE_P(Shard, CheckpointKill, testing::Range(0, shards),
                         [](const auto& shard) { return std::to_string(shard.param); });

}  // namespace
}  // namespace pawl::crash
