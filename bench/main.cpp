// pawl_bench: what Pawl does beside what this machine can do at all (docs/dev/performance.md explains the workloads).
#include "model.hpp"
#include "workloads.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace bench {

int Run::units(double rate, int units_min, int units_max) const {
    const double length_s = options.quick ? 0.8 : 4;
    return static_cast<int>(
        std::clamp(rate * length_s, static_cast<double>(units_min), static_cast<double>(units_max)));
}

std::string Run::store(const Folder& files, const std::string& name) const {
    if (options.server.empty()) return "sqlite:" + files.file(name + ".db");
    static int number = 0;
    const char* joint = options.server.find('?') == std::string::npos ? "?" : "&";
    std::string urls;
    for (int shard = 0; shard < options.shards; ++shard)
        urls += (shard == 0 ? "" : " ") + options.server + joint + "schema=bench_" + std::to_string(::getpid()) + "_" +
                std::to_string(++number);
    return urls;
}

namespace {

// In the order of the table. A workload is a name and a function.
constexpr struct {
    const char* name;
    void (*run)(const Run&);
} workloads[] = {{"W1", queue},    {"W2", steps},      {"W3", latency},
                 {"W4", agents},   {"W7", recovery},   {"W8", user_transaction},
                 {"fleet", fleet}, {"claims", claims}, {"idle", idle}};

void warn_of_neighbours(double f_ms) {
    constexpr double quiet_ms = 0.4;
    if (f_ms <= quiet_ms) return;
    std::printf("\nbusy machine: a flush takes %.2f ms (p50), more than %.1f ms; the figures say little, repeat them\n",
                f_ms, quiet_ms);
}

int measure(const Options& options) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::filesystem::path folder = options.folder;
    if (folder.empty()) folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const Stopwatch watch;
    Limits limits{0.12, 6'000, 0.14, 200'000, 100'000};
    Report report(options.server.empty() ? "sqlite" : "postgres");
    if (!options.skip_limits) {
        limits = measure_limits(options, folder);
        report.show(limits);
        warn_of_neighbours(limits.f_ms);
    }
    const Run run{options, limits, report, folder};
    for (const auto& workload : workloads)
        if (options.wants(workload.name)) workload.run(run);
    const double f_ms = options.skip_limits ? limits.f_ms : measure_flush(options, folder);
    double load[1] = {};
    (void)::getloadavg(load, 1);
    std::printf("\n%.0f s in all, %u cores; a flush takes %.2f ms (p50) before and %.2f ms after; load average %.1f\n",
                watch.wall(), std::thread::hardware_concurrency(), limits.f_ms, f_ms, load[0]);
    warn_of_neighbours(std::max(limits.f_ms, f_ms));
    if (!options.json.empty()) report.write_json(options.json, limits);
    return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    int exit_code = 0;
    const auto options = bench::parse(argc, argv, exit_code);
    if (!options) return exit_code;
    if (options->child == "hold" || options->child == "recover") return bench::recovery_child(*options);
    if (options->child == "fleet") return bench::fleet_child(*options);
    if (options->child == "model") return bench::model_child();
    if (options->child == "idle") return bench::idle_child(*options);
    return bench::measure(*options);
}
