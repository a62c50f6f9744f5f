#include "runtime/thread_pool.hpp"

#include <pthread.h>

namespace pawl::runtime {

void name_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

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
        if (static_cast<int>(queue_.size()) > idle_ && static_cast<int>(threads_.size()) < threads_max_) {
            threads_.emplace_back([this] { work(); });
            return;
        }
    }
    ready_.notify_one();  // without the lock: who wakes up needs it at once
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
        lock.unlock();
        f();
        f = nullptr;
        lock.lock();
    }
}

}  // namespace pawl::runtime
