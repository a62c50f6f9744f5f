#include "store/sqlite/sqlite_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pawl::store {
namespace {

constexpr std::int64_t application_id = 1'348'564'844;  // "Pawl"

std::string reason_of(int error) { return std::strerror(error); }

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

std::string lock_path(const std::string& real_path) { return real_path + ".lock"; }

std::optional<SqliteHolder> read_holder(int fd) {
    std::array<char, 256> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size() - 1, 0);
    if (size <= 0) return std::nullopt;
    SqliteHolder holder;
    const std::string line(text.data(), static_cast<std::size_t>(size));
    holder.pid = std::atoi(line.c_str());
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) holder.program = line.substr(space + 1, line.find('\n') - space - 1);
    return holder;
}

bool write_holder(int fd, const std::string& program) {
    const std::string line = std::to_string(::getpid()) + " " + program.substr(0, 200) + "\n";
    return ::ftruncate(fd, 0) == 0 && ::pwrite(fd, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
}

std::string immutable_uri(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        const bool reserved = c == '%' || c == '?' || c == '#';
        constexpr std::string_view hex = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(c);
        uri += reserved ? std::string{'%', hex[byte >> 4U], hex[byte & 15U]} : std::string(1, c);
    }
    return uri + "?immutable=1";
}

Error locked(const std::string& real_path, const std::optional<SqliteHolder>& holder) {
    std::string who = "another process";
    if (holder && holder->pid != 0) who = holder->program + " (pid " + std::to_string(holder->pid) + ")";
    return {Errc::store_locked, real_path + ": " + who + " holds it; end that process, or talk to it instead"};
}

Error not_ours(const std::string& path) {
    return {Errc::store_corrupt,
            path + ": it is a database of another program, no Pawl store; nothing was changed; name another file"};
}

Error newer(const std::string& path, const char* verb) {
    return {Errc::store_newer,
            path + ": a newer Pawl wrote it, and this one cannot " + verb + " it; use that version or a later one"};
}

}  // namespace

// ---- path and lock -----------------------------------------------------------------------------------------------

Result<std::string> sqlite_real_path(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path whole = std::filesystem::canonical(path, failed);
    if (!failed && std::filesystem::is_directory(whole, failed))
        return Error{Errc::bad_input, path + ": it is a folder; name a file in it"};
    if (!failed && !std::filesystem::is_regular_file(whole, failed) && !failed)
        return Error{Errc::bad_input, path + ": it is no regular file; name a file on a disk"};
    if (!failed) return whole.string();
    if (failed == std::errc::permission_denied)
        return Error{Errc::store_readonly, path + ": " + failed.message() + "; nothing was read or changed"};
    const std::filesystem::path given(path);
    const std::filesystem::path folder =
        std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : std::filesystem::path("."), failed);
    if (failed) return Error{Errc::not_found, path + ": its folder does not exist; make it, or name another file"};
    return (folder / given.filename()).string();
}

Result<FileLock> FileLock::take(const std::string& real_path, const std::string& program) {
    const std::string path = lock_path(real_path);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        const int reason = errno;
        if (reason == ENOSPC || reason == EDQUOT) {
            return Error{Errc::disk_full, path + ": " + reason_of(reason) + "; nothing was stored; make space"};
        }
        const bool is_readonly = reason == EACCES || reason == EROFS || reason == EPERM;
        return Error{is_readonly ? Errc::store_readonly : Errc::store_unavailable,
                     path + ": " + reason_of(reason) + "; the folder must be writable for the file's lock"};
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const std::optional<SqliteHolder> holder = read_holder(fd);
        ::close(fd);
        return locked(real_path, holder);
    }
    FileLock lock;
    lock.fd_ = fd;
    // The text is for people only: a full disk must not keep us from the file.
    (void)write_holder(fd, program);
    return lock;
}

void FileLock::release() {
    if (fd_ < 0) return;
    // The lock file stays: removing it would let two later processes lock two different files of that name.
    (void)::ftruncate(fd_, 0);
    ::close(std::exchange(fd_, -1));
}

Result<void> check_only_name(const std::string& real_path) {
    std::error_code failed;
    const auto names = std::filesystem::hard_link_count(real_path, failed);
    if (failed || names <= 1) return {};
    return Error{Errc::refused, real_path + ": the file has " + std::to_string(names) +
                                    " names (hard links), and what is stored under one would be missing under the "
                                    "other; nothing was changed; remove the other names (a symbolic link will do)"};
}

