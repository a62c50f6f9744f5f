// Power loss: an ext4 file system on a loop device is shut down by the ioctl that drops everything not flushed, while a
// worker and many submitters use it. A process that is only killed leaves its writes in the page cache; here what was
// not flushed is gone.
#include "core/step_key.hpp"
#include "core/task_id.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pawl::crash {
namespace {

using core::EntryKind;

/// A disk in a file, whose power can be cut.
class Disk {
public:
    ~Disk() {
        if (mounted_) ::umount2(folder().c_str(), MNT_DETACH);
    }
    std::string folder() const { return folder_.path() + "/disk"; }

    /// Why there is no such disk here, or nothing.
    std::string make() {
        if (::geteuid() != 0) return "mounting a disk to cut its power needs root";
        if (!test::is_installed("mkfs.ext4")) return "mkfs.ext4 is not installed";
        ::mkdir(folder().c_str(), 0700);
        std::ofstream(image()).close();
        if (::truncate(image().c_str(), 96 << 20) != 0) return "no room for the image of a disk";
        if (const auto made = test::run({"mkfs.ext4", "-q", "-F", image()}); made.exit != 0)
            return "mkfs.ext4: " + made.err;
        if (const auto done = mount(); done.exit != 0) return "loop devices are not to be had here: " + done.err;
        if (!cut()) return "the file system cannot be shut down here (ext4 shutdown ioctl)";
        return restore() ? "" : "the disk cannot be mounted again";
    }

    /// What was not flushed is gone, and every write fails from now on.
    bool cut() const {
        constexpr unsigned long shutdown = 0x8004587D;  // EXT4_IOC_SHUTDOWN
        constexpr std::uint32_t without_flush = 2;      // EXT4_GOING_FLAGS_NOLOGFLUSH
        const int fd = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return false;
        const bool done = ::ioctl(fd, shutdown, &without_flush) == 0;
        ::close(fd);
        return done;
    }
    /// Power is back: mounts it again. Requires: nobody uses it.
    bool restore() {
        if (::umount(folder().c_str()) != 0) return false;
        mounted_ = false;
        return mount().exit == 0;
    }

private:
    std::string image() const { return folder_.path() + "/image"; }
    test::ProcessResult mount() {
        auto done = test::run({"mount", "-t", "ext4", "-o", "loop", image(), folder()});
        mounted_ = done.exit == 0;
        return done;
    }

    test::TempFolder folder_ = test::TempFolder::in_memory();
    bool mounted_ = false;
};

/// What the clients were told, from any thread.
class Told {
public:
    void submitted(const std::string& id) {
        const std::lock_guard lock(mutex_);
        submitted_.insert(id);
        news_.notify_all();
    }
    void completed(const std::string& id) {
        const std::lock_guard lock(mutex_);
        completed_.insert(id);
    }
    /// Waits until so many were told more than before; false when the clients gave up.
    bool wait_for(std::size_t more) {
        std::unique_lock lock(mutex_);
        const std::size_t enough = submitted_.size() + more;
        news_.wait(lock, [&] { return submitted_.size() >= enough || gone_ == clients; });
        return submitted_.size() >= enough;
    }
    void leave() {
        const std::lock_guard lock(mutex_);
        gone_++;
        news_.notify_all();
    }
    void begin() { gone_ = 0; }

    const std::set<std::string>& all_submitted() const { return submitted_; }
    const std::set<std::string>& all_completed() const { return completed_; }

