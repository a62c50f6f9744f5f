// The ledger on tables that other processes write to as well: what a look at them changes in what it remembers.
#include "core/assert.hpp"
#include "core/ledger_parts.hpp"
#include "core/poison.hpp"

#include <algorithm>

namespace pawl::core {

class LedgerBase::HeldRows final : public SharedTables::Held {
public:
    explicit HeldRows(const LedgerBase& ledger) : ledger_(ledger) {}

    std::optional<int> revision(TaskRef ref) const override {
        if (!ledger_.held_.contains(ref)) return std::nullopt;
        const auto found = ledger_.cache_.find(ref);
        return found == ledger_.cache_.end() ? forgotten : found->second->row.revision;
    }
    std::vector<Row> all() const override {
        std::vector<Row> rows;
        for (const auto& [ref, held] : ledger_.held_) rows.push_back({ref, *revision(ref)});
        return rows;
    }

private:
    // No row has it: after a batch that failed they are read again.
    static constexpr int forgotten = -1;

    const LedgerBase& ledger_;
};

bool LedgerBase::is_held_here(const TaskRow& row) const {
    return row.state == TaskState::running && row.fence.claim == shared_->worker();
}

SharedTables::Outlook LedgerBase::look(std::span<const Command> batch) {
    lanes_.forget_rows();
    return shared_->look(batch, HeldRows(*this));
}

SharedTables::Outlook LedgerBase::look_at_held() const { return shared_->look_at_held(HeldRows(*this)); }

void LedgerBase::open_shared() {
    const SharedTables::Outlook outlook = look({});
    begin_batch();
    take_in(outlook);
    write_back();
    find_next();
    notices_.clear();
}

void LedgerBase::take_in(const SharedTables::Outlook& outlook) {
    if (tables_.failure()) return;
    for (const auto& [key, queue] : outlook.queues) lanes_.note_queue(key, queue);
    take_in_held(outlook);
    for (const SharedTables::Dead& dead : outlook.dead) {
        std::vector<TaskRow> held;
        for (const TaskRef ref : dead.held)
            if (const Cached* cached = fetch(ref)) held.push_back(cached->row);
        std::vector<JournalFacts> facts;
        for (const TaskRow& row : held) facts.push_back(intents_of(row));
        end_orphans(held, facts);
        if (!tables_.failure()) take_over(held, facts, dead.last_seen);
    }
    for (const SharedTables::Posted& posted : outlook.posted) take_in_posted(posted);
    if (!outlook.look_at_times) return;
    due_.make_stale();
    expiry_.make_stale();
    deadline_.make_stale();
    find_next();
}

void LedgerBase::take_in_held(const SharedTables::Outlook& outlook) {
    for (const TaskRef ref : outlook.unchanged) cache_.at(ref)->seen_in = transaction_;
    for (const TaskRef ref : outlook.changed) {
        cache_.erase(ref);
        touched_.push_back(ref);
        const Cached* now = fetch(ref);
        if (tables_.failure()) return;
        tell_changed(ref, held_.at(ref), now ? &now->row : nullptr);
    }
}

// The key is this task's since its user's commit, whoever may have had it before; a queue that has become full since
// does not matter either. Its times run from the call.
void LedgerBase::take_in_posted(const SharedTables::Posted& posted) {
    const Submit& submit = posted.submit;
    transition::Stage at_call = stage();
    at_call.now = std::min(posted.at, now_);
    at_call.wall = std::min(wall_instant(count(posted.at)), wall_);
    Result<TaskRow> row = transition::submit(at_call, submit, posted.ref, std::nullopt);
    PAWL_ASSERT(row.has_value());  // all that it refuses is a deadline before the call
    if (!submit.tags.empty()) tables_.add_tags(posted.ref, submit.tags);
    if (!submit.key.empty()) {
        tables_.put_key({submit.lane.space, submit.lane.type, submit.key},
                        {posted.ref, submit.fingerprint, std::nullopt});
    }
    insert(std::move(*row));
}

// What others decided about a task that runs here.
void LedgerBase::tell_changed(TaskRef ref, const HeldRow& before, const TaskRow* now) {
    if (!now || now->state != TaskState::running || now->fence != before.fence) {
        notices_.push_back({Notice::What::lost, ref, before.id, TaskState::running, Ending::none, before.fence});
        return;
    }
    if (now->ending != before.ending) sink_->notice(Notice::What::ending, *now);
    if (now->pause_requested && !before.pause_requested) sink_->notice(Notice::What::pause_requested, *now);
    if (now->memo.newest > before.newest_message) sink_->notice(Notice::What::message, *now);
}

std::optional<Head> LedgerBase::look_for(const Claim& command, int rows_max) {
    write_back();  // the tables must know what is ready before they are asked
    const auto is_open = [this](const QueueKey& key) { return lanes_.is_open(key); };
    const SharedTables::Claimable found = shared_->claimable(command, rows_max, is_open);
    if (tables_.failure()) return std::nullopt;
    take_in_claimable(found.ready);
    take_in_claimable(found.suspects);
    if (!found.suspects.empty()) {
        // A suspect that kills its process takes only what runs here with it.
        const auto at_risk = [this](const auto& entry) {
            return is_held_here(entry.second->row) && is_at_risk(entry.second->row);
        };
        lanes_.set_at_risk(static_cast<int>(std::count_if(cache_.begin(), cache_.end(), at_risk)));
    }
    if (static_cast<int>(found.ready.size()) < rows_max) return std::nullopt;
    return head_of(found.ready.back().row);
}

void LedgerBase::take_in_claimable(const std::vector<StoredRow>& claimable) {
    for (const StoredRow& stored : claimable) {
        if (!stored.is_readable) {
            set_aside(stored.row.ref);
            continue;
        }
        const auto found = cache_.find(stored.row.ref);
        const bool is_known = found != cache_.end() && is_seen(*found->second);
        const Cached* cached = is_known ? found->second.get() : adopt(stored, true);
        const Line line = line_of(cached->row);
        if (line == Line::ready) lanes_.add(cached->lane, head_of(cached->row));
        if (line == Line::suspect) lanes_.add_suspect(cached->lane, head_of(cached->row));
    }
}

}  // namespace pawl::core
