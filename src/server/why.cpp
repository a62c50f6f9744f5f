#include "server/why.hpp"

#include "core/duration.hpp"
#include "server/json_text.hpp"

#include <algorithm>

namespace pawl::server {
namespace {

using core::EntryKind;

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string plural(std::int64_t n, std::string_view one) {
    return std::to_string(n) + " " + std::string(one) + (n == 1 ? "" : "s");
}

// In single quotes, so that a step's name can be pasted into a shell.
std::string for_shell(std::string_view word) {
    std::string out = "'";
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string command(const WhyFacts& facts, std::string_view verb, std::string_view rest = {}) {
    std::string out = "pawl " + std::string(verb) + " " + core::to_string(facts.row.id);
    return rest.empty() ? out : out + " " + std::string(rest);
}

std::string in_time(core::Instant at, core::Instant now) {
    return at > now ? "in " + core::format_duration(at - now) : std::string("now");
}

std::string elapsed(core::Instant since, core::Instant now) {
    return core::format_duration(std::max(core::Micros{0}, core::Micros(now - since)));
}

const core::Entry* newest(const WhyFacts& facts, std::initializer_list<EntryKind> kinds) {
    const auto found = std::find_if(facts.recent.rbegin(), facts.recent.rend(), [&](const core::Entry& entry) {
        return std::find(kinds.begin(), kinds.end(), entry.kind) != kinds.end();
    });
    return found == facts.recent.rend() ? nullptr : &*found;
}

std::optional<core::Failure> row_failure(const core::TaskRow& row) {
    if (row.error.empty()) return std::nullopt;
    return core::decode_failure(row.error);
}

// "; " and the message, or nothing when there is none to show.
std::string because(const std::optional<core::Failure>& failure) {
    return failure && !failure->message.empty() ? ": " + failure->message : std::string();
}

// ---- who could take it ---------------------------------------------------------------------------------------------

bool fits(const core::ServedType& served, const core::LaneKey& lane) {
    const bool version_fits =
        lane.version == 0 || (served.compatible_from <= lane.version && lane.version <= served.version);
    return served.type == lane.type && version_fits;
}

// Why no worker can take this task, or nothing when one can.
std::optional<std::string> nobody_serves(const WhyFacts& facts) {
    const core::LaneKey& lane = facts.row.lane;
    if (!facts.worker) return "no worker process works this store";
    if (facts.row.format_min > core::journal_format_max)
        return "a newer Pawl wrote a part of its history, and no worker of that version works this store";
    const WorkerStatus& worker = *facts.worker;
    if (worker.draining) return "the worker was told to stop and takes no more tasks";
    const bool queue_fits = worker.queues.empty() ||
                            std::find(worker.queues.begin(), worker.queues.end(), lane.queue) != worker.queues.end();
    if (!queue_fits) return "no worker serves the queue " + quoted(lane.queue);
    if (std::any_of(worker.types.begin(), worker.types.end(), [&](const auto& t) { return fits(t, lane); })) return {};
    const bool type_known =
        std::any_of(worker.types.begin(), worker.types.end(), [&](const auto& t) { return t.type == lane.type; });
    if (type_known)
        return "no worker has version " + std::to_string(lane.version) + " of the type " + quoted(lane.type);
    return "no worker knows the type " + quoted(lane.type);
}

bool could_take(const core::WorkerRow& worker, const core::LaneKey& lane) {
    const bool queue_fits =
        worker.queues.empty() || std::ranges::find(worker.queues, lane.queue) != worker.queues.end();
    return queue_fits && std::ranges::any_of(worker.types, [&](const auto& t) { return fits(t, lane); });
}

void add_worker_hint(const WhyFacts& facts, Why& answer) {
    const auto missing = nobody_serves(facts);
    if (!missing) return;
    answer.text += " (" + *missing + ")";
    if (!facts.worker) answer.next.insert(answer.next.begin(), "pawl worker");
}

// ---- pending -------------------------------------------------------------------------------------------------------

Why back_off(const WhyFacts& facts) {
    Why answer;
    answer.reason = "retry";
    answer.until = facts.row.due;
    answer.next = {command(facts, "events"), command(facts, "cancel")};
    const core::Entry* failed = newest(facts, {EntryKind::step_attempt_failed});
    if (!failed) {
        answer.text = "a step waits for its next attempt " + in_time(*facts.row.due, facts.now);
        return answer;
    }
    answer.step = failed->path;
    answer.attempt = static_cast<int>(failed->number);
    answer.error = core::decode_failure(failed->error);
    answer.text = "attempt " + std::to_string(failed->number) + " of step " + quoted(failed->path) + " failed" +
                  because(answer.error) + "; the next attempt starts " + in_time(*facts.row.due, facts.now);
    return answer;
}

Why scheduled(const WhyFacts& facts) {
    Why answer;
    answer.reason = "scheduled";
    answer.until = facts.row.due;
    answer.text = "its start is scheduled " + in_time(*facts.row.due, facts.now);
    answer.next = {command(facts, "cancel")};
    return answer;
}

// Submitted in a user's transaction: its journal begins when a worker takes it in.
bool is_posted(const WhyFacts& facts) { return facts.row.last_no == 0; }

Why unserved(const WhyFacts& facts, const std::string& missing) {
    Why answer;
    answer.reason = "no_worker";
    answer.text = missing + "; the task is kept until one does";
    if (is_posted(facts))
        answer.text += " (it was committed in a transaction of the database, and waits to be taken in)";
    if (!facts.worker) {
        answer.next = {"pawl worker"};
    } else {
        answer.next = {"start a worker that serves type " + quoted(facts.row.lane.type) + " on queue " +
                       quoted(facts.row.lane.queue)};
    }
    answer.next.push_back(command(facts, "cancel"));
    return answer;
}

std::string behind(const WhyFacts& facts) {
    if (facts.ahead == 0) return "it is next";
    return std::string(facts.ahead_at_least ? "at least " : "") + plural(facts.ahead, "task") +
           (facts.ahead == 1 ? " goes" : " go") + " before it";
}

Why queued(const WhyFacts& facts) {
    Why answer;
    answer.ahead = facts.ahead;
    const std::string queue = "the queue " + quoted(facts.row.lane.queue);
    const std::string in_queue = " " + facts.row.lane.queue;
    const auto& settings = facts.queue;
    if (settings && settings->paused) {
        answer.reason = "queue_paused";
        answer.text = queue + " is paused";
        answer.next = {"pawl queue set" + in_queue + " --resume"};
        return answer;
    }
    if (settings && settings->concurrency > 0 && settings->running >= settings->concurrency) {
        answer.reason = "queue_full";
        answer.text =
            queue + " runs " + plural(settings->running, "task") + ", as many as its limit allows; " + behind(facts);
        answer.next = {"pawl queue set" + in_queue + " --concurrency N",
                       "pawl list --state running --queue" + in_queue};
        return answer;
    }
    answer.reason = facts.row.reason == Reason::throttled ? "throttled" : "queued";
    if (is_posted(facts)) {
        answer.text = "it was committed in a transaction of the database; a worker takes it in within a second or two";
    } else if (answer.reason == "throttled") {
        answer.text = "a limit of its queue or key holds it back; " + behind(facts);
    } else if (facts.worker->slots > 0 && facts.worker->busy >= facts.worker->slots) {
        answer.text = "the worker's " + plural(facts.worker->slots, "slot") + " are in use; " + behind(facts);
    } else {
        answer.text = "it waits in " + queue + "; " + behind(facts);
    }
    if (facts.row.suspect) {
        answer.text += "; " + plural(facts.row.crash_count, "worker") +
                       " died with it, so it runs only with no other suspect beside it";
    }
    answer.next = {"pawl list --state running --queue" + in_queue};
    return answer;
}

Why pending(const WhyFacts& facts) {
    if (facts.row.due && *facts.row.due > facts.now) {
        Why answer = facts.row.reason == Reason::retry ? back_off(facts) : scheduled(facts);
        add_worker_hint(facts, answer);
        return answer;
    }
    if (const auto missing = nobody_serves(facts)) return unserved(facts, *missing);
    return queued(facts);
}

// ---- running -------------------------------------------------------------------------------------------------------

std::string ending_text(core::Ending ending) {
    switch (ending) {
        case core::Ending::cancel:
            return "it was cancelled";
        case core::Ending::deadline:
            return "its deadline passed";
        case core::Ending::parent:
            return "its parent ended";
        case core::Ending::kill:
            return "it was killed";
        case core::Ending::none:
            break;
    }
    return "it is being ended";
}

Why ending(const WhyFacts& facts) {
    Why answer;
    answer.next = {command(facts, "kill")};
    const auto deaf =
        std::find_if(facts.live.begin(), facts.live.end(), [](const LiveStep& s) { return s.ignores_stop; });
    if (deaf != facts.live.end()) {
        answer.reason = "step_ignores_stop";
        answer.step = deaf->path;
        answer.attempt = deaf->attempt;
        answer.text = ending_text(facts.row.ending) + ", and step " + quoted(deaf->path) +
                      " ignores stop: it has run for " + elapsed(deaf->since, facts.now) +
                      " and must return before the task is final";
        answer.next.push_back("make the step look at attempt.stop_requested()");
        return answer;
    }
    answer.reason = "ending";
    answer.text = ending_text(facts.row.ending) + "; running steps are told to stop, then compensations run";
    return answer;
}

// A `once` step's start is in the journal also when the process that ran it is another one.
std::optional<LiveStep> started_step(const WhyFacts& facts) {
    if (!facts.live.empty()) return facts.live.front();
    const core::Entry* last =
        newest(facts, {EntryKind::step_started, EntryKind::step_begun, EntryKind::step_completed,
                       EntryKind::step_failed, EntryKind::step_unknown, EntryKind::step_cancelled, EntryKind::claimed});
    if (!last || !core::is_intent(last->kind)) return std::nullopt;
    return LiveStep{last->path, static_cast<int>(last->number), last->at, false};
}

Why running(const WhyFacts& facts) {
    if (facts.row.ending != core::Ending::none) return ending(facts);
    Why answer;
    if (!facts.worker) {
        answer.reason = "no_worker";
        answer.text = "the process that ran it is gone; the next worker takes it over";
        answer.next = {"pawl worker"};
        return answer;
    }
    const auto step = started_step(facts);
    answer.reason = facts.row.pause_requested ? "pause_requested" : "running";
    if (step) {
        answer.step = step->path;
        answer.attempt = step->attempt;
        answer.text = "step " + quoted(step->path) + " runs since " + elapsed(step->since, facts.now) + ", attempt " +
                      std::to_string(step->attempt);
        if (facts.live.size() > 1) answer.text += ", beside " + plural(std::ssize(facts.live) - 1, "other step");
    } else {
        const core::Entry* claimed = newest(facts, {EntryKind::claimed});
        answer.text = "a worker runs it";
        if (claimed) answer.text += " since " + elapsed(claimed->at, facts.now);
    }
    if (facts.row.pause_requested) answer.text += "; it pauses once running steps have ended";
    answer.next = {command(facts, "events", "-f")};
    return answer;
}

// ---- waiting -------------------------------------------------------------------------------------------------------

// A signal, or a person's answer: the newest refused signal says why it still waits.
Why for_somebody(const WhyFacts& facts, Why answer) {
    const auto& waits = facts.row.memo.waits;
    answer.text = "it waits for " + std::string(facts.row.reason == Reason::signal ? "a signal" : "an approval");
    std::string names;
    for (const core::OpenWait& wait : waits) {
        const core::Entry* set = nullptr;
        for (const core::Entry& entry : facts.waits)
            if (entry.no == wait.no) set = &entry;
        if (wait.is_approval) {
            names += (names.empty() ? "" : ", ") + quoted(wait.path);
            if (set) names += " " + set->result;
            // Named, so that a yes that comes late is not one to the next question.
            const std::string step = for_shell(wait.path);
            answer.next.push_back(command(facts, "approve", step));
            answer.next.push_back(command(facts, "deny", step));
        } else {
            names += (names.empty() ? "" : ", ") + quoted(core::name_of_path(wait.path));
            answer.next.push_back(command(facts, "signal", for_shell(core::name_of_path(wait.path)) + " JSON"));
        }
        if (answer.next.size() >= 6) break;
    }
    if (!names.empty()) answer.text += ": " + names;
    if (!waits.empty()) answer.step = waits.front().path;
    if (facts.row.due) answer.text += "; the wait ends " + in_time(*facts.row.due, facts.now);
    if (const core::Entry* refused = newest(facts, {EntryKind::signal_refused}))
        answer.text += "; the signal of entry " + std::to_string(refused->number) + " was refused" +
                       because(core::decode_failure(refused->error));
    answer.next.push_back(command(facts, "cancel"));
    add_worker_hint(facts, answer);
    return answer;
}

Why waiting(const WhyFacts& facts) {
    Why answer;
    answer.reason = to_string(facts.row.reason);
    answer.until = facts.row.due;
    const core::Entry* timer = newest(facts, {EntryKind::timer_set});
    const std::string until = facts.row.due ? " " + in_time(*facts.row.due, facts.now) : std::string();
    switch (facts.row.reason) {
        case Reason::signal:
        case Reason::approval:
            return for_somebody(facts, std::move(answer));
        case Reason::child:
            answer.text = "it waits for its child tasks";
            break;
        case Reason::rate_limit:
            answer.text =
                "it waits for the rate limit of an endpoint" + (until.empty() ? until : "; it goes on" + until);
            break;
        default:
            answer.reason = "timer";
            answer.text = "it waits for a timer" + (until.empty() ? until : "; it goes on" + until);
            if (timer) answer.step = timer->path;
            break;
    }
    answer.next = {command(facts, "cancel")};
    add_worker_hint(facts, answer);
    return answer;
}

// ---- paused --------------------------------------------------------------------------------------------------------

Why outcome_unknown(const WhyFacts& facts, Why answer) {
    answer.reason = "outcome_unknown";
    const std::string step = answer.step.empty() ? "STEP" : for_shell(answer.step);
    answer.text = "step " + quoted(answer.step) + " may or may not have happened" + because(answer.error) +
                  "; look at the world outside, then say which, and with what result (of an agent's tool a text; a "
                  "tool, a command and a step without a "
                  "result need none)";
    answer.next = {command(facts, "resolve", step + " --happened --result JSON"),
                   command(facts, "resolve", step + " --not-happened"), command(facts, "resolve", step + " --fail")};
    return answer;
}

Why paused(const WhyFacts& facts) {
    Why answer;
    answer.error = row_failure(facts.row);
    if (const core::Entry* step = newest(facts, {EntryKind::step_unknown, EntryKind::step_attempt_failed})) {
        answer.step = step->path;
        answer.attempt = static_cast<int>(step->number);
        if (!answer.error && !step->error.empty()) answer.error = core::decode_failure(step->error);
    }
    const std::string why = because(answer.error);
    answer.next = {command(facts, "resume"), command(facts, "cancel")};
    switch (facts.row.reason) {
        case Reason::outcome_unknown:
            return outcome_unknown(facts, std::move(answer));
        case Reason::exhausted:
            answer.reason = "exhausted";
            answer.text = "step " + quoted(answer.step) + " used up its attempts" + why + "; resume starts them anew";
            return answer;
        case Reason::poison:
            answer.reason = "poison";
            answer.text = plural(facts.row.crash_count, "worker") + " died while they ran it" + why +
                          "; mend its code first, resume sets the count to 0";
            break;
        case Reason::diverged:
            answer.reason = "diverged";
            answer.text = "its recorded history does not fit the code" + why + "; deploy code that fits, then resume";
            break;
        case Reason::budget:
            answer.reason = "budget";
            answer.text = answer.error && core::is_journal_full(*answer.error)
                              ? "its journal is full" + why + "; resume is refused, since nothing more fits"
                              : "a budget is spent" + why + "; resume is refused until it is raised";
            answer.next.erase(answer.next.begin());
            break;
        default:
            answer.reason = "paused_by_operator";
            answer.text = "it was paused" + why;
            break;
    }
    answer.step.clear();
    answer.attempt = 0;
    return answer;
}

// ---- a limit that has passed ----------------------------------------------------------------------------------------

// Only a worker ends a task: until one comes, the state does not tell that there is no hope left.
std::optional<Why> overdue(const WhyFacts& facts) {
    const core::TaskRow& row = facts.row;
    if (facts.worker || row.ending != core::Ending::none) return std::nullopt;
    if (row.state == TaskState::paused || is_final(row.state)) return std::nullopt;
    Why answer;
    answer.reason = "no_worker";
    answer.next = {"pawl worker"};
    constexpr const char* end = ", and no worker process works this store; the next one ends the task as failed";
    if (row.deadline && *row.deadline <= facts.wall) {
        answer.text = "its deadline passed at " + core::format_instant(*row.deadline) + end + " (deadline)";
        return answer;
    }
    if (row.expires && *row.expires <= facts.now) {
        answer.text = "its queue timeout passed at " + format_time(*row.expires) + end + " (expired)";
        return answer;
    }
    return std::nullopt;
}

// ---- final ---------------------------------------------------------------------------------------------------------

// Of a task that was ended in the middle of a step.
void name_unknown_step(const WhyFacts& facts, Why& answer) {
    const core::Entry* last = newest(
        facts, {EntryKind::step_unknown, EntryKind::step_resolved, EntryKind::step_completed, EntryKind::step_failed});
    if (!last || last->kind != EntryKind::step_unknown) return;
    answer.step = last->path;
    answer.text += "; step " + quoted(last->path) + " may or may not have happened";
}

Why failed(const WhyFacts& facts) {
    Why answer;
    answer.error = row_failure(facts.row);
    if (const core::Entry* entry = newest(facts, {EntryKind::failed})) answer.step = entry->path;
    answer.next = {command(facts, "retry"), command(facts, "events")};
    // Its input stays what it is.
    if (answer.error && answer.error->code == Errc::bad_input && answer.step.empty())
        answer.next.front() = "submit it again with an input that fits its type";
    switch (facts.row.reason) {
        case Reason::deadline:
            answer.reason = "deadline";
            answer.text = "its deadline passed before it was done";
            name_unknown_step(facts, answer);
            break;
        case Reason::expired:
            answer.reason = "expired";
            answer.text = "it was not started within its queue timeout";
            break;
        case Reason::budget:
            answer.reason = "budget";
            answer.text = "a budget was spent" + because(answer.error);
            break;
        default:
            answer.reason = "failed";
            answer.text = (answer.step.empty() ? std::string("it failed") : "step " + quoted(answer.step) + " failed") +
                          because(answer.error);
            break;
    }
    return answer;
}

Why cancelled(const WhyFacts& facts) {
    Why answer;
    answer.reason = "cancelled";
    answer.error = row_failure(facts.row);
    answer.text = facts.row.reason == Reason::parent   ? "its parent ended"
                  : facts.row.reason == Reason::killed ? "it was killed"
                                                       : "it was cancelled";
    answer.text += because(answer.error);
    name_unknown_step(facts, answer);
    answer.next = {command(facts, "retry")};
    return answer;
}

}  // namespace

Why why(const WhyFacts& facts) {
    if (auto late = overdue(facts)) return std::move(*late);
    switch (facts.row.state) {
        case TaskState::pending:
            return pending(facts);
        case TaskState::running:
            return running(facts);
        case TaskState::waiting:
            return waiting(facts);
        case TaskState::paused:
            return paused(facts);
        case TaskState::failed:
            return failed(facts);
        case TaskState::cancelled:
            return cancelled(facts);
        case TaskState::completed:
            break;
    }
    Why answer;
    answer.reason = "completed";
    answer.text = "it is done";
    answer.next = {command(facts, "result")};
    return answer;
}

WorkerStatus best_worker(const std::vector<core::WorkerRow>& workers, const core::TaskRow& row) {
    std::optional<WorkerStatus> best;
    for (const core::WorkerRow& worker : workers) {
        if (!could_take(worker, row.lane)) continue;
        if (!best) best = WorkerStatus{worker.types, worker.queues, 0, 0, false};
        best->slots += worker.slots;
        best->busy += worker.running;
    }
    const core::WorkerRow& first = workers.front();
    return best.value_or(WorkerStatus{first.types, first.queues, first.slots, first.running, false});
}

}  // namespace pawl::server
