#include "core/ledger.hpp"

#include "core/assert.hpp"
#include "core/ledger_parts.hpp"
#include "core/limits.hpp"
#include "core/poison.hpp"

#include <algorithm>
#include <cstring>

namespace pawl::core {
namespace {

// Rows that one batch wakes, fails or ends before its commands: the rest waits for the next batch.
constexpr int passed_rows_max = 1'000;

}  // namespace

Line line_of(const TaskRow& row) {
    if (row.state == TaskState::running) return Line::running;
    if (!transition::is_ready(row)) return Line::none;
    if (row.format_min > journal_format_max) return Line::aside;
    return row.suspect ? Line::suspect : Line::ready;
}

std::size_t LedgerBase::IdHash::operator()(const TaskId& id) const {
    std::size_t random = 0;
    std::memcpy(&random, id.bytes.data() + 7, sizeof random);
    return random;
}

LedgerBase::LedgerBase(Tables& tables, const StoreClock& clock, const Opening& opening)
    : tables_(tables),
      shared_(tables.shared()),
      clock_(clock),
      opening_(opening),
      opened_(clock.now()),
      last_now_(opened_),
      lanes_(tables,
             [this](LaneId lane, int rows_max) {
                 write_back();  // the tables must know what is ready before they are asked
                 return tables_.ready(lane, rows_max);
             }),
      seq_(opening.marks.seq),
      ref_(opening.marks.ref),
      epoch_(opening.epoch),
      sink_(std::make_unique<BatchSink>(*this)) {}

LedgerBase::~LedgerBase() = default;

// ---- opening and closing -----------------------------------------------------------------------------------------

void LedgerBase::load_memory() {
    lanes_.load();
    for (StoredRow& stored : tables_.running()) {
        if (!stored.is_readable || stored.row.state != TaskState::running) {
            tables_.set_aside(stored.row.ref);
            continue;
        }
        const Cached* cached = adopt(std::move(stored), false);
        if (cached) enter_books(*cached, standing_of(cached->row));
    }
    due_.set(tables_.next_due());
    expiry_.set(tables_.next_expiry());
    deadline_.set(tables_.next_deadline());
}

void LedgerBase::open() {
    if (shared_) return open_shared();
    begin_batch();
    tables_.readmit();
    load_memory();
    if (tables_.failure()) return;
    std::vector<TaskRow> held;
    for (const auto& [ref, cached] : cache_) held.push_back(cached->row);
    std::sort(held.begin(), held.end(), [](const TaskRow& a, const TaskRow& b) { return a.ref < b.ref; });
    std::vector<JournalFacts> facts;
    for (const TaskRow& row : held) facts.push_back(intents_of(row));
    end_orphans(held, facts);
    if (tables_.failure()) return;
    take_over(held, facts, opening_.marks.clock);
    write_back();
    find_next();
    notices_.clear();
}

// All that one owner held.
void LedgerBase::take_over(const std::vector<TaskRow>& held, const std::vector<JournalFacts>& facts,
                           Instant last_seen) {
    const bool alone = suspect_was_alone(held);
    for (std::size_t i = 0; i < held.size(); i++) {
        const bool is_living = !shared_ && held[i].fence.epoch == opening_.living_epoch;
        change(*fetch(held[i].ref), [&](TaskRow& r) {
            if (is_living) transition::hand_back(stage(), r, facts[i]);
            else transition::take_over(stage(), r, alone, last_seen, facts[i]);
        });
    }
}

// Before the take-over is durable: if we die in the middle, the next opening finds the tasks as we did. From here on
// the row's end needs nobody who could find the processes.
void LedgerBase::end_orphans(const std::vector<TaskRow>& held, const std::vector<JournalFacts>& facts) {
    if (!opening_.end_orphans) return;
    std::vector<std::string> running;
    for (std::size_t i = 0; i < held.size(); i++) {
        if (held[i].fence.epoch == opening_.living_epoch) continue;  // this process stops what it ran
        for (const JournalFacts::Intent& intent : facts[i].open_intents()) {
            for (Entry& entry : tables_.entries(held[i].ref, {.after_no = intent.no - 1, .entries_max = 1}))
                if (!entry.result.empty()) running.push_back(std::move(entry.result));
        }
    }
    if (!running.empty()) opening_.end_orphans(running);
}

void LedgerBase::close() {
    std::optional<SharedTables::Outlook> outlook;
    if (shared_) outlook = look_at_held();
    begin_batch();
    if (outlook) take_in_held(*outlook);
    std::vector<TaskRef> running;
    for (const auto& [ref, cached] : cache_) {
        if (cached->row.state == TaskState::running && (!shared_ || is_held_here(cached->row))) running.push_back(ref);
    }
    std::sort(running.begin(), running.end());
    for (const TaskRef ref : running) {
        Cached& cached = *fetch(ref);
        const JournalFacts facts = intents_of(cached.row);
        change(cached, [&](TaskRow& r) { transition::hand_back(stage(), r, facts); });
    }
    write_back();
    tables_.save_marks(marks());
}

void LedgerBase::reload(const Marks& marks) {
    cache_.clear();
    dirty_.clear();
    touched_.clear();
    new_ids_.clear();
    notices_.clear();
    lanes_.forget();
    ++transaction_;
    seq_ = marks.seq;
    ref_ = marks.ref;
    flushed_ = batch_;
    // Shared tables may be out of reach just now; the next look reads what is needed.
    if (!shared_) load_memory();
}

// ---- batches -----------------------------------------------------------------------------------------------------

void LedgerBase::begin_batch() {
    ++batch_;
    now_ = last_now_ = std::max(clock_.now(), last_now_);
    wall_ = clock_.wall();
    notices_.clear();
}

Fence LedgerBase::next_fence(const TaskRow& row) {
    if (shared_) return {row.fence.epoch + 1, shared_->worker()};
    if (claims_ == opening_.claims_max) {
        tables_.set_epoch(++epoch_);
        claims_ = 0;
    }
    return {epoch_, ++claims_};
}

Applied LedgerBase::apply(std::span<const Command> batch) {
    std::optional<SharedTables::Outlook> outlook;
    if (shared_) outlook = look(batch);
    begin_batch();
    Applied applied;
    applied.replies.reserve(batch.size());
    if (outlook) take_in(*outlook);
    pass_time();
    for (const Command& command : batch) {
        if (tables_.failure()) return applied;
        applied.replies.push_back(std::visit([this](const auto& c) { return run(c); }, command));
    }
    write_back();
    find_next();
    applied.more_ready = lanes_.more_ready();
    applied.notices = std::move(notices_);
    applied.now = now_;
    applied.next_due = due_.get();
    if (expiry_.get() && (!applied.next_due || *expiry_.get() < *applied.next_due)) applied.next_due = expiry_.get();
    applied.next_deadline = deadline_.get();
    applied.newest = newest();
    return applied;
}

void LedgerBase::flushed() {
    flushed_ = batch_;
    for (const TaskRef ref : touched_) {
        const auto found = cache_.find(ref);
        const TaskRow* row = found == cache_.end() ? nullptr : &found->second->row;
        const bool is_kept = row && (shared_ ? is_held_here(*row) : row->state == TaskState::running);
        if (is_kept && shared_) held_[ref] = {row->id, row->fence, row->ending, row->pause_requested, row->memo.newest};
        if (is_kept) continue;
        held_.erase(ref);
        if (row) cache_.erase(found);
    }
    touched_.clear();
    ++transaction_;
}

// ---- rows --------------------------------------------------------------------------------------------------------

LedgerBase::Cached* LedgerBase::fetch(TaskRef ref, bool with_input) {
    const auto found = cache_.find(ref);
    const bool is_known = found != cache_.end() && is_seen(*found->second);
    if (is_known && (!with_input || found->second->has_input)) return found->second.get();
    std::optional<StoredRow> stored = tables_.task(ref, with_input);
    if (!stored) return nullptr;
    // Without a look at the tables a running task is always in the cache: one that is not contradicts itself.
    const bool runs_unheld = !shared_ && found == cache_.end() && stored->row.state == TaskState::running;
    if (!stored->is_readable || runs_unheld) {
        set_aside(ref);
        return nullptr;
    }
    if (!is_known) return adopt(std::move(*stored), with_input);
    found->second->row.input = std::move(stored->row.input);
    found->second->has_input = true;
    return found->second.get();
}

// One task that cannot be worked on must not stop the others: it is left as it is, and nothing looks at it again
// before the next opening.
void LedgerBase::set_aside(TaskRef ref) {
    write_back();  // what the batch has made of it so far
    cache_.erase(ref);
    lanes_.drop(ref);
    tables_.set_aside(ref);
    due_.make_stale();
    expiry_.make_stale();
    deadline_.make_stale();
}

Error LedgerBase::unreadable(const std::string& what) const {
    if (tables_.failure()) return *tables_.failure();
    return {Errc::store_newer, what +
                                   ": this version cannot read it: a newer Pawl wrote it, or it is damaged (`pawl "
                                   "doctor` says more); nothing was changed; the other tasks go on"};
}

TaskRef LedgerBase::find(const TaskId& id) {
    const auto found = new_ids_.find(id);
    return found != new_ids_.end() ? found->second : tables_.find(id);
}

LedgerBase::Cached* LedgerBase::adopt(StoredRow stored, bool has_input) {
    if (shared_) {
        stored.lane = lanes_.id_of(stored.row.lane);
    } else if (!lanes_.contains(stored.lane)) {
        tables_.fail_corrupt(to_string(stored.row.id) + " is in a lane that does not exist");
        return nullptr;
    }
    auto cached = std::make_unique<Cached>();
    cached->row = std::move(stored.row);
    cached->lane = stored.lane;
    cached->row.lane = lanes_.key_of(stored.lane);
    cached->has_input = has_input;
    cached->seen_in = transaction_;
    touched_.push_back(cached->row.ref);
    auto& slot = cache_[cached->row.ref];
    slot = std::move(cached);
    return slot.get();
}

LedgerBase::Cached& LedgerBase::insert(TaskRow row) {
    auto cached = std::make_unique<Cached>();
    cached->lane = lanes_.id_of(row.lane);
    cached->row = std::move(row);
    cached->is_new = true;
    cached->has_input = true;
    cached->changed_in = batch_;
    cached->seen_in = transaction_;
    touched_.push_back(cached->row.ref);
    new_ids_.emplace(cached->row.id, cached->row.ref);
    auto& slot = cache_[cached->row.ref];
    slot = std::move(cached);
    mark_dirty(*slot);
    enter_books(*slot, standing_of(slot->row));
    return *slot;
}

void LedgerBase::mark_dirty(Cached& cached) {
    cached.changed_in = batch_;
    if (cached.is_dirty) return;
    cached.is_dirty = true;
    dirty_.push_back(cached.row.ref);
    if (shared_) touched_.push_back(cached.row.ref);
}

void LedgerBase::write_back() {
    for (const TaskRef ref : dirty_) {
        Cached& cached = *cache_.at(ref);
        ++cached.row.revision;
        if (cached.is_new) {
            tables_.insert(cached.row, cached.lane);
        } else {
            tables_.update(cached.row, cached.lane);
        }
        cached.is_new = cached.is_dirty = cached.has_input = false;
        cached.row.input.clear();
        cached.row.output.clear();
    }
    dirty_.clear();
    new_ids_.clear();
}

// ---- books -------------------------------------------------------------------------------------------------------

LedgerBase::Standing LedgerBase::standing_of(const TaskRow& row) {
    Standing s;
    s.state = row.state;
    s.line = line_of(row);
    s.at_risk = is_at_risk(row);
    s.version = row.lane.version;
    if (s.line == Line::aside) return s;  // its times are for a newer version
    if (transition::wakes_by_itself(row)) s.due = row.due;
    s.expires = row.expires;
    if (transition::has_open_deadline(row)) s.deadline = row.deadline;
    return s;
}

void LedgerBase::enter_books(const Cached& cached, const Standing& s) {
    if (s.line == Line::ready) lanes_.add(cached.lane, head_of(cached.row));
    if (s.line == Line::suspect) lanes_.add_suspect(cached.lane, head_of(cached.row));
    if (s.state == TaskState::running) lanes_.count_running(cached.lane, 1);
    if (s.state == TaskState::pending) lanes_.count_pending(cached.lane, 1);
    if (s.at_risk) lanes_.count_at_risk(1);
    due_.add(s.due);
    expiry_.add(s.expires);
    deadline_.add(s.deadline);
}

void LedgerBase::leave_books(const Cached& cached, const Standing& s) {
    if (s.line == Line::ready) lanes_.remove(cached.lane, head_of(cached.row));
    if (s.line == Line::suspect) lanes_.remove_suspect(cached.lane, head_of(cached.row));
    if (s.state == TaskState::running) lanes_.count_running(cached.lane, -1);
    if (s.state == TaskState::pending) lanes_.count_pending(cached.lane, -1);
    if (s.at_risk) lanes_.count_at_risk(-1);
    due_.remove(s.due);
    expiry_.remove(s.expires);
    deadline_.remove(s.deadline);
}

void LedgerBase::settle(Cached& cached, const Standing& before) {
    leave_books(cached, before);
    if (cached.row.lane.version != before.version) cached.lane = lanes_.id_of(cached.row.lane);
    enter_books(cached, standing_of(cached.row));
    settle_key(cached.row, before);
    if (before.state == TaskState::running && cached.row.state != TaskState::running) {
        touched_.push_back(cached.row.ref);
    }
}

// A key lives as long as its task is not final, and a while longer.
void LedgerBase::settle_key(const TaskRow& row, const Standing& before) {
    if (row.key.empty() || is_final(row.state) == is_final(before.state)) return;
    std::optional<Instant> expires;
    if (is_final(row.state)) expires = now_ + limits::key_life;
    tables_.set_key_expiry({row.lane.space, row.lane.type, row.key}, row.ref, expires);
}

// ---- time --------------------------------------------------------------------------------------------------------

// `pass` answers whether the row's time has come indeed. A row that an earlier pass has changed is still in the later
// lists, since it is written back only at the end of the batch; any other contradicts itself.
template <class Pass>
int LedgerBase::pass_rows(const std::vector<TaskRef>& refs, Pass&& pass) {
    for (const TaskRef ref : refs) {
        Cached* cached = fetch(ref);
        if (tables_.failure()) break;
        if (cached && !pass(*cached) && cached->changed_in != batch_) set_aside(ref);
    }
    return static_cast<int>(refs.size());
}

// Ends come before waits: a task whose deadline has passed is not woken to find that out.
void LedgerBase::pass_time() {
    const auto ending_facts = [this](const TaskRow& row) {
        return row.has_open_intent && row.state != TaskState::running ? facts_of(row.ref) : JournalFacts();
    };
    int left = passed_rows_max;
    if (deadline_.has_come(wall_)) {
        left -= pass_rows(tables_.overdue(wall_, left), [&](Cached& c) {
            if (!transition::has_open_deadline(c.row)) return false;
            const JournalFacts facts = ending_facts(c.row);
            change(c, [&](TaskRow& r) { transition::reach_deadline(stage(), r, facts); });
            return true;
        });
    }
    if (left > 0 && expiry_.has_come(now_)) {
        left -= pass_rows(tables_.expired(now_, left), [&](Cached& c) {
            if (!c.row.expires || c.row.state == TaskState::running || is_final(c.row.state)) return false;
            const JournalFacts facts = ending_facts(c.row);
            change(c, [&](TaskRow& r) { transition::expire(stage(), r, facts); });
            return true;
        });
    }
    if (left > 0 && due_.has_come(now_)) {
        pass_rows(tables_.due(now_, left), [&](Cached& c) {
            if (!transition::wakes_by_itself(c.row)) return false;
            change(c, [&](TaskRow& r) { transition::wake(stage(), r); });
            return true;
        });
    }
}

void LedgerBase::find_next() {
    if (due_.is_stale()) due_.set(tables_.next_due());
    if (expiry_.is_stale()) expiry_.set(tables_.next_expiry());
    if (deadline_.is_stale()) deadline_.set(tables_.next_deadline());
}

}  // namespace pawl::core
