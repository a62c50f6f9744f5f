// Deep check and backup of a file.
#include "core/task_id.hpp"
#include "store/sqlite/row_codec.hpp"
#include "store/sqlite/sqlite_queries.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace pawl::store {

using namespace core;

namespace {

constexpr std::size_t findings_max = 100;
constexpr int backup_pages = 256;

// What must hold beyond the file's own integrity: a query for what does not, whose first column names it.
struct Invariant {
    const char* text;
    const char* violations;
};
constexpr Invariant invariants[] = {
    {"its journal has a gap",
     "select public_id from task join (select task, min(no) as low, max(no) as high, count(*) as n from journal "
     "group by task) as j on j.task = task.id where low <> 1 or high <> n"},
    {"it has no journal",
     "select public_id from task where not exists (select 1 from journal where task = task.id and no = 1)"},
    {"its row knows another newest entry than its journal",
     "select public_id from task where state <> 1 and last_no <> (select max(no) from journal where task = task.id)"},
    {"it runs without a valid claim",
     "select public_id from task where state = 1 and (fence = 0 or (fence >> 32) > (select epoch from meta))"},
    {"its place in the queue does not fit its state",
     "select public_id from task where line is not 4 and line is not " PAWL_LINE_OF_ROW},
    {"its lane does not exist",
     "select public_id from task where not exists (select 1 from lane where id = task.lane)"},
    {"it has a state that is not known",
     "select public_id from task where state not between 0 and 6 or reason not between 0 and 21 or "
     "reason_before not between 0 and 21 or ending not between 0 and 4"},
    {"a part of it has a codec that this version cannot read",
     "select public_id from task where hex(substr(error, 1, 1)) not in ('', '00') or "
     "hex(substr(input, 1, 1)) not in ('', '00') or exists (select 1 from journal where task = task.id and no = 1 and "
     "hex(substr(result, 1, 1)) not in ('', '00'))"},
    {"it is set aside; this version cannot work on it", "select public_id from task where line = 4"},
};
constexpr Invariant file_invariants[] = {
    {"a blob's count of references is wrong",
     "select count(*) from blob left join (select lane.namespace as space, definition, count(*) as n from task "
     "join lane on lane.id = task.lane where definition is not null group by 1, 2) as used "
     "on used.space = blob.namespace and used.definition = blob.hash where blob.refs <> coalesce(n, 0)"},
    {"a task's definition is missing",
     "select count(*) from task join lane on lane.id = task.lane where definition is not null and not exists "
     "(select 1 from blob where namespace = lane.namespace and hash = task.definition)"},
    {"a key belongs to no task", "select count(*) from key where task not in (select id from task)"},
    {"entries belong to no task",
     "select count(*) from journal where task not in (select id from task) and task not in (select task from "
     "leftover)"},
};

bool sync_folder_of(const std::string& file) {
    const std::string folder = std::filesystem::path(file).parent_path().string();
    const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool synced = ::fsync(fd) == 0;
    ::close(fd);
    return synced;
}

// Copies page by page from one snapshot of `source`, which nobody's writes can restart.
Result<void> copy_snapshot(Connection& source, const std::string& part) {
    Connection target;
    if (!target.open(part, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) return *target.failure();
    sqlite3_backup* copy = sqlite3_backup_init(target.handle(), "main", source.handle(), "main");
    if (!copy) {
        target.note(sqlite3_errcode(target.handle()), "backup");
        return *target.failure();
    }
    int status = SQLITE_OK;
    while (status == SQLITE_OK) status = sqlite3_backup_step(copy, backup_pages);
    sqlite3_backup_finish(copy);
    if (!target.note(status, "backup")) return *target.failure();
    // A target that is read back as a database was written whole; closing it leaves one file.
    if (!target.close()) return Error{Errc::store_unavailable, part + ": could not be closed; nothing was kept"};
    return {};
}

}  // namespace

Result<std::vector<std::string>> SqliteQueries::check() {
    FreshStart fresh(connection_);
    std::vector<std::string> findings;
    Statement integrity(connection_, "pragma integrity_check(100)");
    for (auto use = integrity.use(); use.next();) {
        if (const std::string text = use.text(0); text != "ok") findings.push_back("the file: " + text);
    }
    for (const Invariant& invariant : invariants) {
        Statement statement(connection_, invariant.violations);
        for (auto use = statement.use(); findings.size() < findings_max && use.next();)
            findings.push_back(to_string(read_id(use, 0)) + ": " + invariant.text);
    }
    for (const Invariant& invariant : file_invariants) {
        const std::optional<std::int64_t> count = connection_.query_int(invariant.violations);
        if (count.value_or(0) != 0)
            findings.push_back(std::string(invariant.text) + " (" + std::to_string(*count) + ")");
    }
    if (connection_.failure()) {
        // Damage that stops the check is a finding, not a reason to say nothing.
        if (connection_.failure()->code != Errc::store_corrupt) return *connection_.failure();
        findings.push_back(connection_.failure()->message);
    }
    return findings;
}

Result<void> SqliteQueries::backup(const std::string& file) {
    FreshStart fresh(connection_);
    const std::string part = file + ".part";
    std::error_code ignored;
    const auto folder = std::filesystem::path(file).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
        return Error{Errc::bad_input,
                     "backup to " + file + ": its folder does not exist; nothing was copied; make it first"};
    }
    if (std::filesystem::exists(file, ignored)) {
        return Error{Errc::refused, "backup to " + file + ": the file exists; nothing was copied; name a new one"};
    }
    if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) {
        return Error{Errc::store_readonly, "backup to " + file + ": its folder cannot be written (" +
                                               std::strerror(errno) + "); nothing was copied; name another folder"};
    }
    std::filesystem::remove(part, ignored);  // of a backup that was cut short
    connection_.exec("begin");
    (void)connection_.query_int("select schema from meta");  // the snapshot begins with the first read
    if (connection_.failure()) return *connection_.failure();
    Result<void> copied = copy_snapshot(connection_, part);
    connection_.exec("rollback");
    if (copied && (std::rename(part.c_str(), file.c_str()) != 0 || !sync_folder_of(file))) {
        copied = Error{Errc::store_unavailable, "backup to " + file + ": " + std::strerror(errno)};
    }
    if (!copied) std::filesystem::remove(part, ignored);
    return copied;
}

}  // namespace pawl::store
