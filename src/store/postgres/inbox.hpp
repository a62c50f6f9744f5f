// Submits in transactions of users, as they stand in the table inbox until they are taken in.
#pragma once

#include "core/shared_tables.hpp"
#include "store/postgres/parameters.hpp"

namespace pawl::store {

// In the order in which read_posted takes them.
#define PAWL_PG_INBOX_COLUMNS                                                                 \
    "i.id, i.public_id, i.namespace, i.queue, i.type, i.k, i.flow_key, i.priority, i.delay, " \
    "i.deadline, i.queue_timeout, i.max_attempts, array_to_string(i.tags, chr(10)), i.trace_id, i.at, i.input"

core::SharedTables::Posted read_posted(const PgRows& rows, int row);

/// As people see it: the task that it will be, without an entry in its journal (last_no is 0).
core::TaskRow shown_posted(const PgRows& rows, int row);

}  // namespace pawl::store
