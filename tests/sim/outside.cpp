#include "sim/outside.hpp"

namespace pawl::sim {

std::string Outside::name_in(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    return path.substr(begin, path.rfind('#') - begin);
}

bool Outside::has_happened(const StepName& name) const {
    const auto at = facts_.find(name);
    return at != facts_.end() && at->second.applied > 0;
}

void Outside::reopen(core::TaskId id) {
    std::map<std::string, core::EntryKind> newest;
    if (const History::Task* task = history_.task(id))
        for (const core::Entry& entry : task->entries)
            if (core::is_operation(entry.kind)) newest[name_in(entry.path)] = entry.kind;
    for (auto& [name, facts] : facts_) {
        if (name.first != id) continue;
        if (newest[name.second] == core::EntryKind::step_failed) facts.may_start = true;
        facts.is_observed = false;  // a recorded result still counts: check_begin() asks the history
    }
}

void Outside::noted(core::TaskId id, int reopened, int place, const std::string& what) {
    const auto [at, is_new] = notes_.emplace(std::tuple(id, reopened, place), what);
    if (at->second != what)
        trace_.broken("I7: the code saw " + at->second + " at place " + std::to_string(place) + ", and in a replay " +
                      what);
}

// ---- executions --------------------------------------------------------------------------------------------------

Outside::Visit::Visit(Outside& outside, const StepPlan& plan, const Attempt& attempt)
    : outside_(outside),
      plan_(plan),
      attempt_(attempt),
      facts_(outside.facts({attempt.state().task, plan.name})),
      task_(outside.task(attempt.state().task)) {
    outside_.trace_.note("begin " + name());
    check_begin();
    facts_.executions++;
    facts_.value = plan.value;
    facts_.is_running = true;
    if (!plan.asks_first) commit();
    facts_.has_returned = false;
    facts_.number = attempt.number() + 1'000 * task_.touched;
    facts_.disturbances = outside.world_.disturbances();
}

void Outside::Visit::commit() {
    if (plan_.effect == Effect::once && !facts_.may_start && plan_.on_unknown != OnUnknown::Policy::retry)
        outside_.trace_.broken("I5: " + name() + " is a `once` step, and nobody knows that it did not happen before");
    facts_.may_start = false;
}

Outside::Visit::~Visit() { facts_.is_running = false; }

std::string Outside::Visit::name() const {
    return core::to_string(attempt_.state().task).substr(20) + " " + attempt_.state().path + " attempt " +
           std::to_string(attempt_.number());
}

void Outside::Visit::check_begin() {
    Trace& trace = outside_.trace_;
    const auto& state = attempt_.state();
    if (attempt_.number() < 1) trace.broken(name() + " has a number that is none");
    if (facts_.is_running) trace.broken(name() + " begins while another attempt still runs");
    if (facts_.is_observed) trace.broken("I5: " + name() + " begins though the code has seen its end");
    const History::Task* durable = outside_.history_.task(state.task);
    if (durable && durable->done.contains(state.path))
        trace.broken("I5: " + name() + " begins though its result is recorded");
    if (task_.is_ended) trace.broken("I8: " + name() + " begins though the end of its task was acknowledged");
    if (state.fence < task_.fence) trace.broken("I6: " + name() + " has an older fence than an attempt before it");
    task_.fence = std::max(task_.fence, state.fence);
    const int number = attempt_.number() + 1'000 * task_.touched;
    if (facts_.number == number && facts_.has_returned && facts_.disturbances == outside_.world_.disturbances())
        trace.broken("I5: " + name() + " begins again, and no fault explains it");
    const std::string key = attempt_.key();
    const auto [at, is_new] = outside_.keys_.emplace(key, StepName{state.task, plan_.name});
    if (at->second != StepName{state.task, plan_.name}) trace.broken("I10: one key for two steps");
    if (!facts_.key.empty() && facts_.key != key && task_.touched == 0)
        trace.broken("I10: " + name() + " has a new key");
    facts_.key = key;
}

StepError Outside::Visit::stopped() {
    outside_.trace_.note("stopped " + name());
    facts_.may_start = true;
    return retryable("stopped before the effect");
}

void Outside::Visit::act() {
    const bool fails = !task_.is_mended && (attempt_.number() <= plan_.fails || plan_.fails_for_good);
    if (fails) {
        outside_.trace_.note("fails " + name());
        facts_.may_start = true;
        if (attempt_.number() > plan_.fails) throw final_error("planned, for good");
        if (plan_.effect == Effect::once || plan_.id % 3 != 0) throw retryable("planned");
        throw std::runtime_error("planned, by an exception");
    }
    const bool is_cut =
        !task_.is_mended && plan_.effect == Effect::once && attempt_.number() <= plan_.fails + plan_.cuts;
    if (is_cut && plan_.id % 2 == 0) throw std::runtime_error("cut before the effect");
    outside_.trace_.note("effect " + name());
    facts_.applied++;
    if (is_cut) throw std::runtime_error("cut after the effect");
}

std::int64_t Outside::Visit::finish() {
    outside_.trace_.note("return " + name());
    facts_.has_returned = true;
    return plan_.value;
}

std::optional<std::int64_t> Outside::look(const StepPlan& plan, const Attempt& attempt) {
    const StepName name{attempt.state().task, plan.name};
    Facts& found = facts_[name];
    trace_.note("check " + name.second + " finds " + std::to_string(found.applied));
    if (found.is_running) trace_.broken("the outcome of " + name.second + " is checked while its function runs");
    if (++found.checks <= plan.blind_checks) throw unknown_outcome("the receiver does not answer");
    if (found.applied > 0) return plan.value;
    found.may_start = true;
    return std::nullopt;
}

}  // namespace pawl::sim
