#include "cli/table.hpp"

#include "cli/terminal_text.hpp"
#include "core/assert.hpp"

#include <algorithm>

namespace pawl::cli {

void Table::add(std::vector<std::string> cells) {
    PAWL_ASSERT(cells.size() == rows_.front().size());
    for (std::string& cell : cells) cell = terminal_text(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::str() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
    }
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            line.append(widths[i] - display_width(row[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

}  // namespace pawl::cli
