// The blocking pool: threads that steps and tools may block. They are made when needed and kept.
#pragma once

#include "runtime/loop.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace pawl::runtime {

class ThreadPool final : public Pool {
public:
    /// `name`: of its threads, a literal of at most 15 bytes. Starts the first one: whatever the system says later,
    /// what is to run will. std::system_error when there is not even that.
    explicit ThreadPool(int threads_max, const char* name = "pawl-pool");
    /// Waits for the functions that run; those not started are dropped.
    ~ThreadPool() override;

    /// Waits in a queue while threads_max functions run, or fewer when the system gives no more threads; the queue is
    /// bounded by the engine's slots.
    void run(std::function<void()> f) override;
    /// Waits until no function runs or waits; false when that takes longer.
    bool wait_until_idle(core::Micros limit);

private:
    bool start_thread();
    void work();

    const int threads_max_;
    const char* const name_;
    std::mutex mutex_;
    std::condition_variable ready_, done_;
    std::deque<std::function<void()>> queue_;
    std::vector<std::thread> threads_;
    int idle_ = 0;
    int running_ = 0;
    bool stopped_ = false, is_short_ = false;
};

}  // namespace pawl::runtime
