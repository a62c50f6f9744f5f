#include "core/lanes.hpp"

#include "core/assert.hpp"

#include <algorithm>

namespace pawl::core {
namespace {

constexpr int refill_rows = 256;
constexpr std::size_t plans_max = 16;

LaneKey without_flow_key(LaneKey key) {
    key.key.clear();
    return key;
}

}  // namespace

std::optional<int> serving_version(const std::vector<ServedType>& types, const LaneKey& lane) {
    std::optional<int> best;
    for (const ServedType& served : types) {
        if (served.type != lane.type) continue;
        if (lane.version == 0) {
            best = std::max(best.value_or(0), served.version);  // a new task gets the newest code
        } else if (lane.version >= served.compatible_from && lane.version <= served.version) {
            best = std::min(best.value_or(served.version), served.version);
        }
    }
    return best;
}

// ---- ReadyWindow -------------------------------------------------------------------------------------------------

void ReadyWindow::add(const Head& head) {
    if (!complete_ && (rows_.empty() || head > rows_.back())) return;  // a refill will find it
    if (rows_.empty() || head > rows_.back()) {
        rows_.push_back(head);
    } else {
        const auto at = std::lower_bound(rows_.begin(), rows_.end(), head);
        if (*at == head) return;  // shared tables tell of a row as often as they are asked
        rows_.insert(at, head);
    }
    if (rows_.size() > rows_max && !is_whole_) {
        rows_.pop_back();
        complete_ = false;
    }
}

void ReadyWindow::remove(const Head& head) {
    if (!rows_.empty() && rows_.front() == head) {
        rows_.pop_front();
        return;
    }
    const auto found = std::lower_bound(rows_.begin(), rows_.end(), head);
    if (found != rows_.end() && *found == head) rows_.erase(found);
}

void ReadyWindow::make_whole() {
    rows_.clear();
    complete_ = is_whole_ = true;
}

void ReadyWindow::refill(const std::vector<Head>& rows, bool complete) {
    PAWL_ASSERT(rows_.empty());
    rows_.assign(rows.begin(), rows.end());
    complete_ = complete;
}

// ---- lanes -------------------------------------------------------------------------------------------------------

void Lanes::load() {
    if (shared_) return;  // each batch is told what it needs
    for (const auto& [key, settings] : tables_.queues()) {
        Queue& queue = queues_[queue_index(key)];
        queue.settings = settings;
        count_rows(queue);
    }
    for (const auto& [id, key] : tables_.lanes()) admit(id, key);
    for (const auto& [id, head] : tables_.suspects()) {
        if (!contains(id)) return tables_.fail_corrupt("the lane of a task is missing");
        add_suspect(id, head);
    }
}

void Lanes::forget() {
    lanes_.clear();
    newest_ = 0;
    ids_.clear();
    groups_.clear();
    group_ids_.clear();
    queues_.clear();
    queue_ids_.clear();
    suspects_.clear();
    filled_.clear();
    noted_.clear();
    at_risk_ = 0;
    for (Plan& plan : plans_) {
        plan.parts.clear();
        plan.groups_seen = 0;
    }
}

void Lanes::forget_rows() {
    for (const LaneId id : std::exchange(filled_, {})) {
        Lane& filled = lane(id);
        Group& group = groups_[filled.group];
        if (!filled.window.empty()) group.heads.erase({filled.window.front(), id});
        group.to_refill.erase(id);
        filled.window.make_whole();
    }
    for (const std::size_t noted : std::exchange(noted_, {})) {
        Queue& queue = queues_[noted];
        queue = {queue.key, {}, 0, {}, false};
    }
    suspects_.clear();
    at_risk_ = 0;
}

void Lanes::note_queue(const QueueKey& key, const QueueNow& now) {
    const std::size_t index = queue_index(key);
    queues_[index] = {key, now.settings, now.running, now.pending, true};
    noted_.push_back(index);
}

void Lanes::admit(LaneId id, const LaneKey& key) {
    PAWL_ASSERT(!lanes_.contains(id));
    const std::size_t group = group_index(key);
    lanes_.emplace(id, Lane{key, group, {}});
    newest_ = std::max(newest_, id);
    ids_.emplace(key, id);
    groups_[group].to_refill.insert(id);
}

LaneId Lanes::id_of(const LaneKey& key) {
    const auto found = ids_.find(key);
    if (found != ids_.end()) return found->second;
    const LaneId id = newest_ + 1;
    if (!shared_) tables_.add_lane(id, key);
    admit(id, key);
    if (shared_) lane(id).window.make_whole();
    else lane(id).window.refill({}, true);  // a new lane has no rows yet
    groups_[lane(id).group].to_refill.erase(id);
    return id;
}

const LaneKey& Lanes::key_of(LaneId id) const { return lane(id).key; }

Lanes::Lane& Lanes::lane(LaneId id) {
    const auto found = lanes_.find(id);
    PAWL_ASSERT(found != lanes_.end());
    return found->second;
}
const Lanes::Lane& Lanes::lane(LaneId id) const { return const_cast<Lanes*>(this)->lane(id); }

std::size_t Lanes::queue_index(const QueueKey& key) {
    const auto [found, is_new] = queue_ids_.emplace(key, queues_.size());
    if (is_new) queues_.push_back({key, {}, 0, {}, !shared_});
    return found->second;
}

std::size_t Lanes::group_index(const LaneKey& key) {
    const auto [found, is_new] = group_ids_.emplace(without_flow_key(key), groups_.size());
    if (is_new) groups_.push_back({found->first, queue_index({key.space, key.queue}), {}, {}});
    return found->second;
}

template <class Change>
void Lanes::change_window(LaneId id, Change&& change) {
    Lane& l = lane(id);
    Group& group = groups_[l.group];
    const std::optional<Head> before = l.window.empty() ? std::nullopt : std::optional(l.window.front());
    change(l.window);
    const std::optional<Head> after = l.window.empty() ? std::nullopt : std::optional(l.window.front());
    if (before != after) {
        if (before) group.heads.erase({*before, id});
        if (after) group.heads.insert({*after, id});
    }
    if (l.window.needs_refill()) group.to_refill.insert(id);
}

void Lanes::add(LaneId id, const Head& head) {
    if (shared_) filled_.push_back(id);
    change_window(id, [&](ReadyWindow& w) { w.add(head); });
}

void Lanes::remove(LaneId id, const Head& head) {
    change_window(id, [&](ReadyWindow& w) { w.remove(head); });
}

void Lanes::drop(TaskRef ref) {
    std::erase_if(suspects_, [ref](const auto& suspect) { return suspect.first.ref == ref; });
    for (const Group& group : groups_) {
        const auto at = std::find_if(group.heads.begin(), group.heads.end(),
                                     [ref](const auto& head) { return head.first.ref == ref; });
        if (at == group.heads.end()) continue;
        const auto [head, id] = *at;
        return remove(id, head);
    }
}

void Lanes::count_running(LaneId id, int change) {
    Queue& queue = queue_of(id);
    if (!queue.is_counted) return;
    queue.running += change;
    PAWL_ASSERT(queue.running >= 0);
}

void Lanes::count_pending(LaneId id, int change) {
    Queue& queue = queue_of(id);
    if (queue.pending) *queue.pending += change;
}

// ---- queues ------------------------------------------------------------------------------------------------------

QueueSettings Lanes::queue(const QueueKey& key) const {
    const auto found = queue_ids_.find(key);
    return found == queue_ids_.end() ? QueueSettings{} : queues_[found->second].settings;
}

void Lanes::count_rows(Queue& queue) {
    if (queue.settings.depth_max == 0) {
        queue.pending.reset();
    } else if (!queue.pending) {
        queue.pending = tables_.count_pending(queue.key);
    }
}

void Lanes::set_queue(const QueueKey& key, const QueueSettings& settings) {
    Queue& queue = queues_[queue_index(key)];
    queue.settings = settings;
    count_rows(queue);
    tables_.put_queue(key, settings);
}

bool Lanes::is_full(const QueueKey& key) const {
    const auto found = queue_ids_.find(key);
    if (found == queue_ids_.end()) return false;
    const Queue& queue = queues_[found->second];
    return queue.pending && *queue.pending >= queue.settings.depth_max;
}

bool Lanes::is_open(const QueueKey& key) const {
    const auto found = queue_ids_.find(key);
    return found == queue_ids_.end() || queues_[found->second].is_open();
}

// ---- claims ------------------------------------------------------------------------------------------------------

Lanes::Plan& Lanes::plan(const Claim& claim) {
    for (Plan& known : plans_) {
        if (known.types != claim.types || known.queues != claim.queues) continue;
        extend(known);
        return known;
    }
    if (plans_.size() >= plans_max) plans_.pop_front();
    plans_.push_back({claim.types, claim.queues, {}, 0});
    extend(plans_.back());
    return plans_.back();
}

void Lanes::extend(Plan& plan) const {
    for (; plan.groups_seen < groups_.size(); ++plan.groups_seen) {
        const LaneKey& key = groups_[plan.groups_seen].key;
        if (!plan.queues.empty() && std::find(plan.queues.begin(), plan.queues.end(), key.queue) == plan.queues.end()) {
            continue;
        }
        const std::optional<int> version = serving_version(plan.types, key);
        if (version) plan.parts.push_back({plan.groups_seen, *version});
    }
}

std::optional<Head> Lanes::best(std::size_t index) {
    Group& group = groups_[index];
    if (!queues_[group.queue].is_open()) return std::nullopt;
    while (!group.to_refill.empty()) {
        const LaneId id = *group.to_refill.begin();
        group.to_refill.erase(group.to_refill.begin());
        const std::vector<Head> rows = refill_(id, refill_rows);
        change_window(id, [&](ReadyWindow& w) { w.refill(rows, static_cast<int>(rows.size()) < refill_rows); });
    }
    if (group.heads.empty()) return std::nullopt;
    return group.heads.begin()->first;
}

std::optional<std::pair<Head, Lanes::Pick>> Lanes::best_suspect(const Plan& plan) const {
    if (at_risk_ > 0) return std::nullopt;
    for (const auto& [head, id] : suspects_) {
        const std::size_t group = lane(id).group;
        if (!queues_[groups_[group].queue].is_open()) continue;
        for (const Plan::Part& part : plan.parts) {
            if (part.group == group) return std::pair(head, Pick{head.ref, part.version, head});
        }
    }
    return std::nullopt;
}

bool Lanes::more_ready() {
    for (Plan& plan : plans_) {
        extend(plan);
        if (best_suspect(plan)) return true;
        for (const Plan::Part& part : plan.parts) {
            if (best(part.group)) return true;
        }
    }
    return false;
}

Lanes::Picker::Picker(Lanes& lanes, Plan& plan) : lanes_(lanes), plan_(plan) {
    for (std::size_t part = 0; part < plan.parts.size(); ++part) offer(part);
}

void Lanes::Picker::offer(std::size_t part) {
    const std::optional<Head> head = lanes_.best(plan_.parts[part].group);
    if (head) candidates_.push({*head, part});
}

std::optional<Lanes::Pick> Lanes::Picker::next() {
    if (taken_) offer(*std::exchange(taken_, std::nullopt));
    // Another part of the same queue may have taken its last place: such a candidate is no longer one.
    while (!candidates_.empty() && !lanes_.best(plan_.parts[candidates_.top().part].group)) { candidates_.pop(); }
    const auto suspect = lanes_.best_suspect(plan_);
    if (suspect && (candidates_.empty() || suspect->first < candidates_.top().head)) return suspect->second;
    if (candidates_.empty()) return std::nullopt;
    const Candidate best = candidates_.top();
    candidates_.pop();
    taken_ = best.part;
    return Pick{best.head.ref, plan_.parts[best.part].version, best.head};
}

}  // namespace pawl::core
