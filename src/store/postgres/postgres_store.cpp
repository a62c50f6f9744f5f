#include "store/postgres/postgres_store.hpp"

#include "core/assert.hpp"
#include "store/postgres/postgres_queries.hpp"
#include "store/postgres/postgres_schema.hpp"
#include "store/postgres/postgres_shards.hpp"
#include "store/postgres/postgres_tables.hpp"
#include "store/postgres/worker_lease.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace pawl::store {

using namespace core;
using namespace std::chrono_literals;

namespace {

constexpr Micros connect_max = 5s;
// How often the same batch is tried before its caller hears of it, when others were in the way.
constexpr int tries_max = 5;
// Others write, too, and call when they can.
constexpr Micros look_again = 1s;

// Plans that are good for a thousand rows are good for one; scans of whole tables never are. A transaction of ours
// waits for nobody but the server.
const PgSettings writer_settings{{"enable_hashjoin", "off"}, {"enable_mergejoin", "off"},
                                 {"enable_seqscan", "off"},  {"enable_bitmapscan", "off"},
                                 {"enable_material", "off"}, {"idle_in_transaction_session_timeout", "5s"}};

Error no_backup(const std::string& file) {
    return {Errc::refused, "backup to " + file +
                               ": this store is a PostgreSQL database; nothing was copied; use pg_dump, or the "
                               "server's own backups"};
}

// The first time at once: mostly it was a matter of the moment.
void wait_before(int tries) {
    if (tries > 0) std::this_thread::sleep_for(10ms * (1 << tries));
}

class PostgresStore final : public Store {
public:
    PostgresStore(PostgresUrl url, PostgresOptions options)
        : url_(std::move(url)), options_(std::move(options)), clock_(options_.clock) {}
    ~PostgresStore() override { lease_.reset(); }

    Result<void> open(MakeLedger make);

    Result<Applied> apply(std::span<const Command> batch) override;
    Result<void> flush() override { return {}; }
    bool keeps_batch() const override { return is_away_; }
    std::int32_t epoch() const override { return membership_.worker; }
    bool unclean() const override { return false; }
    Result<void> close() override;

    Result<TaskRow> get(const TaskId& id) override { return queries_.get(id); }
    Result<TaskRow> get(TaskRef ref) override { return queries_.get(ref); }
    Result<std::vector<TaskId>> match(std::string_view part, int tasks_max) override {
        return queries_.match(part, tasks_max);
    }
    Result<std::vector<std::string>> tags(TaskRef task) override { return queries_.tags(task); }
    Result<std::vector<TaskRow>> list(const ListFilter& filter) override { return queries_.list(filter); }
    Result<std::vector<Entry>> journal(TaskRef task, int after_no, int entries_max) override {
        return queries_.journal(task, after_no, entries_max);
    }
    Result<std::vector<std::pair<Entry, TaskId>>> feed(const FeedCursor& after, int entries_max) override {
        return queries_.feed(after, entries_max);
    }
    Result<std::vector<QueueStatus>> queues() override { return queries_.queues(); }
    Result<std::vector<std::int64_t>> counts() override { return queries_.counts(); }
    Result<std::vector<WorkerRow>> workers() override { return queries_.workers(); }
    Result<void> backup(const std::string& file) override { return no_backup(file); }
    Result<std::vector<std::string>> check() override { return queries_.check(); }

private:
    enum class Attempt : std::uint8_t { done, again, failed };

    Result<void> connect();
    Result<void> join(std::span<const Command> batch);
    Attempt attempt(std::span<const Command> batch, Applied& applied);
    Attempt attempt_close();
    Attempt after_failure(bool is_committing);
    void after_commit();
    /// What became of the transaction in doubt. Nothing when it cannot be known now.
    std::optional<bool> was_committed();

