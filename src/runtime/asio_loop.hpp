// The real event loop: one io_context, one thread, two timer descriptors.
#pragma once

#include "runtime/loop.hpp"
#include "runtime/timer_queue.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <thread>

namespace pawl::runtime {

/// Clock of the machine: CLOCK_REALTIME and CLOCK_BOOTTIME.
class MachineClock final : public core::Clock {
public:
    core::WallInstant wall() const override;
    core::Micros boot() const override;
};

/// Chance of the machine (getrandom), for ids and jitter. Thread safe.
class MachineRandom final : public core::Random {
public:
    std::uint64_t next() override;
};

class AsioLoop final : public Loop {
public:
    explicit AsioLoop(const core::Clock& clock);
    ~AsioLoop() override;

    void post(std::function<void()> f) override;
    TimerToken after(core::Micros delay, std::function<void()> f) override;
    TimerToken at_wall(core::WallInstant at, std::function<void()> f) override;
    void cancel(TimerToken token) override;

    boost::asio::io_context& io() { return io_; }
    /// Runs on the calling thread until stop().
    void run();
    /// Any thread.
    void stop();

private:
    // One timer descriptor and the timers behind it.
    struct Timers {
        Timers(boost::asio::io_context& io, int clock_id);
        void arm();
        boost::asio::posix::stream_descriptor fd;
        TimerQueue queue;
        std::optional<std::int64_t> armed_us;
        const int clock_id;
    };
    void wait(Timers& timers);
    void fire(Timers& timers);
    std::int64_t now_us(const Timers& timers) const;

    const core::Clock& clock_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    Timers boot_, wall_;
    TimerToken next_token_ = 1;
};

}  // namespace pawl::runtime
