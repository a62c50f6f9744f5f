// Poison: a task that kills its process must not take its neighbours with it for ever (spec section 5).
#pragma once

#include "core/task_row.hpp"

#include <span>

namespace pawl::core {

/// Nothing of it has come to an end since its claim: if its owner died, this task may be why.
inline bool is_silent(const TaskRow& row) { return !row.has_progressed; }

/// A running suspect that has not yet shown that it lives: no other suspect may start beside it.
inline bool is_at_risk(const TaskRow& row) { return row.state == TaskState::running && row.suspect && is_silent(row); }

/// Of the tasks that a dead owner held: a suspect's death counts only when it was the one suspect at risk.
inline bool suspect_was_alone(std::span<const TaskRow> held) {
    int at_risk = 0;
    for (const TaskRow& row : held) at_risk += is_at_risk(row) ? 1 : 0;
    return at_risk <= 1;
}

}  // namespace pawl::core
