// Where a PostgreSQL store is: postgres://USER:PASSWORD@HOST:PORT[,HOST:PORT...]/DATABASE?PARAMETER=VALUE&...
#pragma once

#include <pawl/result.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::store {

/// A checked URL. `parameters` and `secrets` hold the password: they are never shown, logged or stored.
struct PostgresUrl {
    struct Host {
        std::string name;     ///< host name, address or folder of a Unix socket; empty: libpq's own default
        std::string address;  ///< in place of looking the name up (`hostaddr`); mostly empty
        std::string port;     ///< digits; empty: libpq's own default
    };
    /// In the order in which they are tried; at least one.
    std::vector<Host> hosts;
    /// What libpq is told beside the host: keyword and value, our defaults included.
    std::vector<std::pair<std::string, std::string>> parameters;
    /// `schema=NAME`, ours alone: where Pawl's tables stand. A plain SQL identifier.
    std::string schema = "pawl";
    /// For people and logs: user, host, port, database, and the schema unless it is the default. One line.
    std::string shown;
    /// Texts that no message may contain.
    std::vector<std::string> secrets;

    /// The value of a parameter that libpq is told; empty when it is not among them.
    std::string_view parameter(std::string_view keyword) const;
};

/// Whether a store's name is meant for PostgreSQL: it begins with postgres:// or postgresql://.
bool is_postgres_url(std::string_view text);

/// Reads a URL as libpq reads it, and takes out what is ours. Touches no network.
///
/// All parameters that libpq knows are handed through. Added unless given: connect_timeout=5 (seconds, for each host),
/// keepalives=1, keepalives_idle=5, keepalives_interval=3, keepalives_count=3, tcp_user_timeout=10000,
/// application_name=pawl, client_encoding=UTF8. `target_session_attrs` may be read-write (the default), primary or any:
/// Pawl writes, so each of them means the one server that can be written.
/// Errors: `bad_input`, in one line that never quotes what may be a piece of a password. Because such a piece would
/// otherwise be taken for a host or a database, an `@` after the one before the host must be written as %40.
Result<PostgresUrl> parse_postgres_url(std::string_view text);

/// `text` in one line, with each secret of `url` replaced. For texts of libpq and of servers.
std::string without_secrets(std::string_view text, const PostgresUrl& url);

}  // namespace pawl::store
