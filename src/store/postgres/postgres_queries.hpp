// What people read, on any connection to the store.
#pragma once

#include "core/store.hpp"
#include "store/postgres/connection.hpp"

#include <functional>
#include <string>
#include <vector>

namespace pawl::store {

struct PgTask;

class PostgresQueries {
public:
    explicit PostgresQueries(PgConnection& connection) : connection_(connection) {}

    Result<core::TaskRow> get(const core::TaskId& id);
    Result<core::TaskRow> get(core::TaskRef ref);
    Result<std::vector<core::TaskId>> match(std::string_view part, int tasks_max);
    Result<std::vector<std::string>> tags(core::TaskRef task);
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter);
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after_no, int entries_max);
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after, int entries_max);
    Result<std::vector<core::QueueStatus>> queues();
    Result<std::vector<std::int64_t>> counts();
    Result<std::vector<core::WorkerRow>> workers();
    Result<std::vector<std::string>> check();

private:
    Result<PgRows> ask(const PgStatement& statement, const PgParameters& parameters);
    Result<core::TaskRow> get(const PgStatement& statement, const PgStatement& in_inbox, const PgParameters& parameters,
                              const Error& missing);

    PgConnection& connection_;
};

}  // namespace pawl::store
