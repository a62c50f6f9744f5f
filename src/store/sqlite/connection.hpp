// A thin, exception-free wrapping of SQLite's C interface. The only files that see <sqlite3.h> are in this folder.
#pragma once

#include "core/time.hpp"
#include "store/row_values.hpp"

#include <pawl/result.hpp>

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::store {

class Statement;

/// One connection. Failure is sticky: after an error every statement does nothing, until clear_failure().
class Connection {
public:
    Connection() = default;
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// `flags` as of sqlite3_open_v2. `uri` is opened in place of `path`, which then is the name for messages.
    bool open(const std::string& path, int flags, const std::string& uri = {});
    /// False when the file could not be closed in good order.
    bool close();
    bool is_open() const { return db_ != nullptr; }

    /// Runs a script.
    bool exec(const char* sql);
    /// The first column of the first row of a query, for pragmas and counts.
    std::optional<std::int64_t> query_int(const char* sql);
    std::optional<std::string> query_text(const char* sql);

    const std::optional<Error>& failure() const { return failure_; }
    void clear_failure() { failure_.reset(); }
    /// Notes what SQLite answered; false when it was an error.
    bool note(int status, const char* doing);
    void fail(Error error);
    /// The file's name, for messages.
    const std::string& path() const { return path_; }

    bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
    sqlite3* handle() const { return db_; }

private:
    sqlite3* db_ = nullptr;
    std::string path_;
    std::optional<Error> failure_;
};

/// Bytes of a blob or payload column.
struct Bytes {
    const void* data = nullptr;
    std::size_t size = 0;

    Bytes() = default;
    explicit Bytes(std::string_view text) : data(text.data()), size(text.size()) {}
    template <std::size_t N>
    explicit Bytes(const std::array<std::uint8_t, N>& a) : data(a.data()), size(N) {}
};

/// A payload as it stands in a column: a codec byte, then the text. Empty text is null.
struct Payload {
    std::string_view text;
};

/// A prepared statement, prepared at its first use and kept.
class Statement {
public:
    Statement(Connection& connection, const char* sql) : connection_(connection), sql_(sql) {}
    ~Statement() { finalize(); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    void finalize();

    /// One execution: bind the parameters in order, then run() or next(). Texts and blobs must live until its end.
    class Use {
    public:
        explicit Use(Statement& statement);
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

        Use& bind(std::int64_t value);
        Use& bind(std::string_view text);
        Use& bind(Bytes bytes);
        Use& bind(Payload payload);
        Use& bind_null();
        template <class T>
        Use& bind_optional(const std::optional<T>& value) {
            if (!value) return bind_null();
            if constexpr (requires { core::count(*value); }) {
                return bind(core::count(*value));
            } else if constexpr (requires { value->count(); }) {
                return bind(static_cast<std::int64_t>(value->count()));
            } else {
                return bind(static_cast<std::int64_t>(*value));
            }
        }

        /// Runs a statement without rows; false on failure.
        bool run();
        /// Steps to the next row; false at the end, and on failure.
        bool next();

        std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
        int small(int column) const { return sqlite3_column_int(statement_, column); }
        bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
        std::string text(int column) const;
        std::string_view bytes(int column) const;
        /// The text of a payload; `codec` is its codec, plain for null. A payload in a codec that this binary does not
        /// know is left as it is.
        std::string payload(int column, int* codec) const;
        /// The same where only the plain codec is acceptable: anything else clears `is_readable`.
        std::string payload(int column, bool* is_readable) const;
        template <class T>
        std::optional<T> optional(int column, T (*make)(std::int64_t)) const {
            return is_null(column) ? std::nullopt : std::optional<T>(make(integer(column)));
        }

    private:
        Connection& connection_;
        Statement& owner_;
        sqlite3_stmt* statement_;
        int parameters_ = 0;
        std::size_t payloads_ = 0;
    };
    Use use() { return Use(*this); }

private:
    sqlite3_stmt* prepared();

    Connection& connection_;
    const char* sql_;
    sqlite3_stmt* statement_ = nullptr;
    std::array<std::string, 3> payloads_;  // payloads with their codec byte, while they are bound
};

}  // namespace pawl::store
