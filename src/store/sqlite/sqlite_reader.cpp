#include "store/sqlite/sqlite_file.hpp"
#include "store/sqlite/sqlite_queries.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <filesystem>

namespace pawl::store {

using namespace core;

namespace {

/// Read-only in every respect: it neither writes nor checkpoints, and each call is one short transaction.
class SqliteReader final : public Reader {
public:
    Result<void> open(const std::string& path) {
        if (auto opened = open_readonly(connection_, path); !opened) return opened;
        const Result<FileKind> kind = file_kind(connection_);
        if (!kind) return kind.error();
        if (*kind == FileKind::empty) return Error{Errc::not_found, path + ": the file is empty; it has no tasks yet"};
        connection_.exec(
            "pragma query_only = on; pragma trusted_schema = off; pragma mmap_size = 0;"
            "pragma wal_autocheckpoint = 0; pragma cache_size = -8000");
        if (connection_.failure()) return *connection_.failure();
        return check_readable(connection_);
    }

    Result<TaskRow> get(const TaskId& id) override { return queries_.get(id); }
    Result<TaskRow> get(TaskRef ref) override { return queries_.get(ref); }
    Result<std::vector<TaskId>> match(std::string_view part, int tasks_max) override {
        return queries_.match(part, tasks_max);
    }
    Result<std::vector<std::string>> tags(TaskRef task) override { return queries_.tags(task); }
    Result<std::vector<TaskRow>> list(const ListFilter& filter) override { return queries_.list(filter); }
    Result<std::vector<Entry>> journal(TaskRef task, int after_no, int entries_max) override {
        return queries_.journal(task, after_no, entries_max);
    }
    Result<std::vector<std::pair<Entry, TaskId>>> feed(const FeedCursor& after, int entries_max) override {
        return queries_.feed(after, entries_max);
    }
    Result<std::vector<QueueStatus>> queues() override { return queries_.queues(); }
    Result<std::vector<std::int64_t>> counts() override { return queries_.counts(); }
    Result<void> backup(const std::string& file) override { return queries_.backup(file); }
    Result<std::vector<std::string>> check() override { return queries_.check(); }

private:
    Connection connection_;
    SqliteQueries queries_{connection_};
};

}  // namespace

Result<std::unique_ptr<Reader>> open_sqlite_reader(const std::string& path) {
    const Result<std::string> real_path = sqlite_real_path(path);
    if (!real_path) return real_path.error();
    if (!std::filesystem::exists(*real_path)) return Error{Errc::not_found, path + ": no such file"};
    auto reader = std::make_unique<SqliteReader>();
    if (auto opened = reader->open(*real_path); !opened) return opened.error();
    return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace pawl::store
