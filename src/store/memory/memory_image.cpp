#include "store/memory/memory_image.hpp"

#include "core/assert.hpp"

#include <algorithm>

namespace pawl::store {
namespace {

using namespace core;

template <class T>
std::vector<TaskRef> come(const std::set<std::pair<T, TaskRef>>& index, T now, int rows_max) {
    std::vector<TaskRef> refs;
    for (auto it = index.begin(); it != index.end() && it->first <= now; ++it) {
        if (static_cast<int>(refs.size()) == rows_max) break;
        refs.push_back(it->second);
    }
    return refs;
}

template <class T>
std::optional<T> soonest(const std::set<std::pair<T, TaskRef>>& index) {
    return index.empty() ? std::nullopt : std::optional(index.begin()->first);
}

template <class Set, class Value>
void set_member(Set& set, const Value& value, bool is_there) {
    if (is_there) {
        set.insert(value);
    } else {
        set.erase(value);
    }
}

}  // namespace

// ---- batches -----------------------------------------------------------------------------------------------------

void MemoryImage::keep_unflushed(int batches) {
    while (unflushed() > batches) roll_back_batch();
}

void MemoryImage::roll_back_batch() {
    PAWL_ASSERT(!batch_starts_.empty());
    while (undo_.size() > batch_starts_.back()) {
        undo_.back()();
        undo_.pop_back();
    }
    batch_starts_.pop_back();
}

void MemoryImage::flush() {
    undo_.clear();
    batch_starts_.clear();
}

template <class Map>
void MemoryImage::put(Map& map, const typename Map::key_type& key, std::optional<typename Map::mapped_type> value) {
    const auto found = map.find(key);
    std::optional<typename Map::mapped_type> old;
    if (found != map.end()) old = found->second;
    undo_.push_back([&map, key, old = std::move(old)] {
        if (old) {
            map[key] = *old;
        } else {
            map.erase(key);
        }
    });
    if (value) {
        map[key] = std::move(*value);
    } else {
        map.erase(key);
    }
}

void MemoryImage::set_meta(const Meta& meta) {
    undo_.push_back([this, old = meta_] { meta_ = old; });
    meta_ = meta;
}

Marks MemoryImage::newest_marks() const {
    Marks marks = meta_.marks;
    if (!feed_.empty()) {
        const auto& [seq, place] = *feed_.rbegin();
        marks.seq = std::max(marks.seq, seq);
        marks.clock = std::max(marks.clock, journals_.at(place.first)[static_cast<std::size_t>(place.second)].at);
    }
    if (!rows_.empty()) marks.ref = std::max(marks.ref, rows_.rbegin()->first);
    return marks;
}

// ---- tasks -------------------------------------------------------------------------------------------------------

void MemoryImage::index(const StoredRow& stored, bool is_there) {
    const TaskRow& row = stored.row;
    if (is_there) {
        ids_[row.id] = row.ref;
    } else {
        ids_.erase(row.id);
    }
    // What is set aside stands in no order.
    if (aside_.contains(row.ref) || line_of(row) == Line::aside) return;
    const Line line = line_of(row);
    if (line == Line::ready) set_member(ready_[stored.lane], head_of(row), is_there);
    if (line == Line::suspect) set_member(suspects_, std::pair(head_of(row), stored.lane), is_there);
    if (line == Line::running) set_member(running_, row.ref, is_there);
    if (transition::wakes_by_itself(row)) set_member(due_, std::pair(*row.due, row.ref), is_there);
    if (row.expires) set_member(expiry_, std::pair(*row.expires, row.ref), is_there);
    if (transition::has_open_deadline(row)) set_member(deadline_, std::pair(*row.deadline, row.ref), is_there);
    if (is_final(row.state)) set_member(final_, std::pair(row.updated, row.ref), is_there);
}

void MemoryImage::set_row(TaskRef ref, std::optional<StoredRow> row) {
    const auto found = rows_.find(ref);
    if (found != rows_.end()) index(found->second, false);
    if (!row) {
        rows_.erase(ref);
        return;
    }
    rows_[ref] = std::move(*row);
    index(rows_[ref], true);
}

void MemoryImage::put_row(TaskRef ref, std::optional<StoredRow> row) {
    const auto found = rows_.find(ref);
    std::optional<StoredRow> old;
    if (found != rows_.end()) old = found->second;
    undo_.push_back([this, ref, old = std::move(old)] { set_row(ref, old); });
    set_row(ref, std::move(row));
}

std::optional<StoredRow> MemoryImage::task(TaskRef ref, bool with_input) {
    const auto found = rows_.find(ref);
    if (found == rows_.end()) return std::nullopt;
    StoredRow stored = found->second;
    stored.row.output.clear();
    if (!with_input) stored.row.input.clear();
    return stored;
}

TaskRef MemoryImage::find(const TaskId& id) {
    const auto found = ids_.find(id);
    return found == ids_.end() ? 0 : found->second;
}

void MemoryImage::insert(const TaskRow& row, LaneId lane) {
    PAWL_ASSERT(!rows_.contains(row.ref));
    PAWL_ASSERT(!ids_.contains(row.id));
    put_row(row.ref, StoredRow{row, lane});
}

void MemoryImage::update(const TaskRow& row, LaneId lane) {
    StoredRow stored{row, lane};
    stored.row.input = rows_.at(row.ref).row.input;
    put_row(row.ref, std::move(stored));
}

void MemoryImage::move_aside(TaskRef ref, bool is_aside) {
    StoredRow row = rows_.at(ref);
    set_row(ref, std::nullopt);
    set_member(aside_, ref, is_aside);
    set_row(ref, std::move(row));
}

void MemoryImage::set_aside(TaskRef ref) {
    if (aside_.contains(ref)) return;
    undo_.push_back([this, ref] { move_aside(ref, false); });
    move_aside(ref, true);
}

void MemoryImage::readmit() {
    for (const TaskRef ref : std::vector<TaskRef>(aside_.begin(), aside_.end())) {
        undo_.push_back([this, ref] { move_aside(ref, true); });
        move_aside(ref, false);
    }
}

std::vector<StoredRow> MemoryImage::running() {
    std::vector<StoredRow> rows;
    for (const TaskRef ref : running_) {
        rows.push_back(*task(ref, false));
        TaskRow& row = rows.back().row;
        const std::vector<Entry>& entries = journals_.at(ref);
        for (auto at = entries.begin() + row.last_no; at != entries.end(); ++at)
            row.journal_bytes += static_cast<std::int64_t>(at->result.size() + at->error.size());
        row.last_no = entries.back().no;
        row.has_progressed = std::any_of(entries.begin() + row.claimed_no, entries.end(),
                                         [](const Entry& entry) { return shows_progress(entry.kind); });
    }
    return rows;
}

TaskRow MemoryImage::full_row(const StoredRow& stored) const {
    TaskRow row = stored.row;
    row.lane = lanes_.at(stored.lane);
    row.last_no = journals_.at(row.ref).back().no;
    if (aside_.contains(row.ref)) row.format_min = std::max(row.format_min, journal_format_max + 1);
    return row;
}

// ---- journal -----------------------------------------------------------------------------------------------------

const std::vector<Entry>* MemoryImage::journal(TaskRef task) const {
    const auto found = journals_.find(task);
    return found == journals_.end() ? nullptr : &found->second;
}

void MemoryImage::append(std::int64_t seq, const TaskRow& row, Instant at, const transition::NewEntry& entry) {
    std::vector<Entry>& journal = journals_[row.ref];
    PAWL_ASSERT(row.last_no == static_cast<int>(journal.size()) + 1);
    Entry stored;
    stored.cursor.seq = seq;
    stored.task = row.ref;
    stored.no = row.last_no;
    stored.kind = entry.kind;
    stored.path = entry.path;
    stored.at = at;
    stored.number = entry.number;
    stored.due = entry.due;
    stored.result = entry.result;
    stored.error = entry.error;
    stored.cost_uusd = entry.cost_uusd;
    journal.push_back(std::move(stored));
    feed_[seq] = {row.ref, row.last_no - 1};
    undo_.push_back([this, ref = row.ref, seq] {
        std::vector<Entry>& undone = journals_.at(ref);
        undone.pop_back();
        if (undone.empty()) journals_.erase(ref);
        feed_.erase(seq);
    });
}

std::vector<Entry> MemoryImage::entries(TaskRef task, const Span& span) {
    std::vector<Entry> found;
    const std::vector<Entry>* all = journal(task);
    if (!all) return found;
    std::size_t bytes = 0;
    for (const Entry& entry : *all) {
        if (entry.no <= span.after_no) continue;
        if (static_cast<int>(found.size()) == span.entries_max) break;
        bytes += entry.result.size() + entry.error.size();
        if (!found.empty() && bytes > span.bytes_max) break;
        found.push_back(entry);
    }
    return found;
}

void MemoryImage::scan(TaskRef task, int after_no, const std::function<void(const EntryHead&)>& see) {
    if (const std::vector<Entry>* all = journal(task)) {
        for (const Entry& entry : *all)
            if (entry.no > after_no) see({entry.no, entry.kind, entry.path, entry.number});
    }
}

// ---- orders ------------------------------------------------------------------------------------------------------

std::vector<Head> MemoryImage::ready(LaneId lane, int rows_max) {
    std::vector<Head> heads;
    for (const Head& head : ready_[lane]) {
        if (static_cast<int>(heads.size()) == rows_max) break;
        heads.push_back(head);
    }
    return heads;
}

std::vector<std::pair<LaneId, Head>> MemoryImage::suspects() {
    std::vector<std::pair<LaneId, Head>> found;
    for (const auto& [head, lane] : suspects_) found.emplace_back(lane, head);
    return found;
}

std::vector<TaskRef> MemoryImage::due(Instant now, int rows_max) { return come(due_, now, rows_max); }
std::vector<TaskRef> MemoryImage::expired(Instant now, int rows_max) { return come(expiry_, now, rows_max); }
std::vector<TaskRef> MemoryImage::overdue(WallInstant wall, int rows_max) { return come(deadline_, wall, rows_max); }
std::optional<Instant> MemoryImage::next_due() { return soonest(due_); }
std::optional<Instant> MemoryImage::next_expiry() { return soonest(expiry_); }
std::optional<WallInstant> MemoryImage::next_deadline() { return soonest(deadline_); }

// ---- lanes and queues --------------------------------------------------------------------------------------------

std::vector<std::pair<LaneId, LaneKey>> MemoryImage::lanes() { return {lanes_.begin(), lanes_.end()}; }
void MemoryImage::add_lane(LaneId id, const LaneKey& key) { put(lanes_, id, key); }
std::vector<std::pair<QueueKey, QueueSettings>> MemoryImage::queues() { return {queues_.begin(), queues_.end()}; }
void MemoryImage::put_queue(const QueueKey& key, const QueueSettings& settings) { put(queues_, key, settings); }

std::int64_t MemoryImage::count_pending(const QueueKey& key) {
    return std::count_if(rows_.begin(), rows_.end(), [&](const auto& entry) {
        const LaneKey& lane = lanes_.at(entry.second.lane);
        return entry.second.row.state == TaskState::pending && lane.space == key.space && lane.queue == key.name;
    });
}

// ---- keys, requests, blobs, tags ---------------------------------------------------------------------------------

std::optional<KeyRow> MemoryImage::key(const KeyName& name) {
    const auto found = keys_.find(name);
    return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

void MemoryImage::put_key(const KeyName& name, const KeyRow& row) { put(keys_, name, row); }

void MemoryImage::set_key_expiry(const KeyName& name, TaskRef task, std::optional<Instant> expires) {
    std::optional<KeyRow> row = key(name);
    if (!row || row->task != task) return;
    row->expires = expires;
    put(keys_, name, row);
}

std::optional<RequestRow> MemoryImage::request(TaskRef task, const std::string& id) {
    const auto found = requests_.find({task, id});
    return found == requests_.end() ? std::nullopt : std::optional(found->second);
}

void MemoryImage::put_request(TaskRef task, const std::string& id, const RequestRow& row) {
    put(requests_, {task, id}, row);
}

void MemoryImage::add_blob(const std::string& space, const Hash& hash, std::string_view body) {
    const auto found = blobs_.find({space, hash});
    Blob blob = found == blobs_.end() ? Blob{0, std::string(body)} : found->second;
    ++blob.refs;
    put(blobs_, {space, hash}, std::move(blob));
}

std::optional<std::string> MemoryImage::blob(const std::string& space, const Hash& hash) {
    const auto found = blobs_.find({space, hash});
    return found == blobs_.end() ? std::nullopt : std::optional(found->second.body);
}

std::vector<std::string> MemoryImage::tags(TaskRef task) const {
    std::vector<std::string> tags;
    for (const auto& [tag, tagged] : tags_)
        if (tagged == task) tags.push_back(tag);
    return tags;
}

void MemoryImage::add_tags(TaskRef task, const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) {
        if (!tags_.insert({tag, task}).second) continue;
        undo_.push_back([this, tag, task] { tags_.erase({tag, task}); });
    }
}

// ---- retention ---------------------------------------------------------------------------------------------------

bool MemoryImage::has_open_relative(const TaskRow& row) const {
    const auto parent = rows_.find(row.parent);
    if (parent != rows_.end() && !is_final(parent->second.row.state)) return true;
    return std::any_of(rows_.begin(), rows_.end(), [&](const auto& other) {
        return other.second.row.parent == row.ref && !is_final(other.second.row.state);
    });
}

std::vector<TaskRef> MemoryImage::purgeable(const PurgeBounds& bounds) {
    std::vector<TaskRef> refs;
    for (const auto& [ended, ref] : final_) {
        if (ended > bounds.final_before || static_cast<int>(refs.size()) == bounds.tasks_max) break;
        const TaskRow& row = rows_.at(ref).row;
        if (!row.key.empty() && ended > bounds.keyed_final_before) continue;
        if (!has_open_relative(row)) refs.push_back(ref);
    }
    return refs;
}

void MemoryImage::erase(const TaskRow& row) {
    const TaskRef ref = row.ref;
    for (const Entry& entry : journals_.at(ref)) put(feed_, entry.cursor.seq, std::nullopt);
    put(journals_, ref, std::nullopt);
    std::vector<std::pair<TaskRef, std::string>> requests;
    for (auto it = requests_.lower_bound({ref, ""}); it != requests_.end() && it->first.first == ref; ++it)
        requests.push_back(it->first);
    for (const auto& name : requests) put(requests_, name, std::nullopt);
    const KeyName name{row.lane.space, row.lane.type, row.key};
    if (const std::optional<KeyRow> held = key(name); held && held->task == ref) put(keys_, name, std::nullopt);
    for (auto it = tags_.begin(); it != tags_.end();) {
        if (it->second != ref) {
            ++it;
            continue;
        }
        undo_.push_back([this, tag = *it] { tags_.insert(tag); });
        it = tags_.erase(it);
    }
    if (row.definition) {
        const BlobKey blob_key{row.lane.space, *row.definition};
        Blob blob = blobs_.at(blob_key);
        put(blobs_, blob_key, --blob.refs > 0 ? std::optional(std::move(blob)) : std::nullopt);
    }
    put_row(ref, std::nullopt);
}

bool MemoryImage::sweep(Instant now) {
    std::vector<std::pair<TaskRef, std::string>> requests;
    for (const auto& [name, row] : requests_) {
        if (row.expires <= now) requests.push_back(name);
    }
    for (const auto& name : requests) put(requests_, name, std::nullopt);
    return false;
}

void MemoryImage::save_marks(const Marks& marks) {
    Meta meta = meta_;
    meta.marks = marks;
    set_meta(meta);
}

void MemoryImage::set_epoch(std::int32_t epoch) {
    Meta meta = meta_;
    meta.epoch = epoch;
    set_meta(meta);
}

// ---- check -------------------------------------------------------------------------------------------------------

std::vector<std::string> MemoryImage::check() const {
    std::vector<std::string> findings;
    std::map<BlobKey, std::int64_t> refs;
    for (const auto& [ref, stored] : rows_) {
        const std::string name = to_string(stored.row.id);
        const std::vector<Entry>* all = journal(ref);
        if (!all) {
            findings.push_back(name + " has no journal");
            continue;
        }
        for (std::size_t i = 0; i < all->size(); ++i) {
            if ((*all)[i].no != static_cast<int>(i) + 1) findings.push_back(name + ": the journal has a gap");
        }
        if (stored.row.state != TaskState::running && stored.row.last_no != all->back().no) {
            findings.push_back(name + ": the row knows another newest entry than the journal");
        }
        if (stored.row.state == TaskState::running && stored.row.fence.epoch != meta_.epoch) {
            findings.push_back(name + " runs under an epoch that is over");
        }
        if (aside_.contains(ref)) findings.push_back(name + ": it is set aside; this version cannot work on it");
        if (stored.row.definition) ++refs[{lanes_.at(stored.lane).space, *stored.row.definition}];
    }
    for (const auto& [key, blob] : blobs_) {
        if (refs[key] != blob.refs) findings.push_back("a blob's count of references is wrong");
    }
    for (const auto& [name, row] : keys_) {
        if (!rows_.contains(row.task)) findings.push_back("key " + name.key + " belongs to no task");
    }
    return findings;
}

}  // namespace pawl::store
