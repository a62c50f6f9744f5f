#include "store/postgres/connection.hpp"

#include "core/assert.hpp"

#include <libpq-fe.h>

#include <utility>

namespace pawl::store {
namespace {

constexpr int binary = 1;
const PgParameters no_parameters;

}  // namespace

PgPipeline::PgPipeline(PgConnection& connection) : connection_(connection) {}

PgPipeline::~PgPipeline() {
    // Statements were sent and their answers not read: the connection is in the middle of something.
    if (!sent_.empty()) connection_.close();
}

bool PgPipeline::can_send() {
    if (failure_) return false;
    if (!connection_.is_open()) {
        failure_ = connection_.not_open();
        return false;
    }
    if (!sent_.empty()) return true;
    connection_.was_not_replicated_ = false;
    if (PQenterPipelineMode(connection_.connection_)) return true;
    failure_ = connection_.lost("the connection is in use");
    return false;
}

void PgPipeline::note(bool is_sent, Sent entry) {
    if (is_sent) {
        sent_.push_back(std::move(entry));
    } else if (!failure_) {
        failure_ = connection_.lost("sending failed");
    }
}

void PgPipeline::send_unnamed(const char* name, const char* sql, const PgParameters& parameters, OnRows on_rows) {
    const bool is_sent =
        PQsendQueryParams(connection_.connection_, sql, parameters.count(), parameters.types(), parameters.values(),
                          parameters.lengths(), parameters.formats(), binary) != 0;
    note(is_sent, {name, std::move(on_rows), false, statements_});
}

// Through a pooler this transaction may be another session's than the last one.
void PgPipeline::send_settings() {
    if (connection_.settings_.empty()) return;  // the session is being set up
    send_unnamed("settings", connection_.session_settings_sql(true).c_str(), no_parameters, nullptr);
}

void PgPipeline::begin(const char* sql) {
    if (!can_send()) return;
    send_unnamed("begin", sql, no_parameters, nullptr);
    if (connection_.is_pooled() && !failure_) send_settings();
    ++statements_;
}

void PgPipeline::commit() { add_text("commit", "commit"); }

bool PgPipeline::prepare_for_adding() {
    const bool is_first = sent_.empty();
    if (!can_send()) return false;
    if (is_first && connection_.is_pooled() && connection_.transaction_status() == PgTransaction::none) send_settings();
    return !failure_;
}

void PgPipeline::add_text(const char* name, const std::string& sql, OnRows on_rows) {
    if (!prepare_for_adding()) return;
    send_unnamed(name, sql.c_str(), no_parameters, std::move(on_rows));
    ++statements_;
}

void PgPipeline::add(const PgStatement& statement, const PgParameters& parameters, OnRows on_rows) {
    if (!prepare_for_adding()) return;
    if (connection_.is_pooled()) {
        send_unnamed(statement.name, statement.sql, parameters, std::move(on_rows));
        ++statements_;
        return;
    }
    auto& prepared = connection_.prepared_;
    if (!prepared.contains(statement.name)) {
        const bool is_sent = PQsendPrepare(connection_.connection_, statement.name, statement.sql, parameters.count(),
                                           parameters.types()) != 0;
        note(is_sent, {statement.name, nullptr, true, statements_});
        if (failure_) return;
        prepared.emplace(statement.name, statement.sql);
    }
    PAWL_ASSERT(std::string_view(prepared.at(statement.name)) == statement.sql);
    const bool is_sent =
        PQsendQueryPrepared(connection_.connection_, statement.name, parameters.count(), parameters.values(),
                            parameters.lengths(), parameters.formats(), binary) != 0;
    note(is_sent, {statement.name, std::move(on_rows), false, statements_});
    ++statements_;
}

PgResult<void> PgPipeline::run(core::Micros limit) {
    const PgConnection::Deadline deadline = std::chrono::steady_clock::now() + limit;
    if (!failure_ && !sent_.empty()) {
        if (!PQpipelineSync(connection_.connection_)) failure_ = connection_.lost("sending failed");
        if (!failure_) read_answers(deadline);
    }
    const std::optional<PgError> failure = std::exchange(failure_, std::nullopt);
    const bool was_sent = !sent_.empty();
    sent_.clear();
    statements_ = 0;
    return was_sent || failure ? connection_.settle(failure) : PgResult<void>();
}

void PgPipeline::read_answers(PgConnection::Deadline deadline) {
    for (const Sent& entry : sent_) {
        if (!read_answer(entry, deadline)) return;
    }
    // The answer to the sync: from here on the transaction's outcome is known.
    if (auto error = connection_.await_result(deadline)) return fail(*std::move(error));
    const PgRows sync(PQgetResult(connection_.connection_));
    if (PQresultStatus(sync.handle()) != PGRES_PIPELINE_SYNC || !PQexitPipelineMode(connection_.connection_)) {
        fail(connection_.lost("the server's answers are out of order"));
    }
}

// One statement's result and the null pointer after it. False: nothing more can be read.
bool PgPipeline::read_answer(const Sent& entry, PgConnection::Deadline deadline) {
    if (auto error = connection_.await_result(deadline)) {
        fail(*std::move(error));
        return false;
    }
    pg_result* result = PQgetResult(connection_.connection_);
    if (!result) {
        fail(connection_.lost("the server's answers are out of order"));
        return false;
    }
    take(result, entry);
    if (failure_ && failure_->fault == PgFault::connection_lost) return false;
    if (auto error = connection_.await_result(deadline)) {
        fail(*std::move(error));
        return false;
    }
    const PgRows end(PQgetResult(connection_.connection_));
    if (!end.handle()) return true;
    fail(connection_.lost("the server's answers are out of order"));
    return false;
}

void PgPipeline::take(pg_result* result, const Sent& entry) {
    PgRows rows(result);
    switch (PQresultStatus(result)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_EMPTY_QUERY:
            if (entry.on_rows && !failure_) entry.on_rows(rows);
            return;
        case PGRES_PIPELINE_ABORTED:
            break;
        default: {
            PgError error = connection_.error_of(result);
            error.statement = entry.name;
            error.position = entry.position;
            fail(std::move(error));
        }
    }
    if (entry.is_prepare) connection_.prepared_.erase(entry.name);
}

// The first failure counts, unless a later one leaves the outcome unknown.
void PgPipeline::fail(PgError error) {
    if (!failure_ || is_outcome_unknown(error.fault)) failure_ = std::move(error);
}

}  // namespace pawl::store
