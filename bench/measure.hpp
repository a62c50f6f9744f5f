// Clocks, percentiles, folders: what every workload measures with.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace bench {

/// Nanoseconds of CLOCK_MONOTONIC, which is one for all processes.
std::int64_t now_ns();
inline double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }
inline double milliseconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }

/// User and system time of this process with all its threads, in seconds.
double cpu_s();

/// Wall and CPU time since it was made.
class Stopwatch {
public:
    Stopwatch() : wall_(now_ns()), cpu_(cpu_s()) {}
    double wall() const { return seconds(now_ns() - wall_); }
    double cpu() const { return cpu_s() - cpu_; }

private:
    std::int64_t wall_;
    double cpu_;
};

/// `share` in [0, 1] of the samples lie at or below the answer; 0 when there are none.
std::int64_t percentile(std::vector<std::int64_t> samples_ns, double share);

/// Of many tasks, these are asked how they ended.
inline bool is_checked(std::size_t task) { return task % 97 == 0; }

/// A new folder below `parent`, removed with all that is in it.
class Folder {
public:
    explicit Folder(const std::filesystem::path& parent);
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// Ends the program with a text when a measurement cannot go on.
[[noreturn]] void give_up(const std::string& text);

}  // namespace bench
