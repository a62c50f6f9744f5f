// One timer for many deadlines that mostly move further away. For the .cpp files of src/net only.
#pragma once

#include "net/asio_types.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace pawl::net {

/// Calls `sweep` at the earliest instant asked for, or before; `sweep` looks itself at what is over and asks again.
/// So a deadline that is put off with each byte costs an assignment, not a timer operation; and when nothing asks,
/// nothing fires. Loop thread only.
class DeadlineTimer {
public:
    DeadlineTimer(asio::io_context& loop, std::function<void()> sweep)
        : timer_(loop), sweep_(std::move(sweep)), alive_(std::make_shared<bool>(true)) {}
    ~DeadlineTimer() { *alive_ = false; }
    DeadlineTimer(const DeadlineTimer&) = delete;
    DeadlineTimer& operator=(const DeadlineTimer&) = delete;

    void ask(SteadyTime at) {
        if (armed_ && at >= at_) return;
        armed_ = true;
        at_ = at;
        timer_.expires_at(at);
        timer_.async_wait([this, alive = alive_](const ErrorCode& ec) {
            // A completed wait may already be queued when the timer moves or dies; then it is not ours any more.
            if (ec || !*alive || SteadyClock::now() < at_) return;
            armed_ = false;
            const auto sweep = sweep_;  // what it calls may destroy us
            sweep();
        });
    }
    void cancel() {
        if (!armed_) return;
        armed_ = false;
        timer_.cancel();
    }

private:
    SteadyTimer timer_;
    std::function<void()> sweep_;
    std::shared_ptr<bool> alive_;
    bool armed_ = false;
    SteadyTime at_{};
};

}  // namespace pawl::net
