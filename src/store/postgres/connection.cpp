#include "store/postgres/connection.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

namespace pawl::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct FreeText {
    void operator()(void* text) const { PQfreemem(text); }
};

// Milliseconds for poll(), rounded up: a rest below one must not become a busy loop.
int poll_length(SteadyClock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text ? text : "";
}

}  // namespace

PgConnection::PgConnection() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

PgConnection::~PgConnection() {
    close();
    if (wake_fd_ >= 0) ::close(wake_fd_);
}

void PgConnection::close() {
    // Frees without waiting: a goodbye that cannot be sent is dropped.
    PQfinish(connection_);
    connection_ = nullptr;
    prepared_.clear();
}

int PgConnection::socket() const { return PQsocket(connection_); }

PgTransaction PgConnection::transaction_status() const {
    switch (PQtransactionStatus(connection_)) {
        case PQTRANS_IDLE:
            return PgTransaction::none;
        case PQTRANS_ACTIVE:
        case PQTRANS_INTRANS:
            return PgTransaction::open;
        case PQTRANS_INERROR:
            return PgTransaction::failed;
        default:
            return PgTransaction::unknown;
    }
}

// ---- Failures ----------------------------------------------------------------------------------------------------

PgError PgConnection::lost(std::string_view what) {
    PgError error;
    error.fault = PgFault::connection_lost;
    error.position = PgError::npos;
    const std::string_view said = connection_ ? PQerrorMessage(connection_) : "";
    error.sqlstate = sqlstate_in(said);
    const std::string plain = without_secrets(plain_message(said), url_);
    error.message = plain.empty() ? std::string(what) : plain;
    close();
    return error;
}

PgError PgConnection::timed_out() {
    PgError error;
    error.fault = PgFault::timed_out;
    error.position = PgError::npos;
    error.message = "the server did not answer in time";
    close();
    return error;
}

PgError PgConnection::not_open() const {
    PgError error;
    error.fault = PgFault::connection_lost;
    error.position = PgError::npos;
    error.message = "the connection is closed";
    return error;
}

PgError PgConnection::error_of(const pg_result* result) const {
    PgError error;
    error.sqlstate = field(result, PG_DIAG_SQLSTATE);
    error.fault = fault_of(error.sqlstate);
    error.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    std::string said = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (said.empty()) said = plain_message(PQresultErrorMessage(result));
    error.message = without_secrets(said, url_);
    return error;
}

PgResult<void> PgConnection::settle(std::optional<PgError> failure) {
    if (!failure && was_not_replicated_) {
        failure = PgError();
        failure->fault = PgFault::not_replicated;
        failure->position = PgError::npos;
        failure->message = "the wait for the synchronous standby was ended";
    }
    if (!failure) return {};
    // A server that cannot be written any more, or not with what is prepared, is of no use: the next open() finds
    // better.
    const bool is_of_no_use = failure->fault == PgFault::read_only || failure->fault == PgFault::stale_statement;
    if (is_of_no_use || is_outcome_unknown(failure->fault)) close();
    return *std::move(failure);
}

// ---- Waiting -----------------------------------------------------------------------------------------------------

bool PgConnection::wait(int events, Deadline deadline) const {
    for (;;) {
        pollfd entry{PQsocket(connection_), static_cast<short>(events), 0};
        if (entry.fd < 0) return true;  // libpq has dropped it already
        const int ready = ::poll(&entry, 1, poll_length(deadline));
        // An error of the socket counts as ready: libpq finds it and has the words for it.
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
        if (ready == 0 && SteadyClock::now() >= deadline) return false;
    }
}

std::optional<PgError> PgConnection::await_result(Deadline deadline) {
    for (;;) {
        // Both directions at once: a server that is busy sending answers takes no more statements until they are read.
        const int unsent = PQflush(connection_);
        if (unsent < 0) return lost("sending failed");
        if (!PQisBusy(connection_)) return std::nullopt;
        if (!wait(unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline)) return timed_out();
        if (!PQconsumeInput(connection_)) return lost("receiving failed");
    }
}

// ---- Single calls ------------------------------------------------------------------------------------------------

