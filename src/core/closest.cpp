#include "core/closest.hpp"

#include <algorithm>
#include <utility>

namespace pawl::core {
namespace {

// Edits to turn one into the other; a swap of neighbours counts once, as it is one slip of the fingers.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({change, above[j] + 1, row[j - 1] + 1});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = std::exchange(above, row);
    }
    return above[b.size()];
}

}  // namespace

std::optional<std::string> closest(std::string_view given, const std::vector<std::string>& known) {
    constexpr std::size_t bytes_max = 64;  // nobody misspells a longer name; the cost is quadratic
    if (given.size() > bytes_max) return std::nullopt;
    std::optional<std::string> best;
    std::size_t least = std::max<std::size_t>(1, given.size() / 3) + 1;
    for (const std::string& name : known) {
        if (name.size() > bytes_max) continue;
        const std::size_t edits = distance(given, name);
        if (edits < least) {
            least = edits;
            best = name;
        }
    }
    return best;
}

}  // namespace pawl::core
