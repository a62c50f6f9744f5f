// What the processes of one measurement tell each other: counters in a file that all of them map.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

constexpr int tasks_in_flight = 1'000;

struct Board {
    /// A task that a worker stands still in.
    struct Held {
        std::atomic<int> worker;            ///< who holds it, from 1; 0: nobody yet
        std::atomic<std::int64_t> resumed;  ///< when another one began its step anew; 0: not yet
    };
    std::atomic<int> ready;             ///< workers that have opened the store
    std::atomic<bool> is_begun;         ///< they may work
    std::atomic<int> done;              ///< tasks
    std::atomic<std::int64_t> counted;  ///< when `count` tasks were done
    std::atomic<int> count;
    std::atomic<std::int64_t> cpu_us;  ///< of the workers, since the beginning
    std::array<Held, tasks_in_flight> held;
};

class SharedBoard {
public:
    /// Makes the file when there is none: all zero.
    explicit SharedBoard(const std::string& file);
    ~SharedBoard();
    SharedBoard(const SharedBoard&) = delete;
    SharedBoard& operator=(const SharedBoard&) = delete;
    Board* operator->() const { return board_; }

private:
    Board* board_ = nullptr;
};

}  // namespace bench
