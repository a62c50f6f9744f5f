// One entry of a journal as a line for people.
#pragma once

#include "cli/answer.hpp"

#include <string>

namespace pawl::cli {

/// "2026-11-23T08:08:00.123Z  t_...  7  step_completed  check disk#1  attempt 1", with a line feed.
std::string entry_text(const Answer& entry);

}  // namespace pawl::cli
