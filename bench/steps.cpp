// W2: workflows of 10 trivial durable steps, K at once. A step's latency is the time from its start to the start of the
// one after it, which waits until the first is on disk.
#include "step_result.hpp"
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <array>
#include <vector>

namespace bench {
namespace {

std::vector<std::array<std::int64_t, steps_of_a_task>> starts;

StepResult make_result(int task, int no) {
    starts[static_cast<std::size_t>(task)][static_cast<std::size_t>(no)] = now_ns();
    return make_step_result(no);
}

inline constexpr pawl::TaskType<int, int> on_loop_type{"ten-steps"}, in_pool_type{"ten-pool-steps"};

pawl::Workflow<int> on_loop(pawl::Context& ctx, int task) {
    int sum = 0;
    for (int no = 0; no < steps_of_a_task; no++) {
        const StepResult result = co_await ctx.step("step", make_result, task, no).on_loop();
        sum += result.no;
    }
    co_return sum;
}

pawl::Workflow<int> in_pool(pawl::Context& ctx, int task) {
    int sum = 0;
    for (int no = 0; no < steps_of_a_task; no++) {
        const StepResult result = co_await ctx.step("step", make_result, task, no);
        sum += result.no;
    }
    co_return sum;
}

std::vector<std::int64_t> step_latencies() {
    std::vector<std::int64_t> latencies;
    for (const auto& task : starts)
        for (std::size_t no = 1; no < task.size(); no++) latencies.push_back(task[no] - task[no - 1]);
    return latencies;
}

struct Form {
    pawl::TaskType<int, int> type;
    std::string name, prefix;  // of the metrics
};

void add_figures(const Run& run, const Form& form, int k, double rate, double cpu) {
    Figure f;
    f.workload = "W2";
    f.k = k;
    f.metric = form.prefix + "steps_per_s";
    f.value = rate;
    f.unit = "/s";
    f.cpu_s_per_1000 = cpu;
    f.ratio = k == 1 ? share_of(rate, run.limits.s1_per_s, "S1") : share_of(rate, run.limits.s64_per_s, "S64");
    const bool is_goal = form.prefix.empty();
    if (is_goal && k == 64) f.wanted = run.wanted(">= 0.25 x S64, <= 0.02 CPU s", ">= 10,000/s");
    if (is_goal && k == 1'024) f.wanted = run.wanted("", ">= 40,000/s");
    run.report.add(f);

    const auto latencies = step_latencies();
    f.cpu_s_per_1000.reset();
    f.unit = "ms";
    f.metric = form.prefix + "step_p50_ms";
    f.value = milliseconds(percentile(latencies, 0.5));
    f.ratio = share_of(f.value, run.limits.s1_p50_ms, "S1 p50");
    f.wanted = is_goal && k == 1 ? run.wanted("<= 1.5 x S1 p50", "") : "";
    run.report.add(f);
    f.metric = form.prefix + "step_p99_ms";
    f.value = milliseconds(percentile(latencies, 0.99));
    f.ratio = f.wanted = "";
    run.report.add(f);
}

void measure_steps(const Run& run, const Form& form, int k) {
    const Folder folder(run.folder);
    pawl::Program program;
    program.workflow(on_loop_type, on_loop);
    program.workflow(in_pool_type, in_pool);
    pawl::Worker worker(program, run.store(folder, "steps"), pawl::WorkerOptions().concurrency(k));
    if (const auto opened = worker.open(); !opened) give_up(opened.error().message);

    const double expected = k == 1 ? run.limits.s1_per_s / 2 : run.limits.s64_per_s / 5;
    const int tasks = run.units(expected / steps_of_a_task, std::max(20, 2 * k), 40'000);
    starts.assign(static_cast<std::size_t>(tasks), {});
    std::vector<int> inputs;
    for (int i = 0; i < tasks; i++) inputs.push_back(i);
    const auto submitted = worker.client().submit_many(form.type, inputs);

    const Stopwatch watch;
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    worker.wait_until_idle();
    const int steps = tasks * steps_of_a_task;
    const double rate = steps / watch.wall();
    const double cpu = watch.cpu() / steps * 1'000;
    for (std::size_t i = 0; i < submitted.size(); i++) {
        const auto& task = submitted[i];
        if (!task) give_up(task.error().message);
        if (starts[i].back() == 0) give_up("a workflow's last step did not run: " + task->why());
        if (!is_checked(i)) continue;
        const auto sum = task->wait();
        if (!sum || *sum != 45) give_up("a workflow did not complete: " + task->why());
    }
    add_figures(run, form, k, rate, cpu);
}

}  // namespace

void steps(const Run& run) {
    for (const Form& form : {Form{on_loop_type, "loop", ""}, Form{in_pool_type, "pool", "pool_"}}) {
        if (!run.options.form.empty() && run.options.form != form.name) continue;
        for (const int k : {1, 64, 1'024})
            if (run.options.wants_k(k)) measure_steps(run, form, k);
    }
}

}  // namespace bench
