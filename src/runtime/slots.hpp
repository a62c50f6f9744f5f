// The slots of a process that works several stores: how many tasks it runs at once over all of them.
#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace pawl::runtime {

/// Free slots, and who may take them next. A member is one store's batcher.
///
/// A claim reserves its slots before it is sent and gives back what it did not use. A member that may find more tasks
/// than it had slots for is hungry, until its next try; slots go to the hungry one that was served longest ago. One
/// that waited longer is called, and whoever is here then leaves it what it needs, once: a store that is away does not
/// keep slots idle. Nor does one that hangs: a reservation that is not settled within `patience` is free for the
/// others, and what it brings after all runs beyond the total.
///
/// Thread safe. `call` is called outside of all locks of this class, from any thread; it must not block.
class Slots {
public:
    explicit Slots(int total) : total_(total), free_(total) {}

    /// A new member; `call` makes it try again soon. Before anything else; members stay until the end.
    int join(std::function<void()> call);
    static constexpr core::Micros patience = std::chrono::seconds(1);

    /// How many the member may claim for now; they are its own until settle(). `now` is boot time.
    int reserve(int member, core::Micros now);
    /// So many of those that it reserved were taken.
    void settle(int member, int taken);
    /// Slots that the member held are free again.
    void release(int member, int n);

    int total() const { return total_; }
    /// Below 0 when more runs than the total.
    int free() const;

private:
    struct Member {
        std::function<void()> call;
        std::uint64_t served = 0;
        int asked = 0;     ///< the newest reservation, until it is settled
        int reserved = 0;  ///< the same, 0 once others may have it
        core::Micros asked_at{};
        bool is_hungry = false;
        bool is_called = false;  ///< since it was hungry last
    };
    using Calls = std::vector<std::function<void()>>;

    /// Hungry ones that were not called yet, longest first; `before`: only those served earlier.
    std::vector<int> waiting(int but, std::uint64_t before) const;
    Calls call_waiting(int but);
    void take_back_from_who_hangs(core::Micros now);

    const int total_;
    mutable std::mutex mutex_;
    std::vector<Member> members_;
    int free_;
    std::uint64_t turn_ = 0;
};

}  // namespace pawl::runtime
