// What this machine can do at all, measured in the same run: every figure stands beside its limit.
#pragma once

#include "options.hpp"

#include <filesystem>

namespace bench {

struct Limits {
    double f_ms = 0;      ///< F: overwrite of 4 KiB + fdatasync, p50
    double s1_per_s = 0;  ///< S1: bare SQLite, synchronous=FULL, one row a transaction
    double s1_p50_ms = 0;
    double s64_per_s = 0;  ///< S64: rows in groups of 64
    double h64_per_s = 0;  ///< H64: a bare HTTP server on one thread, 64 connections over loopback
};

Limits measure_limits(const Options& options, const std::filesystem::path& folder);
/// Again at the end of a run: a machine that became busy meanwhile is told from a quiet one.
double measure_flush(const Options& options, const std::filesystem::path& folder);
double measure_http(const Options& options);

}  // namespace bench
