#include "store/sqlite/connection.hpp"

#include "core/assert.hpp"

#include <cerrno>
#include <cstring>

namespace pawl::store {
namespace {

bool is_out_of_space(sqlite3* db, int status) {
    if ((status & 0xff) == SQLITE_FULL) return true;
    // A failed fsync may have lost what was written before: its outcome is unknown whatever the errno.
    if ((status & 0xff) != SQLITE_IOERR || status == SQLITE_IOERR_FSYNC || status == SQLITE_IOERR_DIR_FSYNC)
        return false;
    const int reason = sqlite3_system_errno(db);
    return reason == ENOSPC || reason == EDQUOT;
}

Errc code_of(sqlite3* db, int status) {
    if (is_out_of_space(db, status)) return Errc::disk_full;
    switch (status & 0xff) {
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return Errc::store_readonly;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_CONSTRAINT:  // a number twice: what we read before contradicts what is there
            return Errc::store_corrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Errc::store_locked;
        case SQLITE_CANTOPEN: {
            const int reason = sqlite3_system_errno(db);
            if (reason == EACCES || reason == EROFS || reason == EPERM) return Errc::store_readonly;
            return Errc::store_unavailable;
        }
        default:
            return Errc::store_unavailable;
    }
}

const char* advice_of(Errc code) {
    switch (code) {
        case Errc::disk_full:
            return "; nothing of it was stored; make space, then try again";
        case Errc::store_readonly:
            return "; nothing was stored; make the file and its folder writable";
        case Errc::store_corrupt:
            return "; keep the file as it is and restore a backup (`pawl doctor` says more)";
        case Errc::store_locked:
            return "; another program uses the file; end that one first";
        default:
            return "; whether it happened is unknown; open the store again";
    }
}

}  // namespace

// ---- Connection --------------------------------------------------------------------------------------------------

Connection::~Connection() { close(); }

bool Connection::open(const std::string& path, int flags, const std::string& uri) {
    PAWL_ASSERT(!db_);
    path_ = path;
    const int status = sqlite3_open_v2((uri.empty() ? path : uri).c_str(), &db_,
                                       flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    return note(status, "open");
}

bool Connection::close() {
    if (!db_) return true;
    const int status = sqlite3_close_v2(db_);
    db_ = nullptr;
    return status == SQLITE_OK;
}

bool Connection::note(int status, const char* doing) {
    if (status == SQLITE_OK || status == SQLITE_ROW || status == SQLITE_DONE) return true;
    const Errc code = code_of(db_, status);
    std::string message = path_ + ": " + doing + " failed: ";
    message += db_ ? sqlite3_errmsg(db_) : sqlite3_errstr(status);
    if (const int reason = db_ ? sqlite3_system_errno(db_) : 0; reason != 0 && code != Errc::store_corrupt) {
        message += std::string(" (") + std::strerror(reason) + ")";
    }
    fail({code, message + advice_of(code)});
    return false;
}

void Connection::fail(Error error) {
    if (!failure_) failure_ = std::move(error);
}

bool Connection::exec(const char* sql) {
    if (failure_) return false;
    return note(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr), "a statement");
}

std::optional<std::int64_t> Connection::query_int(const char* sql) {
    Statement statement(*this, sql);
    auto use = statement.use();
    if (!use.next()) return std::nullopt;
    return use.integer(0);
}

std::optional<std::string> Connection::query_text(const char* sql) {
    Statement statement(*this, sql);
    auto use = statement.use();
    if (!use.next()) return std::nullopt;
    return use.text(0);
}

// ---- Statement ---------------------------------------------------------------------------------------------------

void Statement::finalize() {
    sqlite3_finalize(statement_);
    statement_ = nullptr;
}

sqlite3_stmt* Statement::prepared() {
    if (connection_.failure()) return nullptr;
    if (!statement_) {
        const int status =
            sqlite3_prepare_v3(connection_.handle(), sql_, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
        if (!connection_.note(status, "a statement")) return nullptr;
    }
    return statement_;
}

Statement::Use::Use(Statement& statement)
    : connection_(statement.connection_), owner_(statement), statement_(statement.prepared()) {}

Statement::Use::~Use() {
    // The status repeats what next() has seen.
    if (statement_) sqlite3_reset(statement_);
}

Statement::Use& Statement::Use::bind(std::int64_t value) {
    ++parameters_;
    if (statement_) connection_.note(sqlite3_bind_int64(statement_, parameters_, value), "bind");
    return *this;
}

Statement::Use& Statement::Use::bind(std::string_view text) {
    ++parameters_;
    // A null pointer would be bound as null, and an empty text is not that.
    const char* data = text.data() ? text.data() : "";
    if (statement_) {
        connection_.note(sqlite3_bind_text64(statement_, parameters_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8),
                         "bind");
    }
    return *this;
}

Statement::Use& Statement::Use::bind(Bytes bytes) {
    ++parameters_;
    if (statement_) {
        connection_.note(sqlite3_bind_blob64(statement_, parameters_, bytes.data, bytes.size, SQLITE_STATIC), "bind");
    }
    return *this;
}

Statement::Use& Statement::Use::bind(Payload payload) {
    if (payload.text.empty()) return bind_null();
    std::string& stored = owner_.payloads_.at(payloads_++);
    stored.assign(1, static_cast<char>(plain_codec));
    stored.append(payload.text);
    return bind(Bytes(stored));
}

Statement::Use& Statement::Use::bind_null() {
    ++parameters_;
    if (statement_) connection_.note(sqlite3_bind_null(statement_, parameters_), "bind");
    return *this;
}

bool Statement::Use::run() {
    if (connection_.failure() || !statement_) return false;
    return connection_.note(sqlite3_step(statement_), "a write");
}

bool Statement::Use::next() {
    if (connection_.failure() || !statement_) return false;
    const int status = sqlite3_step(statement_);
    if (!connection_.note(status, "a read")) return false;
    return status == SQLITE_ROW;
}

std::string_view Statement::Use::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data ? std::string_view(data, size) : std::string_view();
}

std::string Statement::Use::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data ? std::string(data, size) : std::string();
}

std::string Statement::Use::payload(int column, int* codec) const {
    const std::string_view stored = bytes(column);
    *codec = stored.empty() ? plain_codec : static_cast<unsigned char>(stored.front());
    return std::string(stored.substr(stored.empty() ? 0 : 1));
}

std::string Statement::Use::payload(int column, bool* is_readable) const {
    int codec = plain_codec;
    std::string text = payload(column, &codec);
    if (codec == plain_codec) return text;
    *is_readable = false;
    return {};
}

}  // namespace pawl::store
