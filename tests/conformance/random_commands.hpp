// Commands drawn from a seed, in a small world where they meet often.
#pragma once

#include "core/store.hpp"

#include <random>
#include <string>
#include <vector>

namespace pawl::test {

class RandomCommands {
public:
    explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

    std::vector<core::Command> batch();
    /// Takes from the answers what later commands speak of.
    void learn(const core::Applied& applied);
    /// In [0, bound).
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
    bool chance(int percent) { return below(100) < percent; }

private:
    core::Command command();
    core::Submit submit();
    core::Operate operate();
    core::SetQueue set_queue();
    core::Claim claim();
    core::Record record();
    core::EntryDraft draft();
    core::Transition transition();
    core::TaskId any_id();
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
    }

    std::mt19937_64 random_;
    std::uint64_t ids_made_ = 0;
    std::vector<core::TaskId> ids_;
    std::vector<core::ClaimedTask> claimed_;  // the newest and a few stale ones
};

}  // namespace pawl::test
