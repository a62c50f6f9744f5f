// `submit --bulk FILE`.
#pragma once

#include "cli/console.hpp"

#include <string>

namespace pawl::cli {

/// Submits one task for each line that is not blank. When a line is no JSON object nothing at all is submitted;
/// a line that is refused later does not stop the others: it is told on stderr and the exit code is 2.
int submit_bulk(Console& console, const std::string& file);

}  // namespace pawl::cli
