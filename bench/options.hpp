// What the command line of pawl_bench says.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace bench {

struct Options {
    std::set<std::string> workloads;  ///< empty = all
    std::optional<int> k;             ///< only this many at once, where a workload knows several
    std::optional<int> workers;       ///< fleet: only this many processes
    std::string form;                 ///< W2: only `loop` or `pool` steps; empty = both
    bool quick = false;               ///< the whole run within 40 s
    bool skip_limits = false;         ///< for profiles: no ratios, counts for a machine like the one of the docs
    std::string json;                 ///< a file for the figures; empty = none
    std::string folder;               ///< where the stores are made; empty = beside the program
    std::string server;               ///< postgres://...: the stores are schemas of this server; empty = SQLite files
    std::string child;                ///< a process that this program starts of itself: what it shall do
    int shards = 1;                   ///< of each store on the server: so many schemas
    std::string child_store;
    std::string child_type, child_board;  ///< fleet: what it works on, where it counts
    int child_no = 0;

    bool wants(std::string_view workload) const {
        return workloads.empty() || workloads.contains(std::string(workload));
    }
    bool wants_k(int n) const { return !k || *k == n; }
    bool wants_workers(int n) const { return !workers || *workers == n; }
};

/// Nothing when the arguments are wrong or only ask for help: `exit_code` says which.
std::optional<Options> parse(int argc, char** argv, int& exit_code);

}  // namespace bench
