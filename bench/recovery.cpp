// W7: a worker is killed with SIGKILL while 1,000 tasks are between their first and their last step; a new process
// takes over. Times count from the new process's start: loading the program, opening the file, reading 1,000 journals.
#include "board.hpp"
#include "child.hpp"
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace bench {
namespace {

inline constexpr pawl::TaskType<int, int> three_steps_type{"three-steps"};

std::atomic<int> held;
std::atomic<std::int64_t> first_resumed_at;

int pass(int in) { return in; }

// The process ends in the middle of this step, in all tasks at once.
int hold(int) {
    if (++held == tasks_in_flight) std::puts("held"), std::fflush(stdout);
    for (;;) ::pause();
}

int resume(int in) {
    std::int64_t nobody = 0;
    first_resumed_at.compare_exchange_strong(nobody, now_ns());
    return in;
}

pawl::Workflow<int> killed(pawl::Context& ctx, int in) {
    const int first = co_await ctx.step("first", pass, in).on_loop();
    const int middle = co_await ctx.step("middle", hold, first);
    co_return middle;
}

pawl::Workflow<int> resumed(pawl::Context& ctx, int in) {
    const int first = co_await ctx.step("first", pass, in).on_loop();
    const int middle = co_await ctx.step("middle", resume, first).on_loop();
    co_return co_await ctx.step("last", pass, middle).on_loop();
}

void start(pawl::Worker& worker) {
    if (const auto started = worker.start(); !started) give_up(started.error().message);
}

}  // namespace

// Holds 1,000 tasks until it is killed; or takes them over and says when.
int recovery_child(const Options& options) {
    const bool is_first = options.child == "hold";
    pawl::Program program;
    program.workflow(three_steps_type, is_first ? killed : resumed);
    pawl::Worker worker(program, options.child_store, pawl::WorkerOptions().concurrency(tasks_in_flight));
    if (is_first) {
        if (const auto opened = worker.open(); !opened) give_up(opened.error().message);
        for (const auto& task : worker.client().submit_many(three_steps_type, std::vector<int>(tasks_in_flight, 7)))
            if (!task) give_up(task.error().message);
        start(worker);
        for (;;) ::pause();
    }
    start(worker);
    worker.wait_until_idle();
    std::printf("%lld\n%lld\n", static_cast<long long>(first_resumed_at), static_cast<long long>(now_ns()));
    return 0;
}

void recovery(const Run& run) {
    if (run.is_on_server()) return fleet_recovery(run);
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "recovery");
    Child worker("hold", store);
    worker.line();
    worker.kill();

    const std::int64_t start_ns = now_ns();
    Child successor("recover", store);
    const std::int64_t first_ns = std::stoll(successor.line()) - start_ns;
    const std::int64_t all_ns = std::stoll(successor.line()) - start_ns;
    successor.end();

    Figure f;
    f.workload = "W7";
    f.k = tasks_in_flight;
    f.unit = "s";
    f.metric = "first_resumed_s";
    f.value = seconds(first_ns);
    f.wanted = "<= 0.1 s";
    run.report.add(f);
    f.metric = "all_done_s";
    f.value = seconds(all_ns);
    f.cpu_s_per_1000 = successor.cpu_s();
    f.wanted = "<= 0.5 s";
    run.report.add(f);
}

}  // namespace bench
