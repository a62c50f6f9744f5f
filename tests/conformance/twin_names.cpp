#include "conformance/twin_names.hpp"

#include <algorithm>

namespace pawl::test {

using namespace core;

namespace {

constexpr TaskRef unknown = -1;

template <class Map>
typename Map::mapped_type found_in(const Map& map, const typename Map::key_type& key,
                                   typename Map::mapped_type missing) {
    const auto found = map.find(key);
    return found == map.end() ? missing : found->second;
}

}  // namespace

// ---- learning ----------------------------------------------------------------------------------------------------

void TwinNames::pair(const TaskRow& here, const TaskRow& there) {
    if (here.id != there.id) return;
    here_of_[there.ref] = here.ref;
    there_of_[here.ref] = there.ref;
    here_fences_[{there.ref, there.fence}] = here.fence;
    there_fences_[{here.ref, here.fence}] = there.fence;
}

void TwinNames::learn(const Applied& here, const Applied& there) {
    for (std::size_t i = 0; i < std::min(here.replies.size(), there.replies.size()); ++i) {
        if (!here.replies[i].answer || !there.replies[i].answer) continue;
        const core::Answer& a = *here.replies[i].answer;
        const core::Answer& b = *there.replies[i].answer;
        const auto *submitted_a = std::get_if<Submitted>(&a), *submitted_b = std::get_if<Submitted>(&b);
        if (submitted_a && submitted_b && submitted_a->id == submitted_b->id) {
            here_of_[submitted_b->ref] = submitted_a->ref;
            there_of_[submitted_a->ref] = submitted_b->ref;
        }
        const auto *claimed_a = std::get_if<Claimed>(&a), *claimed_b = std::get_if<Claimed>(&b);
        if (!claimed_a || !claimed_b) continue;
        for (std::size_t t = 0; t < std::min(claimed_a->tasks.size(), claimed_b->tasks.size()); ++t)
            pair(claimed_a->tasks[t].row, claimed_b->tasks[t].row);
    }
}

// ---- to the other store ------------------------------------------------------------------------------------------

TaskRef TwinNames::to_there(TaskRef ref) const { return found_in(there_of_, ref, unknown); }

Command TwinNames::to_there(Command command) const {
    if (auto* record = std::get_if<Record>(&command)) {
        record->fence = found_in(there_fences_, {record->task, record->fence}, Fence{unknown, unknown});
        record->task = to_there(record->task);
    }
    if (auto* load = std::get_if<Load>(&command)) load->task = to_there(load->task);
    return command;
}

// ---- from the other store ----------------------------------------------------------------------------------------

TaskRef TwinNames::to_here(TaskRef ref) const { return ref == 0 ? 0 : found_in(here_of_, ref, unknown); }

Fence TwinNames::to_here(TaskRef there, Fence fence) const {
    if (fence == Fence{}) return fence;  // never claimed
    return found_in(here_fences_, {there, fence}, Fence{unknown, unknown});
}

TaskRow TwinNames::to_here(TaskRow row) const {
    row.fence = to_here(row.ref, row.fence);
    row.ref = to_here(row.ref);
    row.root = to_here(row.root);
    row.parent = to_here(row.parent);
    return row;
}

Entry TwinNames::to_here(Entry entry) const {
    entry.task = to_here(entry.task);
    entry.cursor = {};
    return entry;
}

Applied TwinNames::to_here(Applied applied) const {
    for (Reply& reply : applied.replies) {
        if (!reply.answer) continue;
        if (auto* a = std::get_if<Submitted>(&*reply.answer)) a->ref = to_here(a->ref);
        if (auto* a = std::get_if<Operated>(&*reply.answer)) a->ref = to_here(a->ref);
        if (auto* a = std::get_if<Claimed>(&*reply.answer))
            for (ClaimedTask& task : a->tasks) task.row = to_here(std::move(task.row));
        if (auto* a = std::get_if<Loaded>(&*reply.answer))
            for (Entry& entry : a->entries) entry = to_here(std::move(entry));
    }
    for (Notice& notice : applied.notices) {
        notice.fence = to_here(notice.task, notice.fence);
        notice.task = to_here(notice.task);
    }
    return applied;
}

Applied without_own_matters(Applied applied) {
    for (Reply& reply : applied.replies) {
        reply.early = false;
        if (!reply.answer) continue;
        if (auto* a = std::get_if<Loaded>(&*reply.answer))
            for (Entry& entry : a->entries) entry.cursor = {};
    }
    applied.newest = {};
    applied.look_again.reset();
    applied.more_ready = false;
    return applied;
}

// ---- reading -----------------------------------------------------------------------------------------------------

Entry TwinReader::entry(Entry entry) const {
    if (names_) return names_->to_here(std::move(entry));
    entry.cursor = {};
    return entry;
}

// Of a running task only some readers count what it has written since its row was.
TaskRow TwinReader::row(TaskRow row) const {
    if (row.state == TaskState::running) row.journal_bytes = 0;
    return names_ ? names_->to_here(std::move(row)) : row;
}

Result<TaskRow> TwinReader::get(const TaskId& id) {
    Result<TaskRow> found = reader_.get(id);
    if (found) found = row(std::move(*found));
    return found;
}
Result<TaskRow> TwinReader::get(TaskRef task) {
    Result<TaskRow> found = reader_.get(ref(task));
    if (found) found = row(std::move(*found));
    return found;
}
Result<std::vector<TaskId>> TwinReader::match(std::string_view part, int tasks_max) {
    return reader_.match(part, tasks_max);
}
Result<std::vector<std::string>> TwinReader::tags(TaskRef task) { return reader_.tags(ref(task)); }

Result<std::vector<TaskRow>> TwinReader::list(const ListFilter& filter) {
    Result<std::vector<TaskRow>> rows = reader_.list(filter);
    if (rows)
        for (TaskRow& one : *rows) one = row(std::move(one));
    return rows;
}

Result<std::vector<Entry>> TwinReader::journal(TaskRef task, int after_no, int entries_max) {
    Result<std::vector<Entry>> entries = reader_.journal(ref(task), after_no, entries_max);
    if (entries)
        for (Entry& one : *entries) one = entry(std::move(one));
    return entries;
}

Result<std::vector<std::pair<Entry, TaskId>>> TwinReader::feed(const FeedCursor& after, int entries_max) {
    auto entries = reader_.feed(after, entries_max);
    if (entries)
        for (auto& [one, id] : *entries) one = entry(std::move(one));
    return entries;
}

}  // namespace pawl::test
