// The workloads, one file each. Each opens stores of its own below the run's folder and reports what it measured.
#pragma once

#include "measure.hpp"
#include "report.hpp"

#include <filesystem>
#include <string>

namespace bench {

struct Run {
    const Options& options;
    const Limits& limits;
    Report& report;
    const std::filesystem::path folder;

    /// How many units to measure with when `rate` per second is expected.
    int units(double rate, int units_min, int units_max) const;
    /// The URL of a new store: a file in `folder`, or a schema of the server.
    std::string store(const Folder& files, const std::string& name) const;
};

void queue(const Run& run);             ///< W1
void steps(const Run& run);             ///< W2
void latency(const Run& run);           ///< W3
void agents(const Run& run);            ///< W4
void recovery(const Run& run);          ///< W7
void user_transaction(const Run& run);  ///< W8, on PostgreSQL
void idle(const Run& run);

/// What the processes do that W7 and idle start of this program; the exit code.
int recovery_child(const Options& options);
int idle_child(const Options& options);

}  // namespace bench
