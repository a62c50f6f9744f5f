#include "sim/interpreter.hpp"

#include "runtime/execution.hpp"

#include <map>
#include <memory>

namespace pawl::sim {

using testing::SimPool;

// ---- functions of steps ------------------------------------------------------------------------------------------

namespace {

// What was mended is quick, too.
core::Micros length_of(Outside& outside, const Attempt& attempt, core::Micros planned) {
    return outside.task(attempt.state().task).is_mended ? core::Micros{0} : planned;
}

bool work(Outside& outside, const StepPlan& plan, const Attempt& attempt, core::Micros planned) {
    const core::Micros length = length_of(outside, attempt, planned);
    SimPool& pool = outside.world().process().pool();
    if (plan.how == detail::HowToRun::pool && length > core::Micros{0})
        pool.block(length, [&] { return plan.heeds_stop && attempt.stop_requested(); });
    return !(plan.heeds_stop && attempt.stop_requested());
}

std::int64_t perform(Outside* outside, const StepPlan* plan, const Attempt& attempt) {
    Outside::Visit visit(*outside, *plan, attempt);
    if (plan->asks_first) {
        if (!outside->world().process().pool().begin_effect(attempt, "{}")) throw visit.stopped();
        visit.commit();
    }
    if (!work(*outside, *plan, attempt, plan->before)) throw visit.stopped();
    visit.act();
    work(*outside, *plan, attempt, plan->after);
    return visit.finish();
}

/// Time passes on the loop; a stop ends it.
class Wait final : public detail::AsyncOp {
public:
    Wait(runtime::Loop& loop, core::Micros length) : loop_(loop), length_(length) {}
    ~Wait() override { loop_.cancel(token_); }
    void await_resume() { throw_if_stopped(); }

private:
    void start() override {
        token_ = loop_.after(length_, [this] {
            token_ = 0;
            complete();
        });
    }
    void give_up() override { loop_.cancel(std::exchange(token_, 0)); }

