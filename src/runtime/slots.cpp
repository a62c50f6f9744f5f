#include "runtime/slots.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <limits>

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

int Slots::reserve(int member) {
    Calls calls;
    int reserved = 0;
    {
        std::lock_guard lock(mutex_);
        Member& self = members_.at(static_cast<std::size_t>(member));
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
            self.served = ++turn_;
        }
    }
    for (const auto& call : calls) call();
    return reserved;
}

void Slots::settle(int member, int reserved, int taken) {
    PAWL_ASSERT(taken >= 0 && taken <= reserved);
    Calls calls;
    {
        std::lock_guard lock(mutex_);
        free_ += reserved - taken;
        PAWL_ASSERT(free_ <= total_);
        // It was given all that it asked for: there may be more.
        if (taken == reserved && reserved > 0) members_.at(static_cast<std::size_t>(member)).is_hungry = true;
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
