#include "runtime/thread_pool.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <system_error>

namespace pawl::runtime {

void name_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

ThreadPool::ThreadPool(int threads_max, const char* name) : threads_max_(threads_max), name_(name) {
    threads_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        queue_.clear();
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(std::function<void()> f) {
    {
        std::lock_guard lock(mutex_);
        if (stopped_) return;
        queue_.push_back(std::move(f));
        if (static_cast<int>(queue_.size()) > idle_ && static_cast<int>(threads_.size()) < threads_max_ &&
            start_thread())
            return;
    }
    ready_.notify_one();  // without the lock: who wakes up needs it at once
}

bool ThreadPool::wait_until_idle(core::Micros limit) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, limit, [&] { return running_ == 0 && queue_.empty(); });
}

bool ThreadPool::start_thread() {
    try {
        threads_.emplace_back([this] { work(); });
        is_short_ = false;
        return true;
    } catch (const std::system_error& e) {
        if (!std::exchange(is_short_, true))
            spdlog::warn("{}: no further thread ({}); what is to run waits for one of {}", name_, e.what(),
                         threads_.size());
        return false;
    }
}

void ThreadPool::work() {
    name_thread(name_);
    std::unique_lock lock(mutex_);
    for (;;) {
        idle_++;
        ready_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
        idle_--;
        if (stopped_) return;
        auto f = std::move(queue_.front());
        queue_.pop_front();
        running_++;
        lock.unlock();
        f();
        f = nullptr;
        lock.lock();
        if (--running_ == 0) done_.notify_all();
    }
}

}  // namespace pawl::runtime
