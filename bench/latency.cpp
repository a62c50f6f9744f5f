// W3: an idle system and one task at a time: from the submit to the start of its code, and to the answer of wait().
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <atomic>
#include <vector>

namespace bench {
namespace {

inline constexpr pawl::TaskType<int, int> no_op_type{"no-op"};
std::atomic<std::int64_t> started_at;

pawl::Workflow<int> no_op(pawl::Context&, int in) {
    started_at = now_ns();
    co_return in;
}

struct Goal {
    const char* metric;
    double share;
    const char* wanted;
};

}  // namespace

void latency(const Run& run) {
    const Folder folder(run.folder);
    pawl::Program program;
    program.workflow(no_op_type, no_op);
    pawl::Worker worker(program, run.store(folder, "latency"));
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    const pawl::Client client = worker.client();

    std::vector<std::int64_t> to_start, to_end;
    const auto one = [&] {
        const std::int64_t submit = now_ns();
        const auto task = client.submit(no_op_type, 7);
        if (!task) give_up(task.error().message);
        const auto output = task->wait();
        if (!output) give_up(output.error().message);
        to_end.push_back(now_ns() - submit);
        to_start.push_back(started_at - submit);
    };
    for (int i = 0; i < 150; i++) one();  // past the first use of everything, and the log's first lap, as for S1
    to_start.clear();
    to_end.clear();
    const int tasks = run.options.quick ? 300 : 500;
    const Stopwatch watch;
    for (int i = 0; i < tasks; i++) one();
    const double cpu = watch.cpu() / tasks * 1'000;

    const auto add = [&](const std::vector<std::int64_t>& samples, const Goal& goal) {
        Figure f;
        f.workload = "W3";
        f.metric = goal.metric;
        f.value = milliseconds(percentile(samples, goal.share));
        f.unit = "ms";
        f.cpu_s_per_1000 = cpu;
        f.ratio = share_of(f.value, run.limits.s1_p50_ms, "S1 p50");
        f.wanted = goal.wanted;
        run.report.add(f);
    };
    add(to_start, {"submit_to_start_p50_ms", 0.5, run.wanted("<= 0.3 ms", "<= 2 ms")});
    add(to_start, {"submit_to_start_p99_ms", 0.99, ""});
    add(to_end, {"submit_to_completed_p50_ms", 0.5, run.wanted("<= 0.5 ms", "")});
    add(to_end, {"submit_to_completed_p99_ms", 0.99, ""});
}

}  // namespace bench
