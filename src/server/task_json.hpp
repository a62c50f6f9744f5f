// The JSON shapes of the API (docs/reference/api.md). Stable: a field may be added, never renamed or dropped.
#pragma once

#include "core/command.hpp"
#include "core/store.hpp"
#include "server/json_text.hpp"
#include "server/port.hpp"

#include <string>
#include <vector>

namespace pawl::server {

/// As in a listing.
void append_task(JsonText& json, const core::TaskRow& row);
/// The same with tags, input, output and error.
void append_whole_task(JsonText& json, const core::TaskRow& row, const std::vector<std::string>& tags);

/// `cursor` and `task` only where entries of several tasks stand together (the feed).
void append_entry(JsonText& json, const core::Entry& entry, const core::TaskId* task = nullptr);

void append_queue(JsonText& json, const core::QueueStatus& queue);
void append_worker(JsonText& json, const std::optional<WorkerStatus>& worker);
void append_worker(JsonText& json, const core::WorkerRow& worker);

/// Whether only a person can move the task on.
bool needs_person(TaskState state, Reason reason);

}  // namespace pawl::server
