#include "conformance/random_commands.hpp"

namespace pawl::test {

using namespace core;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> types{"mail", "print"};
const std::vector<std::string> queues{"default", "slow"};
const std::vector<std::string> paths{"a#1", "b#1", "c#1"};
const std::vector<Micros> lengths{Micros{1}, Micros(1s), Micros(5s), Micros(1min), Micros(1h)};
const std::vector<std::string> signals{"a", "b"};  // paths of waits for them are among `paths`
constexpr std::size_t claimed_kept = 6;
constexpr std::size_t ids_kept = 24;

}  // namespace

std::vector<Command> RandomCommands::batch() {
    std::vector<Command> commands;
    const int size = 1 + below(6);
    for (int i = 0; i < size; ++i) commands.push_back(command());
    return commands;
}

void RandomCommands::learn(const Applied& applied) {
    for (const Reply& reply : applied.replies) {
        if (!reply.answer) continue;
        if (const auto* submitted = std::get_if<Submitted>(&*reply.answer)) ids_.push_back(submitted->id);
        const auto* claimed = std::get_if<Claimed>(&*reply.answer);
        if (!claimed) continue;
        for (const ClaimedTask& task : claimed->tasks) claimed_.push_back(task);
    }
    if (claimed_.size() > claimed_kept) claimed_.erase(claimed_.begin(), claimed_.end() - claimed_kept);
    if (ids_.size() > ids_kept) ids_.erase(ids_.begin(), ids_.end() - ids_kept);
}

Command RandomCommands::command() {
    const int draw = below(100);
    if (draw < 24) return submit();
    if (draw < 44) return claim();
    if (draw < 78 && !claimed_.empty()) return record();
    if (draw < 92 && !ids_.empty()) return operate();
    if (draw < 94) return set_queue();
    if (draw < 96 && !claimed_.empty()) return Load{pick(claimed_).row.ref, below(6), 1 + below(5)};
    if (draw < 97) return Purge{chance(50) ? Micros(24h * 8) : pick(lengths), 1 + below(4)};
    return Tick{};
}

TaskId RandomCommands::any_id() {
    ++ids_made_;
    return make_task_id(wall_instant(1'800'000'000'000'000), 0, ids_made_ * 0x9E3779B97F4A7C15ull, ids_made_);
}

Submit RandomCommands::submit() {
    Submit command;
    command.id = !ids_.empty() && chance(3) ? pick(ids_) : any_id();
    command.lane.type = pick(types);
    command.lane.queue = pick(queues);
    if (chance(5)) command.lane.key = "tenant";
    command.input = chance(4) ? "\"" + std::string(3'000, 'x') + "\"" : std::to_string(below(9));
    command.fingerprint[0] = static_cast<std::uint8_t>(below(3));
    if (chance(40)) command.key = "k" + std::to_string(below(5));
    command.on_existing = static_cast<OnExisting>(below(4));
    command.priority = below(5) - 2;
    if (chance(25)) command.delay = pick(lengths);
    if (chance(20)) command.deadline = pick(lengths);
    if (chance(5)) command.deadline = wall_instant(1'800'000'000'000'000 + below(100) * 1'000'000);
    if (chance(20)) command.queue_timeout = pick(lengths);
    if (chance(10)) command.max_attempts = below(4);
    if (chance(15)) command.definition = "{\"agent\":" + std::to_string(below(2)) + "}";
    if (chance(10)) command.tags = {"blue", "red"};
    return command;
}

Operate RandomCommands::operate() {
    Operate command;
    command.verb = static_cast<Operate::Verb>(below(9));
    command.id = chance(3) ? any_id() : pick(ids_);
    if (chance(30)) command.request_id = "r" + std::to_string(below(4));
    command.who = "ann";
    if (chance(30)) command.step = pick(paths);
    command.signal = pick(signals);
    command.result = std::to_string(below(9));
    command.outcome = static_cast<Operate::Outcome>(below(3));
    if (chance(20)) command.deadline = pick(lengths);
    return command;
}

SetQueue RandomCommands::set_queue() {
    SetQueue command;
    command.name = pick(queues);
    if (chance(60)) command.concurrency = below(4);
    if (chance(30)) command.depth_max = chance(50) ? 0 : 3 + below(9);
    if (chance(30)) command.paused = chance(30);
    return command;
}

Claim RandomCommands::claim() {
    Claim command;
    const int version = 1 + below(2);
    command.types = {{pick(types), version, 1}};
    if (chance(50)) command.types.push_back({pick(types), 2, 2});
    if (chance(20)) command.queues = {pick(queues)};
    command.tasks_max = 1 + below(3);
    return command;
}

EntryDraft RandomCommands::draft() {
    static const std::vector<EntryKind> kinds{
        EntryKind::step_started,   EntryKind::step_begun,     EntryKind::step_attempt_failed,
        EntryKind::step_lost,      EntryKind::step_completed, EntryKind::step_failed,
        EntryKind::step_unknown,   EntryKind::timer_fired,    EntryKind::step_cancelled,
        EntryKind::step_completed, EntryKind::wait_set,       EntryKind::wait_set,
        EntryKind::wait_ended,     EntryKind::signal_refused, EntryKind::patched,
        EntryKind::progress,       EntryKind::value_set};
    EntryDraft made;
    made.kind = pick(kinds);
    made.path = pick(paths);
    made.number = 1 + below(3);
    if (chance(20)) made.due_in = pick(lengths);
    if (made.kind == EntryKind::step_completed) made.result = std::to_string(below(1'000));
    if (made.kind == EntryKind::wait_set) made.number = below(2);
    if (made.kind == EntryKind::value_set || made.kind == EntryKind::progress) made.result = std::to_string(below(9));
    if (made.kind == EntryKind::step_failed) made.error = encode_failure({});
    made.cost_uusd = below(3);
    return made;
}

Transition RandomCommands::transition() {
    switch (below(12)) {
        case 0: {
            static const std::vector<Reason> reasons{Reason::timer, Reason::retry, Reason::signal, Reason::rate_limit};
            Park park;
            park.reason = pick(reasons);
            if (park.reason != Reason::signal) park.wake_in = pick(lengths);
            return park;
        }
        case 1:
            return Complete{std::to_string(below(9))};
        case 2: {
            Fail fail;
            fail.reason = chance(80) ? Reason::error : Reason::deadline;
            fail.failure.message = "it broke";
            if (chance(50)) fail.path = pick(paths);
            return fail;
        }
        case 3:
            return Cancelled{"stopped"};
        case 4: {
            static const std::vector<Reason> reasons{Reason::by_operator, Reason::exhausted, Reason::outcome_unknown,
                                                     Reason::diverged};
            return Pause{pick(reasons), "why"};
        }
        case 5:
            return HandBack{};
        default:
            return {};
    }
}

Record RandomCommands::record() {
    const ClaimedTask& task = chance(80) ? claimed_.back() : pick(claimed_);
    Record command;
    command.task = task.row.ref;
    command.fence = task.row.fence;
    const int entries = below(4);
    for (int i = 0; i < entries; ++i) command.entries.push_back(draft());
    command.next = transition();
    return command;
}

}  // namespace pawl::test
