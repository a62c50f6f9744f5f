#include "runtime/asio_loop.hpp"

#include "core/assert.hpp"

#include <boost/asio/post.hpp>

#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace pawl::runtime {

namespace {

std::int64_t read_clock_us(clockid_t id) {
    timespec t{};
    ::clock_gettime(id, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

}  // namespace

core::WallInstant MachineClock::wall() const { return core::wall_instant(read_clock_us(CLOCK_REALTIME)); }
core::Micros MachineClock::boot() const { return core::Micros{read_clock_us(CLOCK_BOOTTIME)}; }

std::uint64_t MachineRandom::next() {
    // A pool of a page per thread: one system call for 64 numbers.
    thread_local std::uint64_t pool[64];
    thread_local std::size_t used = 64;
    if (used == 64) {
        PAWL_ASSERT(::getrandom(pool, 256, 0) == 256);
        PAWL_ASSERT(::getrandom(pool + 32, 256, 0) == 256);
        used = 0;
    }
    return pool[used++];
}

AsioLoop::Timers::Timers(boost::asio::io_context& io, int id)
    : fd(io, ::timerfd_create(id, TFD_NONBLOCK | TFD_CLOEXEC)), clock_id(id) {}

// Absolute time. On the wall clock TFD_TIMER_CANCEL_ON_SET wakes us when somebody sets it.
void AsioLoop::Timers::arm() {
    const auto next = queue.next();
    if (next == armed_us) return;
    itimerspec spec{};
    if (next) {
        const std::int64_t at = std::max<std::int64_t>(*next, 1);
        spec.it_value.tv_sec = at / 1'000'000;
        spec.it_value.tv_nsec = (at % 1'000'000) * 1'000;
    }
    const int flags = TFD_TIMER_ABSTIME | (clock_id == CLOCK_REALTIME ? TFD_TIMER_CANCEL_ON_SET : 0);
    ::timerfd_settime(fd.native_handle(), flags, &spec, nullptr);
    armed_us = next;
}

AsioLoop::AsioLoop(const core::Clock& clock)
    : clock_(clock), work_(io_.get_executor()), boot_(io_, CLOCK_BOOTTIME), wall_(io_, CLOCK_REALTIME) {
    wait(boot_);
    wait(wall_);
}

AsioLoop::~AsioLoop() = default;

void AsioLoop::post(std::function<void()> f) { boost::asio::post(io_, std::move(f)); }

TimerToken AsioLoop::after(core::Micros delay, std::function<void()> f) {
    const TimerToken token = next_token_++;
    boot_.queue.add(token, clock_.boot().count() + delay.count(), std::move(f));
    return token;
}

TimerToken AsioLoop::at_wall(core::WallInstant at, std::function<void()> f) {
    const TimerToken token = next_token_++;
    wall_.queue.add(token, core::count(at), std::move(f));
    return token;
}

void AsioLoop::cancel(TimerToken token) {
    if (token != 0 && !boot_.queue.remove(token)) wall_.queue.remove(token);
}

void AsioLoop::wait(Timers& timers) {
    timers.fd.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, &timers](boost::system::error_code e) {
                             if (e) return;
                             std::uint64_t fired = 0;
                             [[maybe_unused]] const auto n =
                                 ::read(timers.fd.native_handle(), &fired, sizeof fired);  // ECANCELED: clock set
                             fire(timers);
                             wait(timers);
                         });
}

std::int64_t AsioLoop::now_us(const Timers& timers) const {
    return &timers == &boot_ ? clock_.boot().count() : core::count(clock_.wall());
}

void AsioLoop::fire(Timers& timers) {
    timers.armed_us.reset();
    const std::int64_t now = now_us(timers);
    while (auto f = timers.queue.pop_due(now)) f();
}

// The descriptors are set between two handlers, not at each change of a timer: a batch starts and cancels many, and one
// that is cancelled must not wake an idle loop later.
void AsioLoop::run() {
    do {
        boot_.arm();
        wall_.arm();
    } while (io_.run_one() > 0);
}
void AsioLoop::stop() { io_.stop(); }

}  // namespace pawl::runtime
