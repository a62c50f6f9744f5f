#include "runtime/waiters.hpp"

namespace pawl::runtime {

namespace {

// What the batch's record of the end says, when it is one of a task that completed.
std::optional<std::string> output_of(core::TaskRef task, const BatchOutcome& outcome) {
    for (std::size_t i = 0; i < outcome.items.size(); i++) {
        const auto* record = std::get_if<core::Record>(&outcome.items[i].command);
        if (!record || record->task != task || !outcome.replies[i].answer) continue;
        if (const auto* complete = std::get_if<core::Complete>(&record->next)) return complete->output;
    }
    return std::nullopt;
}

}  // namespace

std::uint64_t Waiters::add(core::TaskId task, Ended ended) {
    std::lock_guard lock(mutex_);
    waiters_.emplace(task, Waiter{next_token_, std::move(ended)});
    any_ = true;
    return next_token_++;
}

void Waiters::forget(core::TaskId task, std::uint64_t token) {
    std::lock_guard lock(mutex_);
    const auto [first, last] = waiters_.equal_range(task);
    for (auto it = first; it != last; ++it)
        if (it->second.token == token) {
            waiters_.erase(it);
            break;
        }
    any_ = !waiters_.empty();
}

std::vector<Waiters::Told> Waiters::take(const BatchOutcome& outcome) {
    std::vector<Told> told;
    if (!any_) return told;
    std::lock_guard lock(mutex_);
    for (const core::Notice& notice : outcome.notices) {
        if (notice.what != core::Notice::What::final && notice.what != core::Notice::What::stopped) continue;
        const auto [first, last] = waiters_.equal_range(notice.id);
        if (first == last) continue;
        std::optional<std::string> output;
        if (notice.state == TaskState::completed) output = output_of(notice.task, outcome);
        for (auto it = first; it != last; ++it) told.push_back({std::move(it->second.ended), output});
        waiters_.erase(first, last);
    }
    any_ = !waiters_.empty();
    return told;
}

std::vector<Waiters::Told> Waiters::take_all() {
    std::lock_guard lock(mutex_);
    std::vector<Told> told;
    for (auto& [task, waiter] : waiters_) told.push_back({std::move(waiter.ended), std::nullopt});
    waiters_.clear();
    any_ = false;
    return told;
}

}  // namespace pawl::runtime
