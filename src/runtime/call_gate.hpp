// Calls from threads of others into something that will be closed: none may be inside when it goes.
#pragma once

#include <condition_variable>
#include <mutex>

namespace pawl::runtime {

/// Thread safe.
class CallGate {
public:
    /// A call that is inside, unless the gate was shut before.
    class Pass {
    public:
        explicit Pass(CallGate& gate) : gate_(gate.enter() ? &gate : nullptr) {}
        ~Pass() {
            if (gate_) gate_->leave();
        }
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;
        explicit operator bool() const { return gate_ != nullptr; }

    private:
        CallGate* gate_;
    };

    bool is_shut() const {
        std::lock_guard lock(mutex_);
        return is_shut_;
    }
    /// Nobody comes in any more.
    void shut() {
        std::lock_guard lock(mutex_);
        is_shut_ = true;
    }
    /// Waits until nobody is inside.
    void wait_until_empty() {
        std::unique_lock lock(mutex_);
        left_.wait(lock, [&] { return inside_ == 0; });
    }

private:
    bool enter() {
        std::lock_guard lock(mutex_);
        inside_ += is_shut_ ? 0 : 1;
        return !is_shut_;
    }
    // Told under the lock: who waits destroys the gate.
    void leave() {
        std::lock_guard lock(mutex_);
        if (--inside_ == 0) left_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable left_;
    int inside_ = 0;
    bool is_shut_ = false;
};

}  // namespace pawl::runtime
