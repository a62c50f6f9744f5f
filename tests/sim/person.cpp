#include "sim/person.hpp"

namespace pawl::sim {

using namespace std::chrono_literals;
using core::Micros;
using Verb = core::Operate::Verb;

namespace {
bool is_delicate(Verb verb) { return verb == Verb::retry || verb == Verb::resolve; }
}  // namespace

void Person::plan(testing::SimRandom& draw, Micros length) {
    const int verbs = draw.below(9);
    for (int i = 0; i < verbs; i++) world_.at(world_.clock.boot() + draw.length(length), [this] { act_at_random(); });
}

void Person::act_at_random() {
    if (is_helping_ || clients_.tasks().empty()) return;
    const auto& tasks = clients_.tasks();
    const core::TaskId id = tasks[static_cast<std::size_t>(world_.chance.below(static_cast<int>(tasks.size())))].id;
    constexpr Verb verbs[] = {Verb::cancel, Verb::kill,  Verb::pause,  Verb::pause,
                              Verb::resume, Verb::retry, Verb::resolve};
    core::Operate command;
    command.id = id;
    command.verb = verbs[world_.chance.below(7)];
    if (!world_.is_up() || !world_.process().store()) return;
    // What was seen before a retry or a resolve must still be so when it is done.
    if (is_delicate(command.verb) ? open_of_[id] > 0 : delicate_[id] > 0) return;
    const core::TaskRow row = world_.row(id);
    const bool has_failed = row.state == TaskState::failed || row.state == TaskState::cancelled;
    if (command.verb == Verb::retry && !has_failed) return;
    if (command.verb == Verb::resolve && !name_step(command)) return;
    if (command.verb == Verb::resolve && world_.chance.one_in(4)) command.outcome = core::Operate::Outcome::fail;
    send(std::move(command));
}

void Person::help_to_the_end() {
    is_helping_ = true;
    if (world_.is_up() && world_.process().store())
        for (const auto& [id, task] : outside_.history().tasks())
            if (open_of_[id] == 0) look_after(id);
    world_.at(world_.clock.boot() + 1s, [this] { help_to_the_end(); });
}

void Person::look_after(core::TaskId id) {
    const core::TaskRow row = world_.row(id);
    if (row.state == TaskState::paused || (row.state == TaskState::running && row.pause_requested))
        return help(id, row);
    // Some failures are mended and tried again, once.
    const bool has_failed = row.state == TaskState::failed && row.reason == Reason::error;
    if (!has_failed || retried_[id] > 0 || row.id.bytes[15] % 2 == 0) return;
    retried_[id]++;
    core::Operate command;
    command.id = id;
    command.verb = Verb::retry;
    send(std::move(command));
}

void Person::help(core::TaskId id, const core::TaskRow& row) {
    // The row may be applied and not yet flushed; a person sees what is durable.
    if (row.state != outside_.history().task(id)->state) return;
    core::Operate command;
    command.id = id;
    command.verb = Verb::resume;
    if (row.reason == Reason::outcome_unknown) {
        command.verb = Verb::resolve;
        if (!name_step(command)) return trace_.broken("paused(outcome_unknown), and no step is unknown");
    }
    send(std::move(command));
}

// Looks at the world outside, and says the truth about the first step whose outcome is unknown.
bool Person::name_step(core::Operate& command) {
    const History::Task* task = outside_.history().task(command.id);
    if (!task || task->unknown.empty() || task->state != TaskState::paused) return false;
    command.step = *task->unknown.begin();
    const Outside::StepName name{command.id, Outside::name_in(command.step)};
    if (outside_.facts(name).is_running) trace_.broken("a step is unknown while its function runs");
    const bool happened = outside_.has_happened(name);
    command.outcome = happened ? core::Operate::Outcome::happened : core::Operate::Outcome::not_happened;
    if (happened) command.result = std::to_string(outside_.facts(name).value);
    else outside_.allow(name);
    return true;
}

// What a verb may set free happens at some moment between now and its answer.
void Person::before_sending(const core::Operate& command) {
    Outside::TaskFacts& facts = outside_.task(command.id);
    if (command.verb == Verb::retry) {
        facts.is_ended = false;
        facts.is_mended = true;
        last_retry_[command.id] = deeds_;
        outside_.reopen(command.id);
    }
    if (command.verb == Verb::resume) {
        const core::TaskRow row = world_.row(command.id);
        if (row.reason == Reason::exhausted) facts.is_mended = true;
    }
    if (command.verb == Verb::resolve && is_helping_) facts.is_mended = true;
    if (command.verb == Verb::retry || command.verb == Verb::resume) facts.touched++;
}

void Person::send(core::Operate command) {
    auto deed = std::make_shared<Deed>();
    deed->no = ++deeds_;
    command.who = "ann";
    command.request_id = "r" + std::to_string(++requests_);
    before_sending(command);
    deed->command = std::move(command);
    open_++;
    open_of_[deed->command.id]++;
    delicate_[deed->command.id] += is_delicate(deed->command.verb) ? 1 : 0;
    resend(deed);
}

void Person::resend(const std::shared_ptr<Deed>& deed) {
    trace_.note("ask " + deed->command.request_id + " verb " + std::to_string(static_cast<int>(deed->command.verb)));
    world_.send(deed->command, [this, deed](const Result<core::Answer>& answer) { on_answer(deed, answer); });
}

void Person::on_answer(const std::shared_ptr<Deed>& deed, const Result<core::Answer>& answer) {
    const core::Operate& command = deed->command;
    if (!answer) {
        trace_.note(command.request_id + ": " + std::string(to_string(answer.error().code)));
        const Errc code = answer.error().code;
        if (code == Errc::store_unavailable || code == Errc::disk_full) {
            world_.at(world_.clock.boot() + 10ms + world_.chance.length(2s), [this, deed] { resend(deed); });
            return;
        }
    } else {
        const auto& operated = std::get<core::Operated>(*answer);
        trace_.note(command.request_id + " done: " + std::string(pawl::to_string(operated.state)));
        const auto [first, is_new] = answers_.emplace(command.request_id, operated);
        if (first->second.state != operated.state || first->second.changed != operated.changed)
            trace_.broken("I11: " + command.request_id + " got two answers");
        const bool ends = command.verb == Verb::cancel || command.verb == Verb::kill;
        if (ends && last_retry_[command.id] < deed->no) outside_.task(command.id).is_ended = true;
        // Who is not sure asks again: the answer is the same, and nothing happens twice.
        if (is_new && world_.chance.one_in(4)) return resend(deed);
    }
    open_--;
    open_of_[command.id]--;
    delicate_[command.id] -= is_delicate(command.verb) ? 1 : 0;
}

}  // namespace pawl::sim