    runtime::Loop& loop_;
    const core::Micros length_;
    runtime::TimerToken token_ = 0;
};

Async<std::int64_t> perform_async(Outside* outside, const StepPlan* plan, const Attempt& attempt) {
    Outside::Visit visit(*outside, *plan, attempt);
    runtime::Loop& loop = outside->world().process().loop();
    const core::Micros before = length_of(*outside, attempt, plan->before);
    const core::Micros after = length_of(*outside, attempt, plan->after);
    if (before > core::Micros{0}) {
        Wait wait(loop, before);
        bool is_stopped = false;
        try {
            co_await wait;
        } catch (const detail::AsyncStopped&) { is_stopped = true; }
        if (is_stopped) throw visit.stopped();
    }
    visit.act();
    if (after > core::Micros{0}) {
        Wait wait(loop, after);
        co_await wait;
    }
    co_return visit.finish();
}

std::optional<std::int64_t> check(Outside* outside, const StepPlan* plan, const Attempt& attempt) {
    return outside->look(*plan, attempt);
}

// ---- the workflow ------------------------------------------------------------------------------------------------

template <class S>
S with_plan(S step, Outside* outside, const StepPlan& plan) {
    Retry retry;
    if (plan.attempts) retry.attempts(*plan.attempts);
    retry.delay(plan.delay).on_exhausted(plan.on_exhausted);
    detail::StepOptions& o = step.options;
    o.retry = retry;
    o.timeout = plan.timeout;
    o.total = plan.total;
    o.effect = plan.effect;
    o.on_loop = plan.how == detail::HowToRun::loop;
    o.intent_by_step = plan.asks_first;
    if (plan.on_unknown == OnUnknown::Policy::verify) o.on_unknown = OnUnknown::verify(check, outside, &plan);
    else o.on_unknown = OnUnknown(plan.on_unknown);
    return step;
}

auto plain_step(Context& ctx, Outside* outside, const StepPlan& plan) {
    return with_plan(ctx.step(plan.name, perform, outside, &plan), outside, plan);
}
auto async_step(Context& ctx, Outside* outside, const StepPlan& plan) {
    return with_plan(ctx.step(plan.name, perform_async, outside, &plan), outside, plan);
}
using PlainStep = decltype(plain_step(std::declval<Context&>(), nullptr, std::declval<const StepPlan&>()));
using AsyncStep = decltype(async_step(std::declval<Context&>(), nullptr, std::declval<const StepPlan&>()));

struct Run {
    Outside* outside;
    core::TaskId id;
};

void note(Context& ctx, const Run& run, int place) {
    const auto now = std::chrono::duration_cast<core::Micros>(ctx.now().time_since_epoch()).count();
    const std::string what = std::to_string(now) + " " + std::to_string(ctx.random()) + " " + ctx.uuid();
    run.outside->noted(run.id, ctx.execution().row().reopened, place, what);
}

Workflow<std::int64_t> run_node(Context& ctx, Run run, const Node* node, std::int64_t so_far);

Workflow<std::int64_t> run_step(Context& ctx, Run run, const StepPlan* plan) {
    std::int64_t value = 0;
    bool failed = false;
    std::exception_ptr failure;
    try {
        if (plan->how == detail::HowToRun::async) value = co_await async_step(ctx, run.outside, *plan);
        else value = co_await plain_step(ctx, run.outside, *plan);
    } catch (const StepFailed&) {
        failed = true;
        failure = std::current_exception();
    }
    run.outside->observed(run.id, plan->name);
    if (failed) std::rethrow_exception(failure);
    co_return value;
}

Workflow<std::int64_t> run_outcome(Context& ctx, Run run, const StepPlan* plan) {
    std::int64_t value = value_of_failure;
    if (plan->how == detail::HowToRun::async) {
        const auto outcome = co_await ctx.outcome(async_step(ctx, run.outside, *plan));
        if (outcome) value = *outcome;
    } else {
        const auto outcome = co_await ctx.outcome(plain_step(ctx, run.outside, *plan));
        if (outcome) value = *outcome;
    }
    run.outside->observed(run.id, plan->name);
    co_return value;
}

Workflow<std::int64_t> run_chain(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    for (const Node& part : node->parts) so_far = co_await run_node(ctx, run, &part, so_far);
    co_return so_far;
}

Workflow<std::int64_t> run_rescue(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::int64_t value = value_of_failure;
    try {
        value = co_await run_chain(ctx, run, node, so_far);
    } catch (const StepFailed&) { value = value_of_failure; }
    co_return mixed(so_far, value);
}

Workflow<std::int64_t> run_all(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::vector<Workflow<std::int64_t>> branches;
    for (const Node& part : node->parts) branches.push_back(run_chain(ctx, run, &part, so_far));
    const std::vector<std::int64_t> values = co_await ctx.all(std::move(branches));
    for (const std::int64_t value : values) so_far = mixed(so_far, value);
    co_return so_far;
}

template <class Op>
std::vector<Op> steps_of(Context& ctx, const Run& run, const Node* node) {
    std::vector<Op> steps;
    for (const Node& part : node->parts) {
        if constexpr (std::is_same_v<Op, AsyncStep>) steps.push_back(async_step(ctx, run.outside, part.step));
        else steps.push_back(plain_step(ctx, run.outside, part.step));
    }
    return steps;
}

bool is_async(const Node* node) {
    return !node->parts.empty() && node->parts.front().step.how == detail::HowToRun::async;
}

Workflow<std::int64_t> run_all_steps(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::vector<std::int64_t> values;
    if (is_async(node)) values = co_await ctx.all(steps_of<AsyncStep>(ctx, run, node));
    else values = co_await ctx.all(steps_of<PlainStep>(ctx, run, node));
    for (const std::int64_t value : values) so_far = mixed(so_far, value);
    co_return so_far;
}

template <class Op>
Workflow<std::int64_t> run_all_tried(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::vector<Op> steps = steps_of<Op>(ctx, run, node);
    std::vector<detail::Attempted<Op>> tried;
    for (Op& step : steps) tried.push_back(ctx.outcome(std::move(step)));
    const auto outcomes = co_await ctx.all(std::move(tried));
    for (const auto& outcome : outcomes) so_far = mixed(so_far, outcome ? *outcome : value_of_failure);
    co_return so_far;
}

Workflow<std::int64_t> run_beside(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::int64_t value = 0;
    if (node->step.how == detail::HowToRun::async) {
        auto both = ctx.all(async_step(ctx, run.outside, node->step), ctx.sleep(node->sleep));
        const auto results = co_await std::move(both);
        value = std::get<0>(results);
    } else {
        auto both = ctx.all(plain_step(ctx, run.outside, node->step), ctx.sleep(node->sleep));
        const auto results = co_await std::move(both);
        value = std::get<0>(results);
    }
    co_return mixed(so_far, value);
}

Workflow<std::int64_t> run_node(Context& ctx, Run run, const Node* node, std::int64_t so_far) {
    std::int64_t value = 0;
    switch (node->kind) {
        case NodeKind::step:
            value = co_await run_step(ctx, run, &node->step);
            break;
        case NodeKind::outcome:
            value = co_await run_outcome(ctx, run, &node->step);
            break;
        case NodeKind::sleep:
            co_await ctx.sleep(node->sleep);
            co_return so_far;
        case NodeKind::note:
            note(ctx, run, node->id);
            co_return so_far;
        case NodeKind::chain:
        case NodeKind::part:
            value = co_await run_chain(ctx, run, node, so_far);
            break;
        case NodeKind::rescue:
            co_return co_await run_rescue(ctx, run, node, so_far);
        case NodeKind::all:
            co_return co_await run_all(ctx, run, node, so_far);
        case NodeKind::all_steps:
            co_return co_await run_all_steps(ctx, run, node, so_far);
        case NodeKind::all_tried:
            if (is_async(node)) co_return co_await run_all_tried<AsyncStep>(ctx, run, node, so_far);
            co_return co_await run_all_tried<PlainStep>(ctx, run, node, so_far);
        case NodeKind::beside:
            co_return co_await run_beside(ctx, run, node, so_far);
    }
    co_return mixed(so_far, value);
}

}  // namespace

const Program& program_of(std::uint64_t seed) {
    static std::map<std::uint64_t, std::unique_ptr<Program>> programs;
    auto& program = programs[seed];
    if (!program) program = std::make_unique<Program>(make_program(seed));
    return *program;
}

Workflow<std::int64_t> run_program(Context& ctx, std::uint64_t seed, Outside* outside) {
    const Run run{outside, ctx.execution().row().id};
    co_return co_await run_node(ctx, run, &program_of(seed).root, 1);
}

}  // namespace pawl::sim
