// W4: agents with two model calls and one tool call between them, every call a durable step. The model answers at once
// over real HTTP from a process of its own, whose time is taken out of K = 1 by a bare client that makes the same
// calls.
#include "model.hpp"
#include "workloads.hpp"

#include <pawl/pawl.hpp>

#include <atomic>
#include <vector>

namespace bench {
namespace {

struct LookUp {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(LookUp, (), (key))

std::atomic<int> looked_up;

std::string look_up(const LookUp& in) {
    looked_up++;
    return in.key + ": 95 %";
}

inline constexpr pawl::AgentType doctor_type{"disk-doctor"};
constexpr const char* question = "How full is the disk?";

pawl::Agent doctor(const std::string& base_url) {
    pawl::Agent agent(doctor_type);
    agent.model("none").endpoint(base_url).instructions("You look things up.");
    pawl::Tool tool("look_up", "Looks one thing up", look_up);
    tool.effect(pawl::Effect::idempotent);
    agent.tool(tool);
    return agent;
}

void check(const pawl::Result<pawl::Answer>& answer) {
    if (!answer) give_up(answer.error().message);
    if (answer->model_calls != 2 || answer->tool_calls != 1) give_up("an agent did not do what it was to do");
}

Figure figure_of(int k, const char* metric, double value, const char* unit) {
    Figure f;
    f.workload = "W4";
    f.k = k;
    f.metric = metric;
    f.value = value;
    f.unit = unit;
    return f;
}

void one_by_one(const Run& run, const ModelEndpoint& model) {
    const Folder folder(run.folder);
    pawl::Program program;
    program.agent(doctor(model.base_url()));
    pawl::Worker worker(program, run.store(folder, "agents"));
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    const pawl::Client client = worker.client();

    std::vector<std::int64_t> times;
    const auto one = [&] {
        const std::int64_t submit = now_ns();
        const auto task = client.submit(doctor_type, question);
        if (!task) give_up(task.error().message);
        check(task->wait());
        times.push_back(now_ns() - submit);
    };
    for (int i = 0; i < 60; i++) one();  // past the first use of everything, and the log's first lap
    times.clear();
    const int runs = run.options.quick ? 300 : 1'000;
    const std::int64_t bare = percentile(model.time_bare_runs(runs), 0.5);
    const Stopwatch watch;
    for (int i = 0; i < runs; i++) one();

    Figure f = figure_of(1, "runs_per_s", runs / watch.wall(), "/s");
    f.cpu_s_per_1000 = watch.cpu() / runs * 1'000;
    run.report.add(f);
    const double p50 = milliseconds(percentile(times, 0.5));
    run.report.add(figure_of(1, "run_p50_ms", p50, "ms"));
    run.report.add(figure_of(1, "run_p99_ms", milliseconds(percentile(times, 0.99)), "ms"));
    run.report.add(figure_of(1, "model_p50_ms", milliseconds(bare), "ms"));
    f = figure_of(1, "outside_model_p50_ms", p50 - milliseconds(bare), "ms");
    f.ratio = share_of(f.value, run.limits.s1_p50_ms, "S1 p50");
    f.wanted = run.wanted("<= 1.5 ms", "");
    run.report.add(f);
}

void many(const Run& run, const ModelEndpoint& model, int k) {
    const Folder folder(run.folder);
    pawl::Program program;
    program.agent(doctor(model.base_url()));
    pawl::Worker worker(program, run.store(folder, "agents"), pawl::WorkerOptions().concurrency(k));
    if (const auto opened = worker.open(); !opened) give_up(opened.error().message);
    const int runs = run.units(3'000, 10 * k, 20'000);
    const std::vector<pawl::Prompt> prompts(static_cast<std::size_t>(runs), question);
    const auto submitted = worker.client().submit_many(doctor_type, prompts);

    looked_up = 0;
    const Stopwatch watch;
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    worker.wait_until_idle();
    Figure f = figure_of(k, "runs_per_s", runs / watch.wall(), "/s");
    f.cpu_s_per_1000 = watch.cpu() / runs * 1'000;
    if (looked_up != runs) give_up(std::to_string(looked_up) + " tool calls in " + std::to_string(runs) + " runs");
    for (std::size_t i = 0; i < submitted.size(); i++) {
        if (!submitted[i]) give_up(submitted[i].error().message);
        if (is_checked(i)) check(submitted[i]->wait());
    }
    f.ratio = share_of(2 * f.value, run.limits.h64_per_s, "H64");
    f.wanted = run.wanted(">= 3,000/s", "");
    run.report.add(f);
}

}  // namespace

void agents(const Run& run) {
    ModelEndpoint model;
    if (run.options.wants_k(1)) one_by_one(run, model);
    if (run.options.wants_k(64)) many(run, model, 64);
    model.end();
}

}  // namespace bench
