// What people read, on any connection to the file.
#pragma once

#include "core/store.hpp"
#include "store/sqlite/connection.hpp"

#include <string>
#include <vector>

namespace pawl::store {

/// A query fails on its own: it neither starts with an older failure of its connection nor leaves one.
class FreshStart {
public:
    explicit FreshStart(Connection& connection) : connection_(connection), former_(connection.failure()) {
        connection_.clear_failure();
    }
    ~FreshStart() {
        connection_.clear_failure();
        if (former_) connection_.fail(*former_);
    }
    FreshStart(const FreshStart&) = delete;
    FreshStart& operator=(const FreshStart&) = delete;

private:
    Connection& connection_;
    std::optional<Error> former_;
};

class SqliteQueries {
public:
    explicit SqliteQueries(Connection& connection);

    /// Before the connection is closed.
    void finalize();

    Result<core::TaskRow> get(const core::TaskId& id);
    Result<core::TaskRow> get(core::TaskRef ref);
    Result<std::vector<core::TaskId>> match(std::string_view part, int tasks_max);
    Result<std::vector<std::string>> tags(core::TaskRef task);
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter);
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after_no, int entries_max);
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after, int entries_max);
    Result<std::vector<core::QueueStatus>> queues();
    Result<std::vector<std::int64_t>> counts();
    Result<void> backup(const std::string& file);
    Result<std::vector<std::string>> check();

private:
    core::TaskRow read_whole_row(Statement::Use& use, bool* is_readable);
    void add_payloads(core::TaskRow& row, Statement::Use& use, int input_column, bool* is_readable);
    std::string entry_result(core::TaskRef task, int no, bool* is_readable);

    Connection& connection_;
    // What waiting clients and followers ask all the time is prepared once; the rest at each use.
    Statement find_, get_, result_, journal_, feed_;
};

}  // namespace pawl::store
