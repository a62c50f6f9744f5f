// Opening a connection: the first host that can be written, and that keeps what it acknowledges.
#include "store/postgres/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace pawl::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int server_version_min = 150000;

const PgStatement probe_sql{"probe", R"sql(
    select pg_backend_pid(), current_setting('server_version_num')::int4, pg_is_in_recovery(),
           current_setting('default_transaction_read_only'), current_setting('server_encoding'),
           current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')
)sql"};

// Not every server's system can do this one.
constexpr const char* check_interval_sql = "select set_config('client_connection_check_interval', '1000', true)";

// A commit that was confirmed although its synchronous standby has not: the server says so in a warning, whose text is
// in the server's language and whose place in the source is not.
void take_notice(void* was_not_replicated, const PGresult* notice) {
    const char* function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
    if (function && std::string_view(function) == "SyncRepWaitForLSN") *static_cast<bool*>(was_not_replicated) = true;
}

// Refusals of libpq itself come without an SQLSTATE, those of poolers with one that stands for everything (08P01): told
// by their words, which are English here (no locale is set).
bool is_refusal_by_words(std::string_view message) {
    if (message.starts_with("invalid ")) return true;  // a parameter's value, before anything was sent
    static constexpr std::string_view words[] = {
        "SSL error", "does not support SSL", "certificate",    "authentication", "no password",
        "SCRAM",     "channel binding",      "does not exist", "no such",
    };
    return std::ranges::any_of(words, [&](std::string_view word) { return message.find(word) != message.npos; });
}

Errc code_while_opening(PgFault fault) {
    // Not a question of which code fits the fault later on, but of whether waiting helps.
    return is_retryable(fault) && fault != PgFault::stale_statement ? Errc::store_unavailable : Errc::refused;
}

core::Micros connect_timeout(const PostgresUrl& url) {
    const std::string_view digits = url.parameter("connect_timeout");
    std::int64_t seconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    return seconds > 0 ? std::chrono::seconds(seconds) : core::Micros::max();
}

std::string version_text(std::int64_t number) {
    return std::to_string(number / 10000) + "." + std::to_string(number % 10000);
}

void put(PgSettings& settings, const std::string& name, std::string value) {
    const auto same = std::ranges::find(settings, name, [](const auto& setting) { return setting.first; });
    if (same != settings.end()) {
        same->second = std::move(value);
    } else {
        settings.emplace_back(name, std::move(value));
    }
}

}  // namespace

Result<void> PgConnection::open(const PostgresUrl& url, core::Micros limit, const PgSettings& more) {
    const Deadline deadline = SteadyClock::now() + limit;
    close();
    url_ = url;
    std::optional<Error> failure;
    for (std::size_t i = 0; i < url_.hosts.size(); ++i) {
        // A host that does not answer leaves the others their share of the time.
        const core::Micros left = std::chrono::duration_cast<core::Micros>(deadline - SteadyClock::now());
        const core::Micros share = left / static_cast<std::int64_t>(url_.hosts.size() - i);
        const Deadline connect_deadline = SteadyClock::now() + std::min(share, connect_timeout(url_));
        Result<void> opened = open_host(url_.hosts[i], connect_deadline, deadline, more);
        if (opened) return {};
        close();
        if (!failure) {
            failure = opened.error();
        } else {
            failure->message += "; " + opened.error().message;
            // One that does not answer may be the one that can be written, soon.
            if (opened.error().code == Errc::store_unavailable) failure->code = Errc::store_unavailable;
        }
    }
    if (!failure) return Error{Errc::bad_input, "the store's URL names no host"};
    failure->message = url_.shown + ": " + failure->message;
    return *failure;
}

Result<void> PgConnection::open_host(const PostgresUrl::Host& host, Deadline connect_deadline, Deadline deadline,
                                     const PgSettings& more) {
    was_not_replicated_ = false;
    settings_.clear();
    if (auto connected = connect(host, connect_deadline); !connected) return connected;
    if (auto checked = check_server(deadline); !checked) return checked;
    return set_up_session(more, deadline);
}

Result<void> PgConnection::connect(const PostgresUrl::Host& host, Deadline deadline) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto tell = [&](const char* keyword, const std::string& value) {
        if (value.empty()) return;
        keywords.push_back(keyword);
        values.push_back(value.c_str());
    };
    tell("host", host.name);
    tell("hostaddr", host.address);
    tell("port", host.port);
    for (const auto& [keyword, value] : url_.parameters) tell(keyword.c_str(), value);
    keywords.push_back(nullptr);
    values.push_back(nullptr);

    connection_ = PQconnectStartParams(keywords.data(), values.data(), 0);
    if (!connection_) return Error{Errc::store_unavailable, "no memory for a connection"};
    PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);  // the only way to the SQLSTATE of a refused connection
    PQsetNoticeReceiver(connection_, take_notice, &was_not_replicated_);

    auto next = PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) return connect_failure();
        if (!wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
            return Error{Errc::store_unavailable, (host.name.empty() ? "the server" : host.name) +
                                                      " does not answer; check host, port and network, or try again"};
        }
        next = PQconnectPoll(connection_);
    }
    if (PQsetnonblocking(connection_, 1) != 0) return connect_failure();
    return {};
}

