// The figures of a run, for people and as JSON.
#pragma once

#include "limits.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Figure {
    std::string workload;
    int k = 1;        ///< how many at once
    int workers = 0;  ///< processes beside this one; 0: this one works
    std::string metric;
    double value = 0;
    std::string unit;
    std::optional<double> cpu_s_per_1000;  ///< CPU seconds of all processes per 1,000 units; rates only
    std::string ratio;                     ///< for people: beside its limit
    std::string wanted;                    ///< for people: what it is to reach
};

class Report {
public:
    explicit Report(std::string store) : store_(std::move(store)) {}
    /// Prints the figure at once: a long run shows where it is.
    void add(Figure figure);
    void show(const Limits& limits);
    const std::vector<Figure>& figures() const { return figures_; }
    /// A list of figures, and as its last element {"limits": {...}}.
    void write_json(const std::string& file, const Limits& limits) const;

private:
    std::string store_;  // sqlite or postgres
    std::vector<Figure> figures_;
    bool has_header_ = false;
};

/// `value` as a share of a limit: "0.28 x S64".
std::string share_of(double value, double limit, const char* name);

}  // namespace bench
