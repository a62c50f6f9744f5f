// W1: tasks that do nothing. Enqueued one by one and in bulk, then each claimed and completed on its own terms with at
// most 64 held at once.
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace bench {
namespace {

inline constexpr pawl::TaskType<int, int> no_op_type{"no-op"};

std::atomic<int> no_ops;

pawl::Workflow<int> no_op(pawl::Context&, int in) {
    no_ops++;
    co_return in;
}

Figure rate_of(int k, const char* metric, int units, const Stopwatch& watch) {
    Figure f;
    f.workload = "W1";
    f.k = k;
    f.metric = metric;
    f.cpu_s_per_1000 = watch.cpu() / units * 1'000;
    f.value = units / watch.wall();
    f.unit = "/s";
    return f;
}

void enqueue(const Run& run, const pawl::Client& client, int producers) {
    const double expected = producers == 1 ? run.limits.s1_per_s : 0.3 * run.limits.s64_per_s;
    const int tasks = run.units(expected, 256, 20'000) / producers * producers;
    const auto produce = [&] {
        for (int i = 0; i < tasks / producers; i++)
            if (const auto task = client.submit(no_op_type, i); !task) give_up(task.error().message);
    };
    const Stopwatch watch;
    if (producers == 1) {
        produce();
    } else {
        std::vector<std::thread> threads;
        for (int i = 0; i < producers; i++) threads.emplace_back(produce);
        for (std::thread& thread : threads) thread.join();
    }
    Figure f = rate_of(producers, "enqueue_per_s", tasks, watch);
    f.ratio =
        producers == 1 ? share_of(f.value, run.limits.s1_per_s, "S1") : share_of(f.value, run.limits.s64_per_s, "S64");
    f.wanted = run.wanted(producers == 1 ? ">= 0.9 x S1" : ">= 0.3 x S64", "");
    run.report.add(f);
}

void enqueue_in_bulk(const Run& run, const pawl::Client& client) {
    const int tasks = run.units(0.5 * run.limits.s64_per_s, 2'000, 20'000);
    const std::vector<int> inputs(static_cast<std::size_t>(tasks), 7);
    const Stopwatch watch;
    for (const auto& task : client.submit_many(no_op_type, inputs))
        if (!task) give_up(task.error().message);
    Figure f = rate_of(tasks, "bulk_enqueue_per_s", tasks, watch);
    f.ratio = share_of(f.value, run.limits.s64_per_s, "S64");
    run.report.add(f);
}

void process(const Run& run, const std::string& store) {
    pawl::Program program;
    program.workflow(no_op_type, no_op);
    constexpr int k = 64;
    pawl::Worker worker(program, store, pawl::WorkerOptions().concurrency(k));
    if (const auto opened = worker.open(); !opened) give_up(opened.error().message);
    const int tasks = run.units(0.3 * run.limits.s64_per_s, 2'000, 20'000);
    const auto submitted =
        worker.client().submit_many(no_op_type, std::vector<int>(static_cast<std::size_t>(tasks), 7));
    const Stopwatch watch;
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    worker.wait_until_idle();
    Figure f = rate_of(k, "process_per_s", tasks, watch);
    if (no_ops != tasks) give_up(std::to_string(no_ops) + " no-ops ran of " + std::to_string(tasks));
    for (std::size_t i = 0; i < submitted.size(); i++) {
        const auto& task = submitted[i];
        if (!task) give_up(task.error().message);
        if (!is_checked(i)) continue;
        const auto output = task->wait();
        if (!output || *output != 7) give_up("a no-op did not complete: " + task->why());
    }
    f.ratio = share_of(f.value, run.limits.s64_per_s, "S64");
    f.wanted = run.wanted(">= 50,000/s or 0.2 x S64", ">= 20,000/s");
    run.report.add(f);
}

}  // namespace

void queue(const Run& run) {
    const Folder folder(run.folder);
    {
        pawl::Program program;
        pawl::Worker holder(program, run.store(folder, "enqueue"));
        if (const auto opened = holder.open(); !opened) give_up(opened.error().message);
        const pawl::Client client = holder.client();
        if (run.options.wants_k(1)) enqueue(run, client, 1);
        if (run.options.wants_k(64)) enqueue(run, client, 64);
        if (!run.options.k) enqueue_in_bulk(run, client);
    }
    if (run.options.wants_k(64)) process(run, run.store(folder, "process"));
}

}  // namespace bench
