#include "store/postgres/postgres_error.hpp"

#include <pawl/result.hpp>

#include <algorithm>
#include <utility>

namespace pawl::store {
namespace {

struct Known {
    std::string_view prefix;  // a whole SQLSTATE or its class
    PgFault fault;
};

// A whole SQLSTATE stands before its class.
constexpr Known known[] = {
    {"23505", PgFault::unique_violation},
    {"40001", PgFault::serialization},
    {"40P01", PgFault::deadlock},
    {"40003", PgFault::connection_lost},  // statement_completion_unknown
    {"55P03", PgFault::lock_timeout},
    {"57014", PgFault::query_canceled},
    {"53100", PgFault::disk_full},
    {"53400", PgFault::disk_full},  // a configured limit, of temporary files
    {"53200", PgFault::out_of_memory},
    {"53300", PgFault::too_many_connections},
    {"53", PgFault::out_of_memory},  // whatever else the server has run out of
    {"25006", PgFault::read_only},
    {"42P01", PgFault::undefined_table},
    {"42703", PgFault::undefined_table},  // a column of another version's migration
    {"42883", PgFault::undefined_table},  // a function of ours
    {"3F000", PgFault::undefined_table},
    {"26000", PgFault::stale_statement},
    {"0A000", PgFault::stale_statement},  // "cached plan must not change result type", after another one's migration
    {"42501", PgFault::refused},
    {"28", PgFault::refused},
    {"3D000", PgFault::refused},
    {"XX001", PgFault::data_corrupted},
    {"XX002", PgFault::data_corrupted},
    {"08", PgFault::connection_lost},
    {"57P01", PgFault::connection_lost},
    {"57P02", PgFault::connection_lost},
    {"57P03", PgFault::connection_lost},
    {"57P04", PgFault::connection_lost},
    {"57P05", PgFault::connection_lost},
    {"25P03", PgFault::connection_lost},  // a transaction idle for too long: its session was ended
};

const char* advice_of(PgFault fault) {
    switch (fault) {
        case PgFault::disk_full:
            return "; nothing of it was stored; make space on the server, then try again";
        case PgFault::read_only:
            return "; nothing was stored; the server is a standby now, or was made read-only: name the one that is not";
        case PgFault::undefined_table:
            return "; nothing was stored; Pawl's tables are missing in this schema, or are another version's";
        case PgFault::refused:
            return "; mend the role, its rights or the URL";
        case PgFault::data_corrupted:
            return "; the server found damage in its files: keep them and restore a backup";
        case PgFault::too_many_connections:
            return "; raise max_connections, or end some";
        case PgFault::connection_lost:
        case PgFault::timed_out:
        case PgFault::not_replicated:
            return "; whether it happened is unknown; repeat it with the same key";
        default:
            return "; nothing of it was stored";
    }
}

bool is_sqlstate(std::string_view text) {
    return text.size() == 5 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

// Where "SEVERITY:  SQLSTATE: " begins, and its length; libpq writes two spaces after the severity, whose word is in
// the server's language.
std::pair<std::size_t, std::size_t> find_state(std::string_view message) {
    for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
        if (at + 10 > message.size() || !is_sqlstate(message.substr(at + 3, 5))) continue;
        if (message.substr(at + 8, 2) != ": ") continue;
        std::size_t begin = at;
        while (begin > 0 && message[begin - 1] != ' ' && message[begin - 1] != '\n') --begin;
        return {begin, at + 10 - begin};
    }
    return {std::string_view::npos, 0};
}

}  // namespace

PgFault fault_of(std::string_view sqlstate) {
    if (sqlstate.empty()) return PgFault::connection_lost;
    for (const Known& one : known) {
        if (sqlstate.starts_with(one.prefix)) return one.fault;
    }
    return PgFault::other;
}

bool is_retryable(PgFault fault) {
    switch (fault) {
        case PgFault::serialization:
        case PgFault::deadlock:
        case PgFault::lock_timeout:
        case PgFault::query_canceled:
        case PgFault::out_of_memory:
        case PgFault::too_many_connections:
        case PgFault::read_only:  // the next connection may find the new primary
        case PgFault::stale_statement:
        case PgFault::connection_lost:
        case PgFault::timed_out:
        case PgFault::not_replicated:
            return true;
        case PgFault::unique_violation:
        case PgFault::disk_full:
        case PgFault::undefined_table:
        case PgFault::refused:
        case PgFault::data_corrupted:
        case PgFault::other:
            break;
    }
    return false;
}

bool is_outcome_unknown(PgFault fault) {
    return fault == PgFault::connection_lost || fault == PgFault::timed_out || fault == PgFault::not_replicated;
}

Errc errc_of(PgFault fault) {
    switch (fault) {
        case PgFault::disk_full:
            return Errc::disk_full;
        case PgFault::read_only:
            return Errc::store_readonly;
        case PgFault::data_corrupted:
            return Errc::store_corrupt;
        case PgFault::undefined_table:
        case PgFault::refused:
            return Errc::refused;
        default:
            return Errc::store_unavailable;
    }
}

Error to_error(const PgError& error, std::string_view doing) {
    std::string message(doing);
    message += " failed: " + error.message;
    if (!error.sqlstate.empty()) message += " (" + error.sqlstate + ")";
    return {errc_of(error.fault), message + advice_of(error.fault)};
}

std::string_view sqlstate_in(std::string_view message) {
    const auto [begin, length] = find_state(message);
    return begin == std::string_view::npos ? std::string_view() : message.substr(begin + length - 7, 5);
}

std::string plain_message(std::string_view message) {
    std::string line(message.substr(0, message.find("\nLOCATION:")));
    if (const auto [begin, length] = find_state(line); begin != std::string::npos) line.erase(begin, length);
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    // A line that begins with a tab is a hint of libpq's: our own stands in its place.
    for (std::size_t at = line.find('\n'); at != std::string::npos; at = line.find('\n', at)) {
        const bool is_hint = at + 1 < line.size() && line[at + 1] == '\t';
        const std::size_t end = is_hint ? std::min(line.find('\n', at + 1), line.size()) : at + 1;
        line.replace(at, end - at, is_hint ? "" : " ");
    }
    return line;
}

void throw_exception_from_error(const PgError& error, const boost::source_location&) {
    throw Exception(to_error(error, "a statement"));
}

}  // namespace pawl::store
