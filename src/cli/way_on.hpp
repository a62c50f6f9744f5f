// What a person does next about a task that has no result.
#pragma once

#include "cli/answer.hpp"

#include <string>

namespace pawl::cli {

/// For the answer of /v1/tasks/{id}/result. The lines are as in a terminal, commands in backquotes; empty for a task
/// that is completed. `nobody_works`: no process works the file.
std::string way_on(const Answer& result, bool nobody_works);

}  // namespace pawl::cli
