// What a PostgreSQL error means: pure functions from an SQLSTATE to what a caller does about it.
#pragma once

#include <pawl/result.hpp>

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::store {

/// What happened, as far as a caller acts on it. Nothing of the transaction was stored, but for the last group.
enum class PgFault : std::uint8_t {
    unique_violation,
    serialization,         ///< the transaction can be repeated
    deadlock,              ///< chosen as the victim: the transaction can be repeated
    lock_timeout,          ///< another transaction holds a row or a lock for longer than `lock_timeout`
    query_canceled,        ///< `statement_timeout`, or someone cancelled the statement
    disk_full,             ///< of the server, or its configured limit
    out_of_memory,         ///< of the server, or a limit of its configuration
    too_many_connections,  ///< no free slot on the server, for the role or the database
    read_only,             ///< the server became a standby, or was made read-only
    undefined_table,       ///< table, schema or function is missing: no migration has run, or another one
    stale_statement,       ///< a prepared statement is gone or does not fit its tables any more; open again
    refused,               ///< password, role, database, right or TLS: a person must mend it
    data_corrupted,        ///< the server found damage
    other,                 ///< our own mistake in a statement, or something new

    // Whether the transaction happened is unknown if its commit had been sent. The connection is closed.
    connection_lost,  ///< cut, server restarted or stopped
    timed_out,        ///< no answer within the limit
    not_replicated,   ///< committed on the primary, but its synchronous standby did not confirm
};

/// The fault of a five-character SQLSTATE; `connection_lost` for an empty one: libpq gives none for its own.
PgFault fault_of(std::string_view sqlstate);

/// Whether the same work may succeed when it is done again as it is; the rest needs a change first.
bool is_retryable(PgFault fault);

/// Whether the transaction may have happened although its commit was answered with this fault.
bool is_outcome_unknown(PgFault fault);

/// The code that a caller of Pawl gets.
Errc errc_of(PgFault fault);

/// One failure of a statement or of the connection.
struct PgError {
    PgFault fault = PgFault::other;
    std::string sqlstate;      ///< five characters, or empty where the server did not say one
    std::string message;       ///< one line, without a password; what the server or libpq said
    std::string statement;     ///< name of the statement that failed; empty for the connection itself
    std::size_t position = 0;  ///< which one of its pipeline, from 0; `npos` when it was none of them
    std::string constraint;    ///< name of the constraint or index, for `unique_violation`
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

/// For Pawl's callers: "`doing` failed: ... ; what to do".
Error to_error(const PgError& error, std::string_view doing);

/// The SQLSTATE in a message of libpq that was made with PQERRORS_VERBOSE ("FATAL:  28P01: ..."); empty when there is
/// none. The only way to it while a connection is being made.
std::string_view sqlstate_in(std::string_view message);

/// One line of a message of libpq: without severity, SQLSTATE and the place in the server's source.
std::string plain_message(std::string_view message);

template <class T>
using PgResult = boost::system::result<T, PgError>;

/// What `PgResult::value()` throws when there is none.
[[noreturn]] void throw_exception_from_error(const PgError& error, const boost::source_location& where);

}  // namespace pawl::store
