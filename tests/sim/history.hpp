// What is durable, as an outsider keeps it: every entry that was ever flushed, checked as it comes, and compared with
// the store after each fault.
#pragma once

#include "core/store.hpp"
#include "sim/trace.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace pawl::sim {

class History {
public:
    explicit History(Trace& trace) : trace_(trace) {}

    /// Takes what was flushed since the last call.
    void follow(core::Reader& reader);
    /// After a store was opened: everything that was durable is still there, and unchanged.
    void compare(core::Reader& reader);

    struct Task {
        core::TaskId id;
        std::vector<core::Entry> entries;
        TaskState state = TaskState::pending;
        bool is_leaving = false;                  // handed back or taken over, with its new state to follow
        std::map<std::string, std::string> done;  // results that hold, by path, voided ones included
        std::set<std::string> over;               // steps and timers with a recorded end that is not void
        std::map<std::string, core::Instant> due;
        std::set<std::string> unknown;  // steps whose newest entry is step_unknown
        std::set<std::string> begun;    // steps whose newest entry is an intent
        bool is_closing = false;        // the store has said of an intent what is known: the end of the task follows
    };
    /// Null when nothing of it is durable.
    const Task* task(core::TaskId id) const;
    const std::map<core::TaskId, Task>& tasks() const { return tasks_; }
    /// Numbers of entries that hold: not made void by a retry.
    static std::vector<const core::Entry*> valid(const Task& task);

private:
    void take(Task& task, const core::Entry& entry);
    void move(Task& task, const core::Entry& entry);
    void take_operation(Task& task, const core::Entry& entry);
    void reopen(Task& task, const core::Entry& entry);
    void broken(const Task& task, const core::Entry& entry, const std::string& text);
    std::string name(core::TaskId id);

    Trace& trace_;
    std::map<core::TaskId, Task> tasks_;
    std::map<core::TaskId, int> numbers_;  // short names, the same in every run
    core::FeedCursor newest_;
};

}  // namespace pawl::sim
