#include "report.hpp"

#include "measure.hpp"

#include <boost/json.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>

namespace bench {
namespace {

// Three digits that mean something, and thousands apart.
std::string shown(double value) {
    char buffer[48];
    if (std::abs(value) >= 1'000) {
        std::string digits = std::to_string(static_cast<long long>(std::llround(value)));
        for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
        return digits;
    }
    std::snprintf(buffer, sizeof buffer,
                  std::abs(value) >= 100 ? "%.0f"
                  : std::abs(value) >= 1 ? "%.2f"
                                         : "%.4f",
                  value);
    return buffer;
}

double rounded(double value) {
    if (value == 0 || !std::isfinite(value)) return 0;
    const double scale = std::pow(10.0, 5 - std::ceil(std::log10(std::abs(value))));
    return std::round(value * scale) / scale;
}

}  // namespace

std::string share_of(double value, double limit, const char* name) {
    if (limit <= 0) return {};
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.2f x %s", value / limit, name);
    return buffer;
}

void Report::add(Figure figure) {
    if (!has_header_)
        std::printf("\n%-6s %9s  %-28s %12s %-5s %12s  %-14s %s\n", "", "k", "", "", "", "CPU s/1,000", "beside",
                    "wanted");
    has_header_ = true;
    const std::string metric =
        figure.metric + (figure.workers == 0   ? ""
                         : figure.workers == 1 ? ", 1 worker"
                                               : ", " + std::to_string(figure.workers) + " workers");
    char cpu[24] = "";
    if (figure.cpu_s_per_1000) std::snprintf(cpu, sizeof cpu, "%.4f", *figure.cpu_s_per_1000);
    std::printf("%-6s %9d  %-28s %12s %-5s %12s  %-14s %s\n", figure.workload.c_str(), figure.k, metric.c_str(),
                shown(figure.value).c_str(), figure.unit.c_str(), cpu, figure.ratio.c_str(), figure.wanted.c_str());
    std::fflush(stdout);
    figures_.push_back(std::move(figure));
}

void Report::show(const Limits& limits) {
    std::printf("limits of this machine, in this run (synchronous=FULL everywhere: what is acknowledged is on disk)\n");
    std::printf("  F    4 KiB overwrite + fdatasync, p50              %s ms\n", shown(limits.f_ms).c_str());
    std::printf("  S1   bare SQLite, one row a commit                 %s /s, p50 %s ms\n",
                shown(limits.s1_per_s).c_str(), shown(limits.s1_p50_ms).c_str());
    std::printf("  S64  bare SQLite, rows in groups of 64             %s /s\n", shown(limits.s64_per_s).c_str());
    std::printf("  H64  bare HTTP server on loopback, 64 connections  %s /s\n", shown(limits.h64_per_s).c_str());
    std::fflush(stdout);
}

void Report::write_json(const std::string& file, const Limits& limits) const {
    boost::json::array list;
    for (const Figure& f : figures_) {
        boost::json::object o;
        o["workload"] = f.workload;
        o["store"] = store_;
        o["k"] = f.k;
        o["workers"] = std::max(1, f.workers);
        o["metric"] = f.metric;
        o["value"] = rounded(f.value);
        o["unit"] = f.unit;
        if (f.cpu_s_per_1000) o["cpu_s_per_1000"] = rounded(*f.cpu_s_per_1000);
        else o["cpu_s_per_1000"] = nullptr;
        list.push_back(std::move(o));
    }
    boost::json::object l;
    l["F_ms"] = rounded(limits.f_ms);
    l["S1_per_s"] = rounded(limits.s1_per_s);
    l["S1_p50_ms"] = rounded(limits.s1_p50_ms);
    l["S64_per_s"] = rounded(limits.s64_per_s);
    l["H64_per_s"] = rounded(limits.h64_per_s);
    boost::json::object last;
    last["limits"] = std::move(l);
    list.push_back(std::move(last));
    std::ofstream out(file);
    out << boost::json::serialize(list) << "\n";
    if (!out.flush()) give_up("the figures could not be written to " + file);
}

}  // namespace bench
