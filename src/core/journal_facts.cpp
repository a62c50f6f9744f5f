#include "core/journal_facts.hpp"

namespace pawl::core {

void JournalFacts::see(const EntryHead& entry) {
    switch (entry.kind) {
        case EntryKind::step_unknown:
            unknown_[entry.path] = entry.number;
            return;
        case EntryKind::step_failed:
            failures_[entry.path] = entry.no;
            break;
        case EntryKind::failed:
            failed_path_ = entry.path;
            return;
        case EntryKind::reopened:
        case EntryKind::cancelled:
            failed_path_.clear();
            return;
        default:
            break;
    }
    if (is_operation(entry.kind)) unknown_.erase(entry.path);
}

std::vector<JournalFacts::Step> JournalFacts::unknown_steps() const {
    std::vector<Step> steps;
    for (const auto& [path, attempt] : unknown_)
        steps.push_back({path, attempt});
    return steps;
}

JournalFacts::VoidedFailure JournalFacts::voided_failure() const {
    if (failed_path_.empty()) return {};
    const auto found = failures_.find(failed_path_);
    return {failed_path_, found == failures_.end() ? 0 : found->second};
}

}  // namespace pawl::core