    static constexpr int clients = 3;

private:
    std::mutex mutex_;
    std::condition_variable news_;
    std::set<std::string> submitted_, completed_;
    int gone_ = 0;
};

class PowerLoss : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = disk_.make(); !reason.empty()) GTEST_SKIP() << reason;
    }
    std::string file() const { return disk_.folder() + "/pawl.db"; }
    std::vector<std::string> words(const char* binary, std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {binary, "--db", file()});
        return verb;
    }
    test::Surroundings surroundings() const { return {{"PAWL_LEDGER=" + ledger_path()}, {}}; }
    std::string ledger_path() const { return outside_.path() + "/ledger"; }

    // Submits, and every third time waits for the end, until the disk is gone. The large input makes checkpoints come.
    void be_a_client() {
        for (int n = 0;; n++) {
            const bool is_large = n % 2 == 1;
            const auto submitted = is_large ? test::run(words(PAWL_BINARY, {"submit", "echo", "-"}),
                                                        "\"" + std::string(60'000, 'x') + "\"")
                                            : test::run(words(PAWL_BINARY, {"submit", "steps", "100"}));
            if (submitted.exit != 0) break;
            const std::string id = submitted.out.substr(0, submitted.out.find('\n'));
            told_.submitted(id);
            if (n % 3 != 0) continue;
            if (test::run(words(PAWL_BINARY, {"result", "--wait", id})).exit != 0) break;
            told_.completed(id);
        }
        told_.leave();
    }

    void lose_power_after(std::size_t submits) {
        told_.begin();
        test::Background worker(words(CRASH_PROGRAM, {"worker"}), surroundings());
        ASSERT_NE(worker.wait_for_line("working"), "");
        std::vector<std::thread> clients;
        for (int i = 0; i < Told::clients; i++) clients.emplace_back([this] { be_a_client(); });
        const bool enough = told_.wait_for(submits);
        const bool cut = disk_.cut();
        worker.signal(SIGKILL);
        worker.wait();
        for (std::thread& client : clients) client.join();
        ASSERT_TRUE(enough) << "the clients gave up before the power was cut";
        ASSERT_TRUE(cut);
        ASSERT_TRUE(disk_.restore());
    }

    std::map<std::string, int> executions() const {
        std::map<std::string, int> out;
        std::ifstream in(ledger_path());
        for (std::string step, key; in >> step >> key;) out[key]++;
        return out;
    }

    /// Everything that a client was told is there.
    void expect_nothing_lost() {
        const auto doctor = test::run(words(PAWL_BINARY, {"doctor"}));
        ASSERT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
        const auto reader = store::open_sqlite_reader(file());
        ASSERT_TRUE(reader) << reader.error().message;
        for (const std::string& id : told_.all_submitted()) {
            const auto row = (*reader)->get(*core::parse_task_id(id));
            EXPECT_TRUE(row) << id << " was acknowledged and is lost";
            if (!row || !told_.all_completed().contains(id)) continue;
            EXPECT_EQ(row->state, TaskState::completed) << id << " was reported as completed";
        }
    }
    /// Keys of the recorded steps, each with the number of times it has run.
    std::map<std::string, int> recorded() const {
        std::map<std::string, int> out;
        const auto runs = executions();
        const auto reader = store::open_sqlite_reader(file());
        if (!reader) return out;
        for (const std::string& id : told_.all_submitted()) {
            const auto row = (*reader)->get(*core::parse_task_id(id));
            const auto entries = row ? (*reader)->journal(row->ref, 0, 1'000) : row.error();
            if (!entries) continue;
            for (const core::Entry& entry : *entries) {
                if (entry.kind != EntryKind::step_completed) continue;
                const std::string key = core::step_key(row->id, entry.path, 0);
                if (runs.contains(key)) out[key] = runs.at(key);  // not: the built-in types, they leave no line
            }
        }
        return out;
    }
    void expect_nothing_repeated(const std::map<std::string, int>& before) const {
        const auto now = executions();
        for (const auto& [key, times] : before) EXPECT_EQ(now.at(key), times) << "a recorded step was executed again";
    }

    Disk disk_;
    Told told_;

private:
    test::TempFolder outside_ = test::TempFolder::in_memory();
};

TEST_F(PowerLoss, TwentyTimesLosesNothingAcknowledgedAndRepeatsNothingRecorded) {
    constexpr int cycles = 20;
    std::map<std::string, int> finished;
    for (int cycle = 0; cycle < cycles; cycle++) {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "cycle " + std::to_string(cycle));
        lose_power_after(1 + static_cast<std::size_t>(cycle * 7 % 20));
        if (HasFatalFailure()) return;
        expect_nothing_lost();
        expect_nothing_repeated(finished);
        if (HasFailure()) return;
        finished = recorded();
    }
    const auto worked = test::run(words(CRASH_PROGRAM, {"worker", "--until-idle"}), {}, surroundings());
    EXPECT_EQ(worked.exit, 0) << worked.err;
    expect_nothing_lost();
    expect_nothing_repeated(finished);
    EXPECT_GE(told_.all_submitted().size(), 100u);
    EXPECT_GE(told_.all_completed().size(), 20u);
}

}  // namespace
}  // namespace pawl::crash
