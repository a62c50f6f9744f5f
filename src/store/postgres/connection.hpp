// A thin, exception-free wrapping of libpq. The only files that see <libpq-fe.h> are in this folder.
#pragma once

#include "core/time.hpp"
#include "store/postgres/parameters.hpp"
#include "store/postgres/postgres_error.hpp"
#include "store/postgres/postgres_url.hpp"

#include <pawl/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

struct pg_conn;  // libpq's PGconn

namespace pawl::store {

/// A statement of ours, prepared at its first use on a connection. Both texts live as long as the program; a name
/// stands for one text.
struct PgStatement {
    const char* name;
    const char* sql;
};

enum class PgTransaction : std::uint8_t {
    none,     ///< between transactions
    open,     ///< in one, after `begin`
    failed,   ///< in one that only a rollback ends
    unknown,  ///< no connection
};

/// Name and value, as `set NAME = VALUE` takes them.
using PgSettings = std::vector<std::pair<std::string, std::string>>;

/// One connection to one server.
///
/// Never throws. Every call that waits has a total limit; when it passes, and whenever the connection is lost, the
/// connection is closed: what had been sent may have happened. The server notices a closed connection within a second
/// and ends what it was doing for it (client_connection_check_interval), so nothing is cancelled by a second
/// connection, which has no bound of its own.
///
/// Threads: none, but for wake(). Not to be used from within a callback of its own pipeline.
class PgConnection {
public:
    PgConnection();
    ~PgConnection();
    PgConnection(const PgConnection&) = delete;
    PgConnection& operator=(const PgConnection&) = delete;

    /// Connects to the first host that answers and can be written, and checks that it keeps what it acknowledges.
    ///
    /// Checked: PostgreSQL 15 or later, UTF8, no standby, not read-only, fsync and full_page_writes on,
    /// synchronous_commit neither off nor local. Set for the session: search_path to the URL's schema (and pg_temp,
    /// last), statement_timeout 30 s, lock_timeout 1 s, idle_in_transaction_session_timeout 30 s,
    /// client_connection_check_interval 1 s where the server can, plan_cache_mode force_generic_plan, jit off,
    /// timezone UTC, keep-alive as in the URL; then `more`. A value of `more` replaces one of ours.
    ///
    /// `limit` bounds it all, each host also by the URL's connect_timeout. (Names are resolved by the system's
    /// resolver, with its own time limits.) What was open before is closed first; prepared statements are forgotten.
    /// Errors, in one line without the password: `store_unavailable` (no server answered in time, or none that is up:
    /// try again); `refused` (password, role, database, TLS, or one of the checks: a person mends it. After a failover
    /// the former primary says so, too, until the next host is one).
    Result<void> open(const PostgresUrl& url, core::Micros limit, const PgSettings& more = {});
    void close();
    bool is_open() const { return connection_ != nullptr; }

    /// Whether a pooler may give each transaction another session. Then statements are not prepared, begin() sends the
    /// settings with each transaction, and neither listen() nor session locks work.
    bool is_pooled() const { return is_pooled_; }
    const PostgresUrl& url() const { return url_; }
    /// As PostgreSQL counts: 150003 is 15.3. 0 when never connected.
    int server_version() const { return server_version_; }
    /// pg_backend_pid() of this session; of no use when is_pooled().
    int backend_pid() const { return backend_pid_; }
    /// For poll(); -1 when not open.
    int socket() const;
    PgTransaction transaction_status() const;

    /// Runs a script of several statements by the simple protocol: one transaction, unless it says otherwise. Through a
    /// pooler the settings go before it, so that a `begin` in it cannot choose the isolation; PgPipeline::begin() can.
    PgResult<void> exec(const std::string& script, core::Micros limit);
    /// One statement on its own, as a pipeline of one.
    PgResult<PgRows> query(const PgStatement& statement, const PgParameters& parameters, core::Micros limit);
    /// Ends the transaction if there is one. After an error the connection is closed, which ends it as well.
    PgResult<void> rollback(core::Micros limit);

    /// Hears what is said on `channel` from now on. `other` when is_pooled().
    PgResult<void> listen(std::string_view channel, core::Micros limit);
    /// The payloads heard since the last call, in order; waits for the first one up to `limit`, and less when woken.
    /// An empty answer is no error. Errors: `connection_lost`.
    PgResult<std::vector<std::string>> poll_notifications(core::Micros limit);
    /// Ends the poll_notifications() that waits now, or the next one. From any thread, also without a connection.
    void wake();

private:
    friend class PgPipeline;
    using Deadline = std::chrono::steady_clock::time_point;