Result<std::optional<SqliteHolder>> sqlite_holder(const std::string& path) {
    const Result<std::string> real_path = sqlite_real_path(path);
    if (!real_path) return real_path.error();
    const int fd = ::open(lock_path(*real_path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return Error{Errc::store_readonly, lock_path(*real_path) + ": " + reason_of(errno) +
                                               "; whether a process holds the file cannot be told"};
    if (fd < 0) return std::optional<SqliteHolder>{};
    std::optional<SqliteHolder> holder;
    if (::flock(fd, LOCK_SH | LOCK_NB) != 0) holder = read_holder(fd).value_or(SqliteHolder{});
    ::close(fd);
    return holder;
}

Result<void> check_file_system(const std::string& real_path) {
    struct statfs info {};
    if (::statfs(folder_of(real_path).c_str(), &info) != 0) return {};  // opening it will tell more
    constexpr std::array<std::uint64_t, 9> network{
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF534D42,  // CIFS
        0xFE534D42,  // SMB2
        0x01021997,  // 9p
        0x5346414F,  // AFS
        0x73757245,  // CODA
        0x00C36400,  // Ceph
        0x564C,      // NCP
    };
    for (const std::uint64_t type : network) {
        if ((static_cast<std::uint64_t>(info.f_type) & 0xFFFFFFFF) != type) continue;
        return Error{Errc::refused, real_path +
                                        ": it lies on a network file system, where locks and flushes cannot be "
                                        "trusted; nothing was changed; use a local disk, or PostgreSQL"};
    }
    return {};
}

// ---- database ----------------------------------------------------------------------------------------------------

// A write-ahead log needs its folder: to be read, too, when no process has it open. A file whose log is empty was
// closed in good order, and nobody writes to it where nobody may.
Result<void> open_readonly(Connection& connection, const std::string& path) {
    connection.open(path, SQLITE_OPEN_READONLY);
    if (connection.is_open()) sqlite3_busy_timeout(connection.handle(), 5'000);
    (void)connection.query_int("select count(*) from sqlite_master");
    if (!connection.failure()) return {};
    const Errc code = connection.failure()->code;
    const bool may_be_folder = code == Errc::store_readonly || code == Errc::store_unavailable;
    if (!may_be_folder || ::access(folder_of(path).c_str(), W_OK) == 0) return *connection.failure();
    const std::string reason = reason_of(errno);
    if (::access(path.c_str(), R_OK) != 0)
        return Error{Errc::store_readonly, path + ": " + reason_of(errno) + "; nothing was read"};

    std::error_code failed;
    const auto log_bytes = std::filesystem::file_size(path + "-wal", failed);
    if (!failed && log_bytes > 0) {
        return Error{Errc::store_readonly, path + ": its folder cannot be written (" + reason +
                                               "), and its newest part is still in " + path +
                                               "-wal; nothing was read; copy both to a folder that can be written"};
    }
    const auto holder = sqlite_holder(path);
    if (!holder)
        return Error{Errc::store_readonly, holder.error().message + ", and its folder cannot be written (" + reason +
                                               "); nothing was read; run this as the user of the file"};
    if (*holder) {
        return Error{Errc::store_readonly, path + ": " + (*holder)->program + " (pid " +
                                               std::to_string((*holder)->pid) +
                                               ") holds it, and its folder cannot be written (" + reason +
                                               "); nothing was read; run this as that process's user"};
    }
    connection.close();
    connection.clear_failure();
    connection.open(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, immutable_uri(path));
    if (connection.failure()) return *connection.failure();
    return {};
}

Result<FileKind> file_kind(Connection& connection) {
    const std::optional<std::int64_t> tables = connection.query_int("select count(*) from sqlite_master");
    const std::optional<std::int64_t> id = connection.query_int("pragma application_id");
    if (!tables || !id) return *connection.failure();
    if (*id == application_id) {
        // A crash between the two is not possible: the id is set in the transaction that makes the tables.
        if (*tables == 0) return not_ours(connection.path());
        return FileKind::ours;
    }
    if (*tables != 0 || *id != 0) return not_ours(connection.path());
    return FileKind::empty;
}

bool configure_writer(Connection& connection, FileKind kind) {
    sqlite3_busy_timeout(connection.handle(), 5'000);  // a reader's recovery of the WAL, at most
    if (kind == FileKind::empty) {
        // Before the first table: these can hardly be changed later.
        if (!connection.exec("pragma page_size = 4096; pragma auto_vacuum = incremental")) return false;
    }
    const std::optional<std::string> mode = connection.query_text("pragma journal_mode = wal");
    if (mode && *mode != "wal") {
        connection.fail({Errc::store_unavailable,
                         connection.path() + ": SQLite cannot use its write-ahead log here; use a local disk"});
    }
    return connection.exec(
        "pragma synchronous = full; pragma cache_size = -64000; pragma mmap_size = 0;"
        "pragma trusted_schema = off; pragma temp_store = memory; pragma foreign_keys = on");
}

Result<void> migrate(Connection& connection, FileKind kind) {
    const auto known = static_cast<std::int64_t>(sqlite_migrations().size());
    std::int64_t applied = 0;
    if (kind == FileKind::ours) {
        const std::optional<std::int64_t> schema = connection.query_int("select schema from meta");
        const std::optional<std::int64_t> min_writer = connection.query_int("select min_writer from meta");
        if (!schema || !min_writer) return *connection.failure();
        if (*min_writer > known) return newer(connection.path(), "write");
        applied = *schema;
    }
    if (applied >= known) return {};
    connection.exec("begin immediate");
    for (auto i = static_cast<std::size_t>(applied); i < sqlite_migrations().size(); ++i)
        connection.exec(std::string(sqlite_migrations()[i].second).c_str());
    connection.exec(("update meta set schema = " + std::to_string(known)).c_str());
    connection.exec("commit");
    if (connection.failure()) return *connection.failure();
    return {};
}

std::string read_store_id(Connection& connection) {
    return connection.query_text("select hex(store_id) from meta").value_or("");
}

Result<void> check_readable(Connection& connection) {
    const std::optional<std::int64_t> min_reader = connection.query_int("select min_reader from meta");
    if (!min_reader) return *connection.failure();
    if (*min_reader > static_cast<std::int64_t>(sqlite_migrations().size())) return newer(connection.path(), "read");
    return {};
}

}  // namespace pawl::store
