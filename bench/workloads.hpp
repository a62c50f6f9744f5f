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
    bool is_on_server() const { return !options.server.empty(); }
    /// What a figure is to reach, by the store in use.
    const char* wanted(const char* on_file, const char* on_server) const {
        return is_on_server() ? on_server : on_file;
    }
};

void queue(const Run& run);             ///< W1
void steps(const Run& run);             ///< W2
void latency(const Run& run);           ///< W3
void agents(const Run& run);            ///< W4
void recovery(const Run& run);          ///< W7
void user_transaction(const Run& run);  ///< W8, on PostgreSQL
void idle(const Run& run);
void fleet(const Run& run);           ///< W1 and W2 by several processes; PostgreSQL
void claims(const Run& run);          ///< with much or little queued; PostgreSQL
void fleet_recovery(const Run& run);  ///< W7 on PostgreSQL: one worker of three is killed

/// What the processes do that W7, fleet, claims and idle start of this program; the exit code.
int recovery_child(const Options& options);
int idle_child(const Options& options);
int fleet_child(const Options& options);

}  // namespace bench