std::optional<PgError> PgConnection::read_script_answers(Deadline deadline) {
    std::optional<PgError> failure;
    for (;;) {
        if (auto error = await_result(deadline)) return failure ? failure : error;
        PGresult* result = PQgetResult(connection_);
        if (!result) return failure;
        const PgRows owner(result);
        switch (PQresultStatus(result)) {
            case PGRES_COMMAND_OK:
            case PGRES_TUPLES_OK:
            case PGRES_EMPTY_QUERY:
                break;
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
                return lost("COPY is not for scripts");
            default:
                if (!failure) failure = error_of(result);
                if (failure->fault == PgFault::connection_lost) return failure;
        }
    }
}

PgResult<void> PgConnection::exec(const std::string& script, core::Micros limit) {
    if (!connection_) return not_open();
    const Deadline deadline = SteadyClock::now() + limit;
    was_not_replicated_ = false;
    const bool needs_settings = is_pooled_ && !settings_.empty() && transaction_status() == PgTransaction::none;
    const std::string text = needs_settings ? session_settings_sql(true) + ";" + script : script;
    if (!PQsendQuery(connection_, text.c_str())) return lost("sending failed");
    return settle(read_script_answers(deadline));
}

PgResult<PgRows> PgConnection::query(const PgStatement& statement, const PgParameters& parameters, core::Micros limit) {
    PgRows found;
    PgPipeline pipeline(*this);
    pipeline.add(statement, parameters, [&found](PgRows& rows) { found = std::move(rows); });
    auto done = pipeline.run(limit);
    if (!done) return done.error();
    return found;
}

PgResult<void> PgConnection::rollback(core::Micros limit) {
    if (!connection_ || transaction_status() == PgTransaction::none) return {};
    auto done = exec("rollback", limit);
    if (!done) close();
    return done;
}

std::string PgConnection::session_settings_sql(bool is_local) const {
    // set_config and not SET: one statement, which also counts as none of the transaction's own.
    std::string sql;
    for (const auto& [name, value] : settings_) {
        sql += sql.empty() ? "select set_config(" : ", set_config(";
        sql += literal(name) + ", " + literal(value) + (is_local ? ", true)" : ", false)");
    }
    return sql;
}

std::string PgConnection::literal(std::string_view text) const {
    const std::unique_ptr<char, FreeText> quoted(PQescapeLiteral(connection_, text.data(), text.size()));
    return quoted ? quoted.get() : "''";
}

// ---- Notifications -----------------------------------------------------------------------------------------------

PgResult<void> PgConnection::listen(std::string_view channel, core::Micros limit) {
    if (!connection_) return not_open();
    if (is_pooled_) {
        PgError error;
        error.message = "notifications do not come through a pooler that gives each transaction another session";
        return error;
    }
    const std::unique_ptr<char, FreeText> quoted(PQescapeIdentifier(connection_, channel.data(), channel.size()));
    if (!quoted) return lost("the channel's name is not usable");
    return exec(std::string("listen ") + quoted.get(), limit);
}

std::vector<std::string> PgConnection::take_notifications() {
    std::vector<std::string> payloads;
    while (PGnotify* one = PQnotifies(connection_)) {
        const std::unique_ptr<PGnotify, FreeText> owner(one);
        payloads.emplace_back(one->extra);
    }
    return payloads;
}

PgResult<std::vector<std::string>> PgConnection::poll_notifications(core::Micros limit) {
    if (!connection_) return not_open();
    const Deadline deadline = SteadyClock::now() + limit;
    for (;;) {
        if (!PQconsumeInput(connection_)) return lost("receiving failed");
        std::vector<std::string> payloads = take_notifications();
        if (!payloads.empty()) return payloads;

        pollfd entries[] = {{PQsocket(connection_), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
        const int ready = ::poll(entries, 2, poll_length(deadline));
        if (ready < 0 && errno != EINTR) return lost("waiting failed");
        if (ready > 0 && entries[1].revents != 0) {
            eventfd_t count = 0;
            ::eventfd_read(wake_fd_, &count);
            return payloads;
        }
        if (ready == 0 && SteadyClock::now() >= deadline) return payloads;
    }
}

void PgConnection::wake() {
    if (wake_fd_ >= 0) ::eventfd_write(wake_fd_, 1);
}

}  // namespace pawl::store
