// The ledger's commands, one function each.
#include "core/assert.hpp"
#include "core/ledger_parts.hpp"
#include "core/limits.hpp"
#include "core/poison.hpp"
#include "core/sha256.hpp"

#include <algorithm>

namespace pawl::core {
namespace {

constexpr Micros unclean_time = std::chrono::minutes(1);
constexpr std::size_t definitions_kept = 64;

Reply refused(Errc code, std::string message) { return {Error{code, std::move(message)}, false}; }

template <class T>
Reply reply(Result<T> result, bool early = false) {
    if (!result) return {result.error(), false};
    return {Answer{std::move(*result)}, early};
}

std::string text_of(const TaskId& id) { return to_string(id); }

// Of a task that was submitted where nobody knew its type. The later of two equal types counts, as when it is run.
std::string definition_served(const Claim& command, const TaskRow& row, int version) {
    const auto served = std::find_if(command.types.rbegin(), command.types.rend(), [&](const ServedType& s) {
        return s.type == row.lane.type && s.version == version;
    });
    return served != command.types.rend() && served->definition ? *served->definition : std::string();
}

// What a repeated request must have in common with the first one. Who asks is not part of it.
Hash arguments_of(const Operate& command) {
    std::string hashed;
    append_part(hashed, "pawl request 1");
    append_part(hashed, std::to_string(static_cast<int>(command.verb)));
    append_part(hashed, command.reason);
    append_part(hashed, command.step);
    append_part(hashed, std::to_string(static_cast<int>(command.outcome)));
    append_part(hashed, command.result);
    append_part(hashed, command.deadline ? std::to_string(command.deadline->count()) : std::string());
    append_part(hashed, command.signal);
    return sha256(hashed);
}

}  // namespace

// ---- submit ------------------------------------------------------------------------------------------------------

Error LedgerBase::reused_key(const Submit& command, const TaskRow& first) const {
    return {Errc::idempotency_key_reused,
            "submit: key \"" + command.key + "\" belongs to " + text_of(first.id) +
                ", which has other input; nothing was stored; use a new key for new input"};
}

// An earlier submit holds the key. Nothing when its task is to be replaced.
std::optional<Reply> LedgerBase::submit_to_existing(const Submit& command, const KeyRow& key) {
    Cached* first = fetch(key.task);
    if (!first) {
        if (tables_.task(key.task, false))
            return Reply{unreadable("submit " + text_of(command.id) + ": the task of key \"" + command.key + "\""),
                         false};
        tables_.fail_corrupt(  // a task outlives its key
            "the task of key \"" + command.key + "\" is missing");
        return Reply{*tables_.failure(), false};
    }
    if (command.on_existing == OnExisting::replace) return std::nullopt;
    if (key.fingerprint != command.fingerprint) return Reply{reused_key(command, first->row), false};
    if (command.on_existing == OnExisting::reject) {
        return refused(Errc::key_exists, "submit: key \"" + command.key + "\" belongs to " + text_of(first->row.id) +
                                             "; nothing was stored");
    }
    const bool has_failed = first->row.state == TaskState::failed || first->row.state == TaskState::cancelled;
    if (command.on_existing == OnExisting::retry_if_failed && has_failed) {
        Operate retry;
        retry.verb = Operate::Verb::retry;
        retry.id = first->row.id;
        retry.who = "a submit with its key";
        if (const auto* length = std::get_if<Micros>(&command.deadline)) retry.deadline = *length;
        if (const auto* at = std::get_if<WallInstant>(&command.deadline)) retry.deadline = *at - wall_;
        const Result<Operated> retried = operate_on(*first, retry);
        if (!retried) return Reply{retried.error(), false};
    }
    return reply<Submitted>(Submitted{first->row.ref, first->row.id, true, first->row.state});
}

Reply LedgerBase::run(const Submit& command) {
    // The same id again is the same submit: its first answer was lost on the way.
    if (const TaskRef known = find(command.id)) {
        const Cached* first = fetch(known);
        if (!first) return {unreadable("submit " + text_of(command.id)), false};
        return reply<Submitted>(Submitted{known, command.id, true, first->row.state});
    }
    const KeyName name{command.lane.space, command.lane.type, command.key};
    TaskRef replaced = 0;
    if (!command.key.empty()) {
        if (shared_ && shared_->is_busy(name)) return Reply{.answer = Answer{Ticked{}}, .early = false, .again = true};
        const std::optional<KeyRow> key = tables_.key(name);
        if (key && (!key->expires || *key->expires > now_)) {
            if (std::optional<Reply> answer = submit_to_existing(command, *key)) return std::move(*answer);
            replaced = key->task;
        }
    }
    if (lanes_.is_full({command.lane.space, command.lane.queue})) {
        return refused(Errc::queue_full, "submit: queue \"" + command.lane.queue +
                                             "\" is at its maximum depth; nothing was stored; try again later");
    }
    std::optional<Hash> definition;
    if (!command.definition.empty()) definition = sha256(command.definition);
    const TaskRef ref = shared_ ? shared_->new_ref() : ref_ + 1;
    Result<TaskRow> row = transition::submit(stage(), command, ref, definition);
    if (!row) return {row.error(), false};
    ref_ = ref;

    if (replaced != 0) {
        Cached& old = *fetch(replaced);
        Operate cancel;
        cancel.id = old.row.id;
        cancel.who = "a submit that took its key, " + text_of(command.id);
        if (!is_final(old.row.state)) (void)operate_on(old, cancel);
    }
    if (definition) tables_.add_blob(command.lane.space, *definition, command.definition);
    if (!command.tags.empty()) tables_.add_tags(ref_, command.tags);
    if (!command.key.empty()) tables_.put_key(name, {ref_, command.fingerprint, std::nullopt});
    insert(std::move(*row));
    return reply<Submitted>(Submitted{ref_, command.id, false, TaskState::pending});
}

// ---- operate, queues ---------------------------------------------------------------------------------------------

JournalFacts LedgerBase::facts_of(TaskRef ref, int after_no) {
    JournalFacts facts;
    tables_.scan(ref, after_no, [&](const EntryHead& entry) { facts.see(entry); });
    return facts;
}

JournalFacts LedgerBase::intents_of(const TaskRow& row) {
    return facts_of(row.ref, row.has_open_intent ? 0 : row.claimed_no);
}

Result<Operated> LedgerBase::operate_on(Cached& cached, const Operate& command) {
    JournalFacts facts;
    if (transition::needs_facts(cached.row, command)) facts = facts_of(cached.row.ref);
    return change(cached, [&](TaskRow& r) { return transition::operate(stage(), r, command, facts); });
}

Reply LedgerBase::run(const Operate& command) {
    const TaskRef ref = find(command.id);
    Cached* cached = ref ? fetch(ref) : nullptr;
    if (ref != 0 && !cached) return {unreadable(text_of(command.id)), false};
    if (!cached) {
        return refused(Errc::not_found, "no task " + text_of(command.id) + " in this store; `pawl list` shows all");
    }
    if (!command.request_id.empty()) {
        if (const std::optional<RequestRow> first = tables_.request(ref, command.request_id)) {
            if (first->arguments == arguments_of(command)) return reply<Operated>(first->answer);
            return refused(Errc::idempotency_key_reused,
                           "request " + command.request_id + " on " + text_of(command.id) +
                               " asked for something else the first time; nothing was changed; take a new request id");
        }
    }
    const Result<Operated> done = operate_on(*cached, command);
    if (done && !command.request_id.empty()) {
        tables_.put_request(ref, command.request_id,
                            {command.verb, arguments_of(command), *done, now_ + limits::key_life});
    }
    return reply(done);
}

Reply LedgerBase::run(const SetQueue& command) {
    const QueueKey key{command.space, command.name};
    QueueSettings settings = lanes_.queue(key);
    if (command.concurrency) settings.concurrency = *command.concurrency;
    if (command.depth_max) settings.depth_max = *command.depth_max;
    if (command.paused) settings.paused = *command.paused;
    write_back();  // the queue's rows are counted in the tables
    lanes_.set_queue(key, settings);
    return reply<QueueSet>(QueueSet{});
}

// ---- workers -----------------------------------------------------------------------------------------------------

std::optional<std::string> LedgerBase::definition_of(const TaskRow& row) {
    if (!row.definition) return std::string();
    const std::string name = row.lane.space + '/' +
                             std::string(reinterpret_cast<const char*>(row.definition->data()), row.definition->size());
    const auto found = definitions_.find(name);
    if (found != definitions_.end()) return found->second;
    std::optional<std::string> body = tables_.blob(row.lane.space, *row.definition);
    if (!body) return std::nullopt;
    if (definitions_.size() >= definitions_kept) definitions_.clear();
    return definitions_[name] = std::move(*body);
}

// One more task refers to it; nothing when there is none.
std::optional<Hash> LedgerBase::store_definition(const std::string& space, const std::string& definition) {
    if (definition.empty()) return std::nullopt;
    const Hash hash = sha256(definition);
    tables_.add_blob(space, hash, definition);
    return hash;
}

ClaimedTask LedgerBase::claim_one(Cached& cached, int version, const std::optional<Hash>& bound,
                                  std::string definition) {
    ClaimedTask task;
    const Fence fence = next_fence(cached.row);
    change(cached, [&](TaskRow& r) { transition::claim(stage(), r, fence, version, bound); });
    task.row = cached.row;
    if (!cached.is_new) {  // a new row still has to be written, input and all
        cached.row.input = {};
        cached.has_input = false;
    }
    task.definition = std::move(definition);
    task.fresh = task.row.last_no == 2;  // submitted, claimed
    if (task.row.reopened > 0) task.voided = facts_of(task.row.ref).voided();
    return task;
}

std::optional<ClaimedTask> LedgerBase::claim_picked(const Claim& command, const Lanes::Pick& pick, bool* early) {
    Cached* cached = fetch(pick.ref, true);
    if (tables_.failure()) return std::nullopt;
    if (!cached) {
        lanes_.drop(pick.ref);  // it may be missing altogether
        return std::nullopt;
    }
    if (!shared_ && cached->row.fence.epoch > epoch_) {
        tables_.fail_corrupt(text_of(cached->row.id) + " was claimed under an epoch that is still to come");
        return std::nullopt;
    }
    std::optional<std::string> definition = definition_of(cached->row);
    if (!definition || !transition::is_ready(cached->row)) {
        set_aside(pick.ref);
        return std::nullopt;
    }
    *early = *early && is_durable(cached);
    std::optional<Hash> bound;
    if (definition->empty()) {
        *definition = definition_served(command, cached->row, pick.version);
        bound = store_definition(cached->row.lane.space, *definition);
    }
    return claim_one(*cached, pick.version, bound, std::move(*definition));
}

Reply LedgerBase::run(const Claim& command) {
    Claimed claimed;
    // Another process would run a task whose claim was lost: on shared tables it is durable first.
    bool early = !shared_ && (!opening_.unclean || now_ - opened_ >= unclean_time);
    const auto left = [&] { return command.tasks_max - static_cast<int>(claimed.tasks.size()); };
    std::optional<Head> known_to;  // shared: what is ready behind this is not known
    if (shared_ && left() > 0) known_to = look_for(command, left());
    std::optional<Lanes::Picker> picker(std::in_place, lanes_, lanes_.plan(command));
    while (left() > 0 && !tables_.failure()) {
        const std::optional<Lanes::Pick> pick = picker->next();
        // A queue has reached its limit, so others get their turn sooner.
        if (known_to && (!pick || pick->head > *known_to)) {
            known_to = look_for(command, left());
            picker.emplace(lanes_, lanes_.plan(command));
            continue;
        }
        if (!pick) break;
        if (std::optional<ClaimedTask> task = claim_picked(command, *pick, &early))
            claimed.tasks.push_back(std::move(*task));
    }
    return reply<Claimed>(std::move(claimed), early);
}

Reply LedgerBase::run(const Record& command) {
    Cached* cached = fetch(command.task);
    const bool is_over = cached && is_final(cached->row.state) && command.fence == cached->row.fence;
    const bool is_held = cached && cached->row.state == TaskState::running && holds(cached->row, command.fence);
    if (!is_held && !is_over) {
        return refused(Errc::lease_lost,
                       "record of task " + (cached ? text_of(cached->row.id) : "?") +
                           ": a newer claim exists, or it has left its worker; discard what you have");
    }
    const bool is_noted_in_row = std::any_of(command.entries.begin(), command.entries.end(),
                                             [](const EntryDraft& e) { return is_noted(e.kind); });
    if (is_noted_in_row || !std::holds_alternative<std::monostate>(command.next)) {
        JournalFacts facts;
        if (transition::needs_facts(cached->row, command)) facts = facts_of(cached->row.ref);
        return reply(
            change(*cached, [&](TaskRow& r) { return transition::record(stage(), r, command, std::move(facts)); }));
    }
    // Entries alone leave the row as it is: they cost one insert each and nothing else.
    const bool was_at_risk = is_at_risk(cached->row);
    Result<Recorded> recorded = transition::record(stage(), cached->row, command);
    if (recorded) {
        cached->changed_in = batch_;
        if (was_at_risk && !is_at_risk(cached->row)) lanes_.count_at_risk(-1);
    }
    return reply(std::move(recorded));
}

Reply LedgerBase::run(const Load& command) {
    const Cached* cached = fetch(command.task);
    if (!cached) return refused(Errc::not_found, "load: no such task in this store, or none that it can read");
    Loaded loaded;
    loaded.entries = tables_.entries(command.task, {.after_no = command.after_no, .entries_max = command.entries_max});
    const int newest = loaded.entries.empty() ? command.after_no : loaded.entries.back().no;
    loaded.end = newest >= cached->row.last_no;
    return reply<Loaded>(std::move(loaded), is_durable(cached));
}

// ---- upkeep ------------------------------------------------------------------------------------------------------

Reply LedgerBase::run(const Tick&) { return reply<Ticked>(Ticked{}); }

Reply LedgerBase::run(const Purge& command) {
    write_back();
    const std::vector<TaskRef> refs = tables_.purgeable(
        {now_ - command.older_than, now_ - std::max(command.older_than, limits::key_life), command.tasks_max});
    for (const TaskRef ref : refs) {
        const Cached* cached = fetch(ref);
        if (tables_.failure()) break;
        if (!cached) continue;
        tables_.erase(cached->row);
        cache_.erase(ref);
    }
    const bool is_left = tables_.sweep(now_);
    tables_.save_marks(marks());
    const int count = static_cast<int>(refs.size());
    return reply<Purged>(Purged{count, is_left || count == command.tasks_max});
}

}  // namespace pawl::core
