// Plain aligned columns.
#pragma once

#include <string>
#include <vector>

namespace pawl::cli {

class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

    /// Cells are made safe for the terminal. Requires: as many as the header has.
    void add(std::vector<std::string> cells);
    bool empty() const { return rows_.size() == 1; }

    /// Two spaces between columns, none at a line's end.
    std::string str() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace pawl::cli