    PostgresUrl url_;
    PostgresOptions options_;
    ServerClock clock_;
    PgConnection connection_;
    PostgresTables tables_{connection_, clock_};
    PostgresQueries queries_{connection_};
    std::unique_ptr<LedgerBase> ledger_;
    std::unique_ptr<WorkerLease> lease_;
    Membership membership_;
    std::optional<Error> error_;  // of the last attempt
    Applied answers_;             // of the newest batch that was sent
    std::string life_;            // of the server
    std::string doubt_life_;      // the one in which the transaction in doubt was
    bool is_in_doubt_ = false;    // its commit was sent, and nothing was heard of it
    bool is_disowned_ = false;    // others have declared this process dead
    bool is_away_ = false;
    bool is_closed_ = false;
};

// ---- opening and closing -----------------------------------------------------------------------------------------

Result<void> PostgresStore::connect() {
    if (connection_.is_open()) return {};
    if (auto opened = connection_.open(url_, connect_max, writer_settings); !opened) return opened;
    constexpr PgStatement server_life{"server_life", "select " PAWL_PG_LIFE};
    const auto life = connection_.query(server_life, {}, connect_max);
    if (!life) {
        connection_.close();
        return to_error(life.error(), url_.shown);
    }
    life_ = life->text(0, 0);
    return {};
}

Result<void> PostgresStore::open(MakeLedger make) {
    if (auto connected = connect(); !connected) return connected;
    if (!options_.create)
        if (auto readable = check_readable(connection_); !readable) return readable;
    if (auto migrated = migrate(connection_); !migrated) return migrated;
    if (auto checked = check_place(connection_, options_.place); !checked) return checked;
    membership_.dead = options_.dead;
    tables_.set_membership(membership_);
    Opening opening;
    opening.end_orphans = options_.end_orphans;
    ledger_ = make(tables_, clock_, opening);
    ledger_->open();
    tables_.commit();
    if (tables_.failure()) return *tables_.failure();
    ledger_->flushed();
    membership_.dead.clear();
    return {};
}

// The first claim makes a client a worker.
Result<void> PostgresStore::join(std::span<const Command> batch) {
    const auto is_claim = [](const Command& command) { return std::holds_alternative<Claim>(command); };
    const auto claim = std::find_if(batch.begin(), batch.end(), is_claim);
    if (membership_.worker != 0 || claim == batch.end()) return {};
    auto lease = WorkerLease::take(
        connection_, std::get<Claim>(*claim),
        {options_.program, options_.lease_length, options_.suspicion, options_.wake, options_.clock == nullptr});
    if (!lease) return lease.error();
    lease_ = std::move(*lease);
    membership_ = {lease_->worker(), 0, false, false, {}};
    return {};
}

Result<void> PostgresStore::close() {
    if (is_closed_) return Error{Errc::store_unavailable, url_.shown + ": the store was closed; open it again"};
    is_closed_ = true;
    if (membership_.worker == 0) return {};
    for (int tries = 0; tries < tries_max; ++tries) {
        const Attempt ended = attempt_close();
        if (ended == Attempt::failed) break;
        if (ended == Attempt::again) {
            wait_before(tries);
            continue;
        }
        auto left = lease_->leave(connection_);
        lease_.reset();
        return left;
    }
    return *error_;
}

PostgresStore::Attempt PostgresStore::attempt_close() {
    if (auto connected = connect(); !connected) {
        error_ = connected.error();
        return Attempt::again;
    }
    // Whether a batch or this very end is in doubt: what is still held is handed back.
    if (is_in_doubt_ && !was_committed()) return is_disowned_ ? Attempt::failed : Attempt::again;
    membership_.dead.clear();
    tables_.set_membership(membership_);
    ledger_->close();
    const bool is_committing = !tables_.failure();
    tables_.commit();
    if (tables_.failure()) return after_failure(is_committing);
    ledger_->flushed();
    return Attempt::done;
}

// ---- batches -----------------------------------------------------------------------------------------------------

Result<Applied> PostgresStore::apply(std::span<const Command> batch) {
    if (is_closed_) return Error{Errc::store_unavailable, url_.shown + ": the store was closed; open it again"};
    if (lease_) lease_->beat();
    is_away_ = false;
    Applied applied;
    for (int tries = 0; tries < tries_max; ++tries) {
        const Attempt ended = attempt(batch, applied);
        if (ended == Attempt::done) return applied;
        if (ended == Attempt::failed) return *error_;
        wait_before(tries);
    }
    is_away_ = true;
    return *error_;
}

PostgresStore::Attempt PostgresStore::attempt(std::span<const Command> batch, Applied& applied) {
    // Whatever the server says: it was good enough before. In the middle of a failover it is a standby for a while.
    if (auto connected = connect(); !connected) {
        error_ = connected.error();
        return Attempt::again;
    }
    if (is_in_doubt_) {
        const std::optional<bool> committed = was_committed();
        if (!committed) return is_disowned_ ? Attempt::failed : Attempt::again;
        applied = std::exchange(answers_, {});
        if (*committed) return Attempt::done;
    }
    if (auto joined = join(batch); !joined) {
        error_ = joined.error();
        return connection_.is_open() ? Attempt::failed : Attempt::again;
    }
    if (lease_) lease_->fill(membership_);
    tables_.set_membership(membership_);
    applied = ledger_->apply(batch);
    const bool is_committing = !tables_.failure();
    applied.look_again = lease_ && !lease_->hears() ? look_again_blind : look_again;
    if (const auto soon = tables_.next_look()) applied.look_again = std::min(*applied.look_again, *soon);
    tables_.commit();
    if (tables_.failure()) {
        answers_ = std::move(applied);
        return after_failure(is_committing);
    }
    PAWL_ASSERT(applied.replies.size() == batch.size());
    after_commit();
    return Attempt::done;
}

void PostgresStore::after_commit() {
    if (membership_.worker != 0) ++membership_.batch;
    if (lease_) lease_->settle(membership_);
    ledger_->flushed();
}

PostgresStore::Attempt PostgresStore::after_failure(bool is_committing) {
    error_ = *tables_.failure();
    const std::optional<PgError> fault = tables_.fault();
    is_disowned_ = tables_.is_disowned();
    is_in_doubt_ = is_committing && fault && is_outcome_unknown(fault->fault);
    if (is_in_doubt_) doubt_life_ = life_;
    tables_.roll_back();
    if (!is_in_doubt_) ledger_->reload({});
    if (is_disowned_) return Attempt::failed;
    // Two processes took one id, or one number of an entry, at the same moment: the second look sees the first.
    const bool is_worth_it = fault && (is_retryable(fault->fault) || fault->fault == PgFault::unique_violation);
    return is_worth_it ? Attempt::again : Attempt::failed;
}

// The server may still be at work for the connection that was lost: a worker's row is then locked, and a client's
// transaction in progress.
std::optional<bool> PostgresStore::was_committed() {
    constexpr PgStatement newest_batch{"newest_batch", "select batch from writer where worker = $1 for update"};
    constexpr PgStatement outcome_of{"outcome_of", "select pg_xact_status($1::text::xid8)"};
    const bool is_worker = membership_.worker != 0;
    // Another life of the server may give the number of a transaction that it has lost to another one. A client's batch
    // is then applied again: a submit is known by its id, a request by its own.
    if (!is_worker && life_ != doubt_life_) {
        is_in_doubt_ = false;
        ledger_->reload({});
        return false;
    }
    const std::string transaction = std::to_string(tables_.transaction());
    const auto rows = is_worker ? connection_.query(newest_batch, PgParameters().int4(membership_.worker), connect_max)
                                : connection_.query(outcome_of, PgParameters().text(transaction), connect_max);
    if (!rows) {
        error_ = to_error(rows.error(), url_.shown + ": reading whether the last batch was stored");
        return std::nullopt;
    }
    // Declared dead meanwhile: nobody can tell any more, and nothing of this process counts.
    is_disowned_ = is_worker && rows->empty();
    const bool is_known = is_worker ? !rows->empty() : !rows->is_null(0, 0) && rows->text(0, 0) != "in progress";
    if (!is_known) {
        error_ =
            Error{Errc::store_unavailable,
                  url_.shown + (is_disowned_ ? ": this process was away for too long and was declared dead; whether "
                                               "its last batch was stored is unknown"
                                             : ": whether the last batch was stored is not yet known")};
        return std::nullopt;
    }
    const bool is_committed =
        is_worker ? rows->integer(0, 0) == membership_.batch + 1 : rows->text(0, 0) == "committed";
    is_in_doubt_ = false;
    if (is_committed) after_commit();
    else ledger_->reload({});
    return is_committed;
}

class PostgresReader final : public Reader {
public:
    Result<void> open(const PostgresUrl& url, const ShardPlace& place) {
        if (auto opened = connection_.open(url, connect_max); !opened) return opened;
        if (auto readable = check_readable(connection_); !readable) return readable;
        return check_place(connection_, place);
    }
    Result<TaskRow> get(const TaskId& id) override { return queries_.get(id); }
    Result<TaskRow> get(TaskRef ref) override { return queries_.get(ref); }
    Result<std::vector<TaskId>> match(std::string_view part, int tasks_max) override {
        return queries_.match(part, tasks_max);
    }
    Result<std::vector<std::string>> tags(TaskRef task) override { return queries_.tags(task); }
    Result<std::vector<TaskRow>> list(const ListFilter& filter) override { return queries_.list(filter); }
    Result<std::vector<Entry>> journal(TaskRef task, int after_no, int entries_max) override {
        return queries_.journal(task, after_no, entries_max);
    }
    Result<std::vector<std::pair<Entry, TaskId>>> feed(const FeedCursor& after, int entries_max) override {
        return queries_.feed(after, entries_max);
    }
    Result<std::vector<QueueStatus>> queues() override { return queries_.queues(); }
    Result<std::vector<std::int64_t>> counts() override { return queries_.counts(); }
    Result<std::vector<WorkerRow>> workers() override { return queries_.workers(); }
    Result<void> backup(const std::string& file) override { return no_backup(file); }
    Result<std::vector<std::string>> check() override { return queries_.check(); }

private:
    PgConnection connection_;
    PostgresQueries queries_{connection_};
};

}  // namespace

Result<std::unique_ptr<Store>> open_postgres(const std::string& url, const PostgresOptions& options, MakeLedger make) {
    auto parsed = parse_postgres_url(url);
    if (!parsed) return parsed.error();
    auto store = std::make_unique<PostgresStore>(std::move(*parsed), options);
    if (auto opened = store->open(make); !opened) return opened.error();
    return std::unique_ptr<Store>(std::move(store));
}

Result<std::unique_ptr<Reader>> open_postgres_reader(const std::string& url, const ShardPlace& place) {
    auto parsed = parse_postgres_url(url);
    if (!parsed) return parsed.error();
    auto reader = std::make_unique<PostgresReader>();
    if (auto opened = reader->open(*parsed, place); !opened) return opened.error();
    return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace pawl::store
