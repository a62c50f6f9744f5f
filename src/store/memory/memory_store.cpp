#include "store/memory/memory_store.hpp"

#include "core/assert.hpp"
#include "store/memory/memory_image.hpp"

#include <algorithm>
#include <map>

namespace pawl::store {

using namespace core;

MemoryDisk::MemoryDisk() : image_(std::make_unique<MemoryImage>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::crash(int batches_kept) {
    image_->keep_unflushed(batches_kept);
    image_->flush();
    ++lives_;
}

int MemoryDisk::unflushed() const { return image_->unflushed(); }

// ---- opening and closing -----------------------------------------------------------------------------------------

MemoryStore::MemoryStore(const Clock& clock) : MemoryStore(std::make_shared<MemoryDisk>(), clock) {}

MemoryStore::MemoryStore(std::shared_ptr<MemoryDisk> disk, const Clock& clock, MakeLedger make,
                         std::int32_t living_epoch, std::function<void(const std::vector<std::string>&)> end_orphans)
    : disk_(std::move(disk)), clock_(clock, disk_->image_->newest_marks().clock), life_(disk_->lives_) {
    image().keep_unflushed(0);
    image().begin_batch();
    MemoryImage::Meta meta = image().meta();
    unclean_ = !meta.clean;
    epoch_ = ++meta.epoch;
    meta.clean = false;
    image().set_meta(meta);
    ledger_ = make(image(), clock_,
                   {.epoch = epoch_,
                    .unclean = unclean_,
                    .living_epoch = living_epoch,
                    .marks = image().newest_marks(),
                    .end_orphans = std::move(end_orphans)});
    ledger_->open();
    image().flush();
    ledger_->flushed();
}

MemoryStore::~MemoryStore() = default;

std::int32_t MemoryStore::epoch() const { return ledger_->epoch(); }

Result<void> MemoryStore::check_usable() const {
    if (is_broken_ || life_ != disk_->lives_)
        return Error{Errc::store_unavailable, "the store failed or was closed; open it again"};
    if (ledger_->checks_owner() && image().meta().epoch != ledger_->epoch()) {
        return Error{Errc::store_unavailable, "another process has opened the store since; leave it to that one"};
    }
    return {};
}

Error MemoryStore::fail(const char* what) {
    is_broken_ = true;
    return {Errc::store_unavailable, std::string(what) + " failed, and nobody knows whether it happened"};
}

Error MemoryStore::run_full() {
    image().keep_unflushed(0);
    ledger_->reload(image().newest_marks());
    return {Errc::disk_full, "no space left on the memory disk; nothing since the last flush was stored"};
}

Result<Applied> MemoryStore::apply(std::span<const Command> batch) {
    if (auto usable = check_usable(); !usable) return usable.error();
    using Fault = MemoryDisk::Fault;
    const Fault fault = std::exchange(disk_->apply_fault_, Fault::none);
    if (fault == Fault::before) return fail("apply");
    if (fault == Fault::full) return run_full();
    image().begin_batch();
    Applied applied = ledger_->apply(batch);
    if (image().failure()) {
        is_broken_ = true;
        return *image().failure();
    }
    if (fault == Fault::after) return fail("apply");
    return applied;
}

Result<void> MemoryStore::flush() {
    if (auto usable = check_usable(); !usable) return usable.error();
    using Fault = MemoryDisk::Fault;
    const Fault fault = std::exchange(disk_->flush_fault_, Fault::none);
    if (fault == Fault::full) return run_full();
    if (fault == Fault::before) {
        image().keep_unflushed(0);
        return fail("flush");
    }
    image().flush();
    if (fault == Fault::after) return fail("flush");
    ledger_->flushed();
    return {};
}

Result<void> MemoryStore::close() {
    if (auto usable = check_usable(); !usable) return usable.error();
    image().begin_batch();
    ledger_->close();
    MemoryImage::Meta meta = image().meta();
    meta.clean = true;
    image().set_meta(meta);
    image().flush();
    is_broken_ = true;
    return {};
}

// ---- reader ------------------------------------------------------------------------------------------------------

Result<TaskRow> MemoryStore::get(const TaskId& id) {
    const TaskRef ref = image().find(id);
    if (ref == 0) return Error{Errc::not_found, "no task " + to_string(id) + " in this store; `pawl list` shows all"};
    return get(ref);
}

Result<TaskRow> MemoryStore::get(TaskRef ref) {
    const auto found = image().rows().find(ref);
    if (found == image().rows().end()) return Error{Errc::not_found, "no such task in this store"};
    return image().full_row(found->second);
}

Result<std::vector<TaskId>> MemoryStore::match(std::string_view part, int tasks_max) {
    std::vector<TaskId> ids;
    for (const auto& [ref, stored] : image().rows()) {
        const std::string text = to_string(stored.row.id).substr(2);
        if (!text.starts_with(part) && !text.ends_with(part)) continue;
        ids.push_back(stored.row.id);
    }
    std::sort(ids.begin(), ids.end());
    if (static_cast<int>(ids.size()) > tasks_max) ids.resize(static_cast<std::size_t>(tasks_max));
    return ids;
}

Result<std::vector<TaskRow>> MemoryStore::list(const ListFilter& filter) {
    std::vector<TaskRow> rows;
    for (auto it = image().rows().rbegin(); it != image().rows().rend(); ++it) {
        if (static_cast<int>(rows.size()) == filter.tasks_max) break;
        TaskRow row = image().full_row(it->second);
        const auto& states = filter.states;
        if (filter.before && row.ref >= *filter.before) continue;
        if (filter.space && row.lane.space != *filter.space) continue;
        if (!states.empty() && std::find(states.begin(), states.end(), row.state) == states.end()) continue;
        if (filter.type && row.lane.type != *filter.type) continue;
        if (filter.queue && row.lane.queue != *filter.queue) continue;
        if (filter.key && row.key != *filter.key) continue;
        if (filter.tag && !image().has_tag(row.ref, *filter.tag)) continue;
        row.input.clear();
        row.output.clear();
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<std::vector<Entry>> MemoryStore::journal(TaskRef task, int after_no, int entries_max) {
    return image().entries(task, {.after_no = after_no, .entries_max = entries_max});
}

Result<std::vector<std::pair<Entry, TaskId>>> MemoryStore::feed(const FeedCursor& after, int entries_max) {
    std::vector<std::pair<Entry, TaskId>> found;
    const auto& feed = image().feed();
    for (auto it = feed.upper_bound(after.seq); it != feed.end(); ++it) {
        if (static_cast<int>(found.size()) == entries_max) break;
        const auto& [task, index] = it->second;
        found.emplace_back((*image().journal(task))[static_cast<std::size_t>(index)], image().rows().at(task).row.id);
    }
    return found;
}

Result<std::vector<QueueStatus>> MemoryStore::queues() {
    std::map<QueueKey, QueueStatus> found;
    for (const auto& [key, settings] : image().queues()) {
        QueueStatus& status = found[key];
        status.concurrency = settings.concurrency;
        status.depth_max = settings.depth_max;
        status.paused = settings.paused;
    }
    for (const auto& [ref, stored] : image().rows()) {
        const LaneKey lane = image().full_row(stored).lane;
        QueueStatus& status = found[{lane.space, lane.queue}];
        status.running += stored.row.state == TaskState::running ? 1 : 0;
        status.pending += stored.row.state == TaskState::pending ? 1 : 0;
        status.waiting += stored.row.state == TaskState::waiting ? 1 : 0;
    }
    std::vector<QueueStatus> all;
    for (auto& [key, status] : found) {
        status.space = key.space;
        status.name = key.name;
        all.push_back(std::move(status));
    }
    return all;
}

Result<std::vector<std::string>> MemoryStore::tags(TaskRef task) { return image().tags(task); }

Result<std::vector<std::int64_t>> MemoryStore::counts() {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(TaskState::cancelled) + 1);
    for (const auto& [ref, stored] : image().rows()) ++counts[static_cast<std::size_t>(stored.row.state)];
    return counts;
}

Result<void> MemoryStore::backup(const std::string& file) {
    return Error{Errc::refused, "backup to " + file + ": a store in memory has no file to copy"};
}

Result<std::vector<std::string>> MemoryStore::check() { return image().check(); }

}  // namespace pawl::store