    // opening.cpp
    Result<void> open_host(const PostgresUrl::Host& host, Deadline connect_deadline, Deadline deadline,
                           const PgSettings& more);
    Result<void> connect(const PostgresUrl::Host& host, Deadline deadline);
    Error connect_failure() const;
    Result<void> check_server(Deadline deadline);
    Result<void> set_up_session(const PgSettings& more, Deadline deadline);
    void choose_settings(const PgSettings& more, bool can_notice_close);

    /// Waits until the socket is ready for `events` of poll(); false when the limit has passed.
    bool wait(int events, Deadline deadline) const;
    /// Sends what is buffered and reads until PQgetResult() will not block.
    std::optional<PgError> await_result(Deadline deadline);
    std::optional<PgError> read_script_answers(Deadline deadline);
    std::vector<std::string> take_notifications();

    // The first two close the connection.
    PgError lost(std::string_view what);
    PgError timed_out();
    PgError not_open() const;
    PgError error_of(const pg_result* result) const;
    /// The end of every call: closes where the outcome is unknown.
    PgResult<void> settle(std::optional<PgError> failure);

    std::string session_settings_sql(bool is_local) const;
    std::string literal(std::string_view text) const;

    pg_conn* connection_ = nullptr;
    PostgresUrl url_;
    PgSettings settings_;
    std::unordered_map<std::string_view, const char*> prepared_;  // name, text
    bool is_pooled_ = false;
    bool was_not_replicated_ = false;  // a commit was confirmed without its synchronous standby
    int server_version_ = 0;
    int backend_pid_ = 0;
    int wake_fd_ = -1;
};

/// Several statements in one round trip: sent as they are added, answered together.
///
///     PgPipeline pipeline(connection);
///     pipeline.begin();
///     pipeline.add(record_sql, parameters, [&](const PgRows& rows) { ... });
///     pipeline.commit();
///     if (auto done = pipeline.run(5s); !done) ...
///
/// Without begin() and commit() the statements are one transaction of their own. One pipeline at a time for each
/// connection. The destructor of one that was not run closes the connection: what was added may have happened.
class PgPipeline {
public:
    /// Called by run(), in the order of the statements, each before the transaction's outcome is known. May move the
    /// rows out.
    using OnRows = std::function<void(PgRows&)>;

    explicit PgPipeline(PgConnection& connection);
    ~PgPipeline();
    PgPipeline(const PgPipeline&) = delete;
    PgPipeline& operator=(const PgPipeline&) = delete;

    /// Starts a transaction; `sql` says which kind. Through a pooler the session's settings go with it.
    void begin(const char* sql = "begin");
    /// Copies the parameters. A failure to send is told by run(). Memory: all that the server has not taken yet.
    void add(const PgStatement& statement, const PgParameters& parameters, OnRows on_rows = nullptr);
    /// The same for a text made at run time, without parameters; never prepared. `name` is for messages, and
    /// must live until run() has returned.
    void add_text(const char* name, const std::string& sql, OnRows on_rows = nullptr);
    void commit();
    /// Statements so far; begin() and commit() count.
    std::size_t size() const { return statements_; }

    /// Sends the rest and reads all answers. The pipeline is empty afterwards and can be used again.
    ///
    /// The first failure is returned, with the place of its statement; the server has skipped what follows. The
    /// transaction is then failed and wants a rollback(), unless there was no begin(). Where is_outcome_unknown(), and
    /// for `read_only` and `stale_statement`, the connection is closed.
    PgResult<void> run(core::Micros limit);

private:
    struct Sent {
        const char* name = nullptr;
        OnRows on_rows;
        bool is_prepare = false;
        std::size_t position = 0;
    };

    bool can_send();
    bool prepare_for_adding();
    void send_unnamed(const char* name, const char* sql, const PgParameters& parameters, OnRows on_rows);
    void send_settings();
    void note(bool is_sent, Sent entry);
    void read_answers(PgConnection::Deadline deadline);
    bool read_answer(const Sent& entry, PgConnection::Deadline deadline);
    void take(pg_result* result, const Sent& entry);
    void fail(PgError error);

    PgConnection& connection_;
    std::vector<Sent> sent_;  // in the order of their answers
    std::size_t statements_ = 0;
    std::optional<PgError> failure_;
};

}  // namespace pawl::store
