// The real event loop and the blocking pool.
#include "runtime/asio_loop.hpp"
#include "runtime/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

namespace pawl::runtime {
namespace {

using namespace std::chrono_literals;

// What the process's timer descriptors of that clock are set to wait, in seconds from now; 0 = not set.
std::vector<std::int64_t> armed_seconds(int clock_id) {
    std::vector<std::int64_t> armed;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
        std::ifstream info(entry.path());
        const std::string text{std::istreambuf_iterator<char>(info), {}};
        const auto value = text.find("it_value: (");
        if (value == std::string::npos || text.find("clockid: " + std::to_string(clock_id) + "\n") == std::string::npos)
            continue;
        armed.push_back(std::stoll(text.substr(value + 11)));
    }
    return armed;
}

class LoopTest : public ::testing::Test {
protected:
    std::function<void()> note(std::string name) {
        return [this, name = std::move(name)] { order.push_back(name); };
    }
    MachineClock clock;
    AsioLoop loop{clock};
    std::vector<std::string> order;
};

TEST_F(LoopTest, PostsRunInTheOrderOfPosting) {
    loop.post(note("a"));
    loop.post(note("b"));
    loop.post([this] { loop.stop(); });

    loop.run();

    EXPECT_EQ(order, (std::vector<std::string>{"a", "b"}));
}

TEST_F(LoopTest, ACancelledTimerDoesNotWakeItLater) {
    TimerToken soon = 0;
    loop.post([&] {
        soon = loop.after(20min, note("soon"));
        loop.after(2h, note("late"));
    });
    loop.post([&] {
        ASSERT_EQ(armed_seconds(CLOCK_BOOTTIME).size(), 1U);
        EXPECT_LE(armed_seconds(CLOCK_BOOTTIME)[0], 20 * 60);
        loop.cancel(soon);
    });
    loop.post([&] {
        EXPECT_GT(armed_seconds(CLOCK_BOOTTIME).at(0), 60 * 60);
        loop.stop();
    });

    loop.run();
}

TEST_F(LoopTest, TimersFireInTheOrderOfTheirTimeAndACancelledOneNever) {
    loop.post([this] {
        loop.after(30ms, [this] { loop.stop(); });
        loop.after(20ms, note("later"));
        const TimerToken cancelled = loop.after(10ms, note("cancelled"));
        loop.after(5ms, note("sooner"));
        loop.at_wall(clock.wall() - 1h, note("past"));
        loop.at_wall(clock.wall() + 15ms, note("wall"));
        loop.at_wall(clock.wall() + 1h, note("never"));
        loop.cancel(cancelled);
        loop.cancel(cancelled);
        loop.cancel(0);
    });

    loop.run();

    // The two clocks have a descriptor each: only their own timers have an order.
    std::vector<std::string> boot, wall;
    for (const std::string& name : order) (name == "past" || name == "wall" ? wall : boot).push_back(name);
    EXPECT_EQ(boot, (std::vector<std::string>{"sooner", "later"}));
    EXPECT_EQ(wall.front(), "past");
}

TEST_F(LoopTest, ATimerMayArmAnother) {
    loop.post([this] {
        loop.after(1ms, [this] {
            order.push_back("first");
            loop.after(1ms, [this] {
                order.push_back("second");
                loop.stop();
            });
        });
    });

    loop.run();

    EXPECT_EQ(order, (std::vector<std::string>{"first", "second"}));
}

// ---- the pool ----------------------------------------------------------------------------------------------------

/// Counts who is inside, and holds everybody until it is opened.
class Room {
public:
    void visit() {
        std::unique_lock lock(mutex_);
        inside_++;
        most_ = std::max(most_, inside_);
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_open_; });
        inside_--;
        visits_++;
        changed_.notify_all();
    }
    void wait_for_inside(int n) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= n; });
    }
    void wait_for_visits(int n) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return visits_ >= n; });
    }
    void open() {
        std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }
    int most() {
        std::lock_guard lock(mutex_);
        return most_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0, most_ = 0, visits_ = 0;
    bool is_open_ = false;
};

TEST(ThreadPool, AtMostItsThreadsRunAtOnceAndEveryFunctionRuns) {
    Room room;
    ThreadPool pool(3);
    for (int i = 0; i < 10; i++) pool.run([&] { room.visit(); });
    room.wait_for_inside(3);
    room.open();
    room.wait_for_visits(10);

    EXPECT_EQ(room.most(), 3);
}

TEST(ThreadPool, TellsWhetherAFunctionStillRuns) {
    Room room;
    ThreadPool pool(1);
    EXPECT_TRUE(pool.wait_until_idle(0s));
    pool.run([&] { room.visit(); });
    room.wait_for_inside(1);
    EXPECT_FALSE(pool.wait_until_idle(1ms));
    room.open();
    EXPECT_TRUE(pool.wait_until_idle(1h));
}

TEST(ThreadPool, ItsEndWaitsForWhatRuns) {
    Room room;
    std::atomic<bool> has_returned{false};
    {
        ThreadPool pool(1);
        pool.run([&] {
            room.visit();
            has_returned = true;
        });
        room.wait_for_inside(1);
        room.open();
    }
    EXPECT_TRUE(has_returned);
}

}  // namespace
}  // namespace pawl::runtime
