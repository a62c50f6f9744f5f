// Idle: what a worker with nothing to do costs: memory, and how often any of its threads wakes up.
#include "child.hpp"
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>

namespace bench {
namespace {

inline constexpr pawl::TaskType<int, int> one_step_type{"one-step"};

int pass(int in) { return in; }

pawl::Workflow<int> one_step(pawl::Context& ctx, int in) { co_return co_await ctx.step("pass", pass, in); }

// The number behind `name:` in a file of /proc.
std::int64_t number_in(const std::filesystem::path& file, const std::string& name) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1));
    return 0;
}

std::int64_t wake_ups(pid_t pid) {
    std::int64_t sum = 0;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
        sum += number_in(thread.path() / "status", "voluntary_ctxt_switches");
    return sum;
}

}  // namespace

// A worker that has worked a little, then waits until its input ends.
int idle_child(const Options& options) {
    pawl::Program program;
    program.workflow(one_step_type, one_step);
    pawl::Worker worker(program, options.child_store);
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    for (const auto& task : worker.client().submit_many(one_step_type, std::vector<int>(100, 7)))
        if (!task) give_up(task.error().message);
    worker.wait_until_idle();
    std::puts("idle");
    std::fflush(stdout);
    std::cin.get();
    return 0;
}

void idle(const Run& run) {
    using namespace std::chrono_literals;
    const Folder folder(run.folder);
    Child worker("idle", run.store(folder, "idle"));
    worker.line();
    std::this_thread::sleep_for(500ms);  // what follows the last answer: a checkpoint, the last prints
    const auto length = run.options.quick ? 5s : 60s;
    const std::int64_t before = wake_ups(worker.pid());
    std::this_thread::sleep_for(length);
    const std::int64_t woken = wake_ups(worker.pid()) - before;
    const std::int64_t rss_kib = number_in("/proc/" + std::to_string(worker.pid()) + "/status", "VmRSS");
    worker.end();

    Figure f;
    f.workload = "idle";
    f.k = 0;
    f.metric = "rss_mib";
    f.value = static_cast<double>(rss_kib) / 1'024;
    f.unit = "MiB";
    f.wanted = run.wanted("<= 15 MiB", "");
    run.report.add(f);
    f.metric = run.options.quick ? "wake_ups_in_5_s" : "wake_ups_in_60_s";
    f.value = static_cast<double>(woken);
    f.unit = "";
    f.wanted = run.wanted("0", "");
    run.report.add(f);
}

}  // namespace bench
