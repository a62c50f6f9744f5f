// What an operator's verb must know of a task's journal, gathered in one pass.
#pragma once

#include "core/journal.hpp"

#include <map>
#include <string>
#include <utility>
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

    /// An attempt that was announced and of which nothing more is known.
    struct Intent {
        std::string path;
        std::int64_t attempt = 0;
        int no = 0;         ///< of the entry that announced it
        bool once = false;  ///< its outcome is unknown; of any other step it does not matter
    };
    /// Of steps whose newest entry is an intent, by path.
    std::vector<Intent> open_intents() const;
    bool has_open_intent() const { return !intents_.empty(); }

    /// What a retry voids: the entries from `no` on, recorded results excepted.
    struct Voided {
        int no = 0;
        std::string path;  ///< the step whose failure the code did not catch; empty when the task did not end so
        int unread = 0;    ///< messages that it leaves unread, more than there were
    };
    /// Of an ended task: the uncaught failure, or else the entry that began its end.
    Voided voided_by_retry() const;

    /// For each `reopened` entry so far, in order: the first number that it voids, and its own.
    const std::vector<std::pair<int, int>>& voided() const { return voided_; }

private:
    std::map<std::string, std::int64_t> unknown_;  // path -> attempt
    std::map<std::string, EntryHead> intents_;     // path -> its newest entry, an open intent
    std::map<std::string, int> failures_;          // path -> number of the newest step_failed
    std::vector<std::pair<int, int>> voided_;
    std::vector<std::pair<int, int>> taken_;  // entries that took or refused a message, and that message
    std::vector<int> answers_;                // entries that answered an approval
    std::string failed_path_;
    int end_no_ = 0;  // the entry that began the end
};

}  // namespace pawl::core
