// What an operator's verb must know of a task's journal, gathered in one pass.
#pragma once

#include "core/journal.hpp"

#include <map>
#include <string>
#include <vector>

namespace pawl::core {

/// The parts of an entry that the facts follow from; a store can read them without the payloads.
struct EntryHead {
    int no = 0;
    EntryKind kind = EntryKind::submitted;
    std::string path;
    std::int64_t number = 0;
};

class JournalFacts {
public:
    /// Takes the next entry; in order, from the first.
    void see(const EntryHead& entry);

    struct Step {
        std::string path;
        std::int64_t attempt = 0;
    };
    /// Steps whose newest entry is step_unknown, by path.
    std::vector<Step> unknown_steps() const;

    /// The step whose uncaught failure ended the task, and the number of that failure's entry; empty and 0 when the
    /// task did not end so.
    struct VoidedFailure {
        std::string path;
        int no = 0;
    };
    VoidedFailure voided_failure() const;

private:
    std::map<std::string, std::int64_t> unknown_;  // path -> attempt
    std::map<std::string, int> failures_;          // path -> number of the newest step_failed
    std::string failed_path_;
};

}  // namespace pawl::core