Error PgConnection::connect_failure() const {
    const std::string said = PQerrorMessage(connection_);
    const std::string_view state = sqlstate_in(said);
    std::string message = without_secrets(plain_message(said), url_);
    if (PQconnectionNeedsPassword(connection_)) {
        return {Errc::refused, "the server wants a password; give it in the URL, in PGPASSWORD or in a password file"};
    }
    const bool is_refused = state.empty() || state == "08P01" ? is_refusal_by_words(said)
                                                              : code_while_opening(fault_of(state)) == Errc::refused;
    if (is_refused) return {Errc::refused, message + "; mend the URL, or the role or database on the server"};
    return {Errc::store_unavailable, message + "; check that the server runs, or try again"};
}

Result<void> PgConnection::check_server(Deadline deadline) {
    is_pooled_ = true;  // until it is known not to be
    const auto left = std::chrono::duration_cast<core::Micros>(deadline - SteadyClock::now());
    auto answer = query(probe_sql, PgParameters(), left);
    if (!answer)
        return Error{code_while_opening(answer.error().fault), to_error(answer.error(), "the first query").message};
    const PgRows& row = *answer;
    if (row.size() != 1) return Error{Errc::refused, "this is no PostgreSQL server that Pawl knows"};

    // A pooler makes up the number that it tells as the session's process: the server knows better.
    backend_pid_ = static_cast<int>(row.integer(0, 0));
    is_pooled_ = backend_pid_ != PQbackendPID(connection_);
    server_version_ = static_cast<int>(row.integer(0, 1));
    if (server_version_ < server_version_min) {
        return Error{Errc::refused,
                     "the server is PostgreSQL " + version_text(server_version_) + "; Pawl needs 15 or later"};
    }
    if (row.boolean(0, 2)) {
        return Error{Errc::refused,
                     "the server is a standby; name the primary, or both: postgres://HOST1,HOST2/DATABASE"};
    }
    if (row.text(0, 3) != "off") {
        return Error{Errc::refused, "default_transaction_read_only is on; turn it off for this role or database"};
    }
    if (row.text(0, 4) != "UTF8") {
        return Error{Errc::refused, "the database's encoding is " + row.text(0, 4) +
                                        "; make one with: create database NAME encoding 'UTF8' template template0"};
    }
    for (const auto& [column, name] : {std::pair{5, "fsync"}, std::pair{6, "full_page_writes"}}) {
        if (row.text(0, column) == "on") continue;
        return Error{Errc::refused, std::string("the server runs with ") + name +
                                        "=off and can lose what it has acknowledged; set it to on in postgresql.conf"};
    }
    if (const std::string commits = row.text(0, 7); commits == "off" || commits == "local") {
        return Error{Errc::refused,
                     "synchronous_commit is " + commits +
                         " here, so acknowledged work can be lost; set it to on for this role or server"};
    }
    if (!row.is_well_formed()) return Error{Errc::refused, "this is no PostgreSQL server that Pawl knows"};
    return {};
}

void PgConnection::choose_settings(const PgSettings& more, bool can_notice_close) {
    settings_ = {
        {"search_path", "\"" + url_.schema + "\", pg_temp"},  // named last, or temporary tables come first
        {"statement_timeout", "30000"},
        {"lock_timeout", "1000"},
        {"idle_in_transaction_session_timeout", "30000"},
        {"plan_cache_mode", "force_generic_plan"},
        {"jit", "off"},
        {"timezone", "UTC"},
    };
    // So that the server, too, ends the session of a machine that vanished within seconds. A pooler is its own client.
    if (!is_pooled_ && url_.parameter("keepalives") != "0") {
        for (const char* name : {"keepalives_idle", "keepalives_interval", "keepalives_count"}) {
            settings_.emplace_back(std::string("tcp_") + name, url_.parameter(name));
        }
        settings_.emplace_back("tcp_user_timeout", url_.parameter("tcp_user_timeout"));
    }
    if (can_notice_close) settings_.emplace_back("client_connection_check_interval", "1000");
    for (const auto& [name, value] : more) put(settings_, name, value);
}

Result<void> PgConnection::set_up_session(const PgSettings& more, Deadline deadline) {
    const auto left = [deadline] { return std::chrono::duration_cast<core::Micros>(deadline - SteadyClock::now()); };
    const auto as_error = [](const PgError& error) {
        return Error{code_while_opening(error.fault), to_error(error, "setting up the session").message};
    };
    const PgResult<void> interval = exec(check_interval_sql, left());
    if (!interval && !is_open()) return as_error(interval.error());
    choose_settings(more, interval.has_value());

    // Through a pooler nothing can be set but with a transaction: here it is only tried, to hear of a wrong one now.
    auto done = exec(is_pooled_ ? "" : session_settings_sql(false), left());
    if (!done) return as_error(done.error());
    return {};
}

}  // namespace pawl::store
