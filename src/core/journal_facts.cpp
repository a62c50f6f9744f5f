#include "core/journal_facts.hpp"

#include <algorithm>

namespace pawl::core {

void JournalFacts::see(const EntryHead& entry) {
    switch (entry.kind) {
        case EntryKind::step_unknown:
            unknown_[entry.path] = entry.number;
            intents_.erase(entry.path);
            return;
        case EntryKind::step_started:
        case EntryKind::step_begun:
            unknown_.erase(entry.path);
            intents_[entry.path] = entry;
            return;
        case EntryKind::claimed:
            end_no_ = 0;
            failed_path_.clear();
            return;
        case EntryKind::ending:
            if (end_no_ == 0) end_no_ = entry.no;
            return;
        case EntryKind::failed:
        case EntryKind::cancelled:
            if (end_no_ == 0) end_no_ = entry.no;
            if (entry.kind == EntryKind::failed) failed_path_ = entry.path;
            return;
        case EntryKind::reopened:
            voided_.emplace_back(static_cast<int>(entry.number), entry.no);
            end_no_ = 0;
            failed_path_.clear();
            return;
        case EntryKind::step_failed:
            failures_[entry.path] = entry.no;
            break;
        case EntryKind::answered:
            answers_.push_back(entry.no);
            break;
        case EntryKind::wait_ended:
        case EntryKind::signal_refused:
            if (entry.number != 0) taken_.emplace_back(entry.no, static_cast<int>(entry.number));
            break;
        default:
            break;
    }
    if (!is_operation(entry.kind)) return;
    unknown_.erase(entry.path);
    intents_.erase(entry.path);
}

std::vector<JournalFacts::Step> JournalFacts::unknown_steps() const {
    std::vector<Step> steps;
    for (const auto& [path, attempt] : unknown_) steps.push_back({path, attempt});
    return steps;
}

std::vector<JournalFacts::Intent> JournalFacts::open_intents() const {
    std::vector<Intent> open;
    for (const auto& [path, entry] : intents_)
        open.push_back({path, entry.number, entry.no, entry.kind == EntryKind::step_started});
    return open;
}

JournalFacts::Voided JournalFacts::voided_by_retry() const {
    const auto failure = failed_path_.empty() ? failures_.end() : failures_.find(failed_path_);
    const int no = failure != failures_.end() ? failure->second : end_no_;
    Voided voided{no, failed_path_, 0};
    // Answers are to what was asked there, and that is asked anew: they go, signals stay.
    const auto goes = [&](int message) { return message >= no && std::ranges::binary_search(answers_, message); };
    const auto is_taken = [&](int answer) {
        return std::ranges::any_of(taken_, [&](const auto& taken) { return taken.second == answer; });
    };
    for (const auto& [at, message] : taken_) voided.unread += at >= no && !goes(message) ? 1 : 0;
    for (const int answer : answers_) voided.unread -= answer >= no && !is_taken(answer) ? 1 : 0;
    return voided;
}

}  // namespace pawl::core
