#include "sim/history.hpp"

#include <algorithm>

namespace pawl::sim {

using core::Entry;
using core::EntryKind;

namespace {

bool ends_operation(EntryKind kind) {
    return kind == EntryKind::step_completed || kind == EntryKind::step_failed || kind == EntryKind::step_cancelled ||
           kind == EntryKind::timer_fired;
}

bool is_rest(TaskState s) { return s == TaskState::pending || s == TaskState::waiting || s == TaskState::paused; }

// Where an entry leads, and whether it may come now: the graph of spec section 3, as the journal shows it.
struct Move {
    bool allowed = true;
    TaskState to;
};

Move move_of(TaskState from, const Entry& entry) {
    using enum TaskState;
    const auto reason = static_cast<Reason>(entry.number);
    switch (entry.kind) {
        case EntryKind::submitted:
            return {entry.no == 1, pending};
        case EntryKind::claimed:
            return {from == pending, running};
        case EntryKind::parked:
            return {from == running, reason == Reason::retry ? pending : waiting};
        case EntryKind::woken:
            return {from == pending || from == waiting, pending};
        case EntryKind::handed_back:
        case EntryKind::taken_over:
            return {from == running, pending};
        case EntryKind::paused:
            return {from == running || is_rest(from), paused};
        case EntryKind::resumed:
            return {from == paused || from == running, from == running ? running : pending};
        case EntryKind::completed:
            return {from == running, completed};
        case EntryKind::failed:
            return {from == running || is_rest(from), failed};
        case EntryKind::cancelled:
            return {from == running || is_rest(from), cancelled};
        case EntryKind::reopened:
            return {from == failed || from == cancelled, pending};
        case EntryKind::ending:
        case EntryKind::pause_requested:
            return {from == running, running};
        case EntryKind::step_completed:
        case EntryKind::step_failed:
        case EntryKind::step_resolved:
            return {from == running || from == paused, from};  // paused: `resolve`
        case EntryKind::step_unknown:
        case EntryKind::step_lost:
            return {from == running || is_rest(from), from};  // at rest: the task is ended
        default:
            return {from == running, from};
    }
}

}  // namespace

std::string History::name(core::TaskId id) {
    const auto [at, is_new] = numbers_.emplace(id, static_cast<int>(numbers_.size()) + 1);
    return "T" + std::to_string(at->second);
}

void History::broken(const Task& task, const Entry& entry, const std::string& text) {
    trace_.broken(name(task.id) + " entry " + std::to_string(entry.no) + " " + std::string(to_string(entry.kind)) +
                  " '" + entry.path + "': " + text);
}

void History::follow(core::Reader& reader) {
    for (;;) {
        const auto fresh = reader.feed(newest_, 1'000).value();
        for (const auto& [entry, id] : fresh) {
            newest_ = entry.cursor;
            Task& task = tasks_[id];
            task.id = id;
            std::string line = name(id) + " #" + std::to_string(entry.no) + " " + std::string(to_string(entry.kind)) +
                               " " + entry.path + " n=" + std::to_string(entry.number) +
                               " at=" + std::to_string(core::count(entry.at));
            if (entry.due) line += " due=" + std::to_string(core::count(*entry.due));
            trace_.note(line + " " + entry.result + " " + entry.error);
            take(task, entry);
        }
        if (fresh.size() < 1'000) return;
    }
}

void History::take(Task& task, const Entry& entry) {
    if (entry.no != static_cast<int>(task.entries.size()) + 1) broken(task, entry, "I7: a gap in the journal");
    if (!task.entries.empty() && entry.at < task.entries.back().at) broken(task, entry, "store time went back");
    move(task, entry);
    if (core::is_operation(entry.kind)) take_operation(task, entry);
    if (entry.kind == EntryKind::reopened) reopen(task, entry);
    if (entry.kind == EntryKind::paused && static_cast<Reason>(entry.number) == Reason::diverged)
        broken(task, entry, "I7: the code no longer fits its history: " + entry.error);
    if (entry.kind == EntryKind::woken && !task.entries.empty()) {
        const Entry& before = task.entries.back();
        if (before.due && entry.at < *before.due) broken(task, entry, "I12: woken before its time");
    }
    task.entries.push_back(entry);
}

void History::move(Task& task, const Entry& entry) {
    const Move move = move_of(task.state, entry);
    if (!move.allowed) broken(task, entry, "I9: not from " + std::string(pawl::to_string(task.state)));
    const bool closes = entry.kind == EntryKind::step_unknown || entry.kind == EntryKind::step_lost;
    if (task.is_closing && !closes && !is_final(move.to)) broken(task, entry, "I9: it was about to end");
    task.is_closing = closes && is_rest(task.state);
    if (task.is_closing && !task.begun.contains(entry.path)) broken(task, entry, "I8: nothing of it had begun");
    if (is_final(move.to) && !task.begun.empty())
        broken(task, entry, "I8: no word about '" + *task.begun.begin() + "', which had begun");
    task.state = move.to;
    if (entry.kind == EntryKind::resumed && entry.due && task.state == TaskState::pending)
        task.state = TaskState::waiting;
}

void History::take_operation(Task& task, const Entry& entry) {
    if (task.over.contains(entry.path)) broken(task, entry, "I5: the operation has an end already");
    if (entry.kind == EntryKind::step_unknown) task.unknown.insert(entry.path);
    else task.unknown.erase(entry.path);
    if (core::is_intent(entry.kind)) task.begun.insert(entry.path);
    else task.begun.erase(entry.path);
    if (entry.kind == EntryKind::timer_set) task.due[entry.path] = *entry.due;
    if (entry.kind == EntryKind::timer_fired && entry.at < task.due.at(entry.path))
        broken(task, entry, "I12: fired before its time");
    if (!ends_operation(entry.kind)) return;
    task.over.insert(entry.path);
    if (entry.kind != EntryKind::step_completed) return;
    const auto [at, is_new] = task.done.emplace(entry.path, entry.result);
    if (at->second != entry.result) broken(task, entry, "I5: another result than the one that was recorded first");
}

// What a retry makes void may end once more; a result that was recorded stays the same result.
void History::reopen(Task& task, const Entry& entry) {
    for (const Entry& old : task.entries)
        if (old.no >= entry.number && ends_operation(old.kind)) task.over.erase(old.path);
}

std::vector<const Entry*> History::valid(const Task& task) {
    std::vector<const Entry*> entries;
    for (const Entry& entry : task.entries) {
        if (entry.kind == EntryKind::reopened)
            std::erase_if(entries, [&](const Entry* e) { return e->no >= entry.number; });
        entries.push_back(&entry);
    }
    return entries;
}

const History::Task* History::task(core::TaskId id) const {
    const auto at = tasks_.find(id);
    return at == tasks_.end() ? nullptr : &at->second;
}

void History::compare(core::Reader& reader) {
    for (const auto& [id, task] : tasks_) {
        const auto row = reader.get(id);
        if (!row) {
            trace_.broken("I1: " + name(id) + " was durable and is gone");
            continue;
        }
        const auto entries = reader.journal(row->ref, 0, 1'000'000).value();
        const std::size_t n = std::min(entries.size(), task.entries.size());
        if (n < task.entries.size() || !std::equal(task.entries.begin(), task.entries.end(), entries.begin()))
            trace_.broken("I7: durable entries of " + name(id) + " are gone or changed");
    }
    for (const std::string& finding : reader.check().value()) trace_.broken("I18: " + finding);
}

}  // namespace pawl::sim
