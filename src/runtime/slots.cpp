#include "runtime/slots.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace pawl::runtime {
namespace {

constexpr std::uint64_t ever = std::numeric_limits<std::uint64_t>::max();

}  // namespace

int Slots::join(std::function<void()> call) {
    std::lock_guard lock(mutex_);
    members_.push_back({std::move(call)});
    return static_cast<int>(members_.size()) - 1;
}

int Slots::free() const {
    std::lock_guard lock(mutex_);
    return free_;
}

std::vector<int> Slots::waiting(int but, std::uint64_t before) const {
    std::vector<int> found;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Member& member = members_[i];
        if (static_cast<int>(i) != but && member.is_hungry && !member.is_called && member.served < before)
            found.push_back(static_cast<int>(i));
    }
    std::ranges::sort(found, {}, [&](int i) { return members_[static_cast<std::size_t>(i)].served; });
    return found;
}

// As many as there are slots for.
Slots::Calls Slots::call_waiting(int but) {
    Calls calls;
    for (const int i : waiting(but, ever)) {
        if (static_cast<int>(calls.size()) >= free_) break;
        Member& member = members_[static_cast<std::size_t>(i)];
        member.is_called = true;
        calls.push_back(member.call);
    }
    return calls;
}

void Slots::take_back_from_who_hangs(core::Micros now) {
    for (Member& member : members_)
        if (member.reserved > 0 && now - member.asked_at >= patience) free_ += std::exchange(member.reserved, 0);
}

int Slots::reserve(int member, core::Micros now) {
    Calls calls;
    int reserved = 0;
    {
        std::lock_guard lock(mutex_);
        take_back_from_who_hangs(now);
        Member& self = members_.at(static_cast<std::size_t>(member));
        PAWL_ASSERT(self.asked == 0);
        self.is_hungry = self.is_called = false;
        const auto ahead = static_cast<int>(waiting(member, self.served).size());
        if (free_ <= ahead) {
            self.is_hungry = true;
            calls = call_waiting(member);
        } else {
            const auto others =
                static_cast<int>(std::ranges::count_if(members_, [](const Member& m) { return m.is_hungry; }));
            reserved = std::max(1, free_ / (1 + others));
            free_ -= reserved;
            self.asked = self.reserved = reserved;
            self.asked_at = now;
            self.served = ++turn_;
        }
    }
    for (const auto& call : calls) call();
    return reserved;
}

void Slots::settle(int member, int taken) {
    PAWL_ASSERT(taken >= 0);
    Calls calls;
    {
        std::lock_guard lock(mutex_);
        Member& self = members_.at(static_cast<std::size_t>(member));
        free_ += std::exchange(self.reserved, 0) - taken;
        PAWL_ASSERT(free_ <= total_);
        // It was given all that it asked for: there may be more.
        const int asked = std::exchange(self.asked, 0);
        if (taken > 0 && taken >= asked) self.is_hungry = true;
        calls = call_waiting(-1);
    }
    for (const auto& call : calls) call();
}

void Slots::release(int member, int n) {
    Calls calls;
    {
        std::lock_guard lock(mutex_);
        free_ += n;
        PAWL_ASSERT(free_ <= total_);
        // The member's own batch is on its way.
        calls = call_waiting(member);
    }
    for (const auto& call : calls) call();
}

}  // namespace pawl::runtime
