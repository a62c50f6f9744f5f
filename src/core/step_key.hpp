// The key that the world outside sees of a step (header `Idempotency-Key`, environment `PAWL_IDEMPOTENCY_KEY`).
#pragma once

#include "core/task_id.hpp"

#include <string>
#include <string_view>

namespace pawl::core {

/// 32 hexadecimal digits: the same for every attempt of the step, also after a crash, and for no other step.
///
/// `path` is the step's identity: scope path, name and occurrence. `generation` rises when `retry` reopens a step
/// whose failure was known: the receiver must then not answer with the old failure. Requires: generation >= 0.
std::string step_key(const TaskId& task, std::string_view path, int generation);

}  // namespace pawl::core
