#include "store/sqlite/sqlite_store.hpp"

#include "core/assert.hpp"
#include "store/sqlite/sqlite_file.hpp"
#include "store/sqlite/sqlite_queries.hpp"
#include "store/sqlite/sqlite_tables.hpp"

#include <filesystem>

namespace pawl::store {

using namespace core;

namespace {

// Pages in the write-ahead log since its last checkpoint: from the first number on a checkpoint is welcome, at the
// second a flush does it itself, so that the log stays small under a load that never pauses.
constexpr int pages_welcome = 1'000;
constexpr int pages_forced = 8'000;
constexpr int vacuumed_pages = 256;

class SqliteStore final : public Store {
public:
    SqliteStore(std::shared_ptr<FileLock> lock, std::string path, const Clock& clock)
        : lock_(std::move(lock)), path_(std::move(path)), machine_clock_(clock) {}
    ~SqliteStore() override;

    /// `last`: see SqliteOptions.
    Result<void> open(MakeLedger make, const SqliteOptions& options, const SqliteOpening& last);
    const std::string& id() const { return id_; }

    Result<Applied> apply(std::span<const Command> batch) override;
    Result<void> flush() override;
    std::int32_t epoch() const override { return ledger_->epoch(); }
    bool unclean() const override { return unclean_; }
    bool wants_upkeep() const override;
    Result<void> upkeep() override;
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
    Result<void> backup(const std::string& file) override;
    Result<std::vector<std::string>> check() override { return queries_.check(); }

private:
    Result<void> take_ownership(MakeLedger make, const SqliteOptions& options, std::int32_t living_epoch);
    Result<void> check_usable() const;
    Result<void> begin();
    bool is_owner();
    /// Drops what is not flushed. Afterwards the store works on after disk_full, else it must be opened again.
    Error roll_back();
    Result<void> checkpoint();
    Error take_failure();
    static int on_commit(void* self, sqlite3*, const char*, int pages);

    std::shared_ptr<FileLock> lock_;
    std::string path_;
    std::string id_;
    const Clock& machine_clock_;
    Connection connection_;
    SqliteTables tables_{connection_};
    SqliteQueries queries_{connection_};
    Statement begin_{connection_, "begin immediate"};
    Statement commit_{connection_, "commit"};
    std::optional<OwnClock> clock_;
    std::unique_ptr<LedgerBase> ledger_;
    bool unclean_ = false;
    bool is_broken_ = false;
    int wal_pages_ = 0;   // in the log after the last commit
    int pages_done_ = 0;  // of these, checkpointed, or found to be held up by a reader
};

SqliteStore::~SqliteStore() {
    ledger_.reset();
    queries_.finalize();
    tables_.finalize();
    begin_.finalize();
    commit_.finalize();
    // Without close() this leaves the file as a crash would: what was not flushed is gone.
    connection_.close();
}

// ---- opening and closing -----------------------------------------------------------------------------------------

Result<void> SqliteStore::open(MakeLedger make, const SqliteOptions& options, const SqliteOpening& last) {
    const bool create = options.create && last.epoch == 0;
    if (!connection_.open(path_, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0)))
        return *connection_.failure();
    const Result<FileKind> kind = file_kind(connection_);
    if (!kind) return kind.error();
    if (last.epoch != 0 && (*kind == FileKind::empty || read_store_id(connection_) != last.store_id)) {
        if (connection_.failure()) return *connection_.failure();
        return Error{Errc::refused, path_ +
                                        ": this is not the store that was open until now; nothing was changed; "
                                        "put that file back, or start anew with this one"};
    }
    if (sqlite3_db_readonly(connection_.handle(), "main") == 1) {
        return Error{Errc::store_readonly, path_ + ": it cannot be written; nothing was changed; make it writable"};
    }
    if (!configure_writer(connection_, *kind)) return *connection_.failure();
    if (auto migrated = migrate(connection_, *kind); !migrated) return migrated.error();
    sqlite3_wal_hook(connection_.handle(), &SqliteStore::on_commit, this);
    id_ = read_store_id(connection_);
    return take_ownership(make, options, last.epoch);
}

// One transaction: the new epoch, and every task of older epochs taken over.
Result<void> SqliteStore::take_ownership(MakeLedger make, const SqliteOptions& options, std::int32_t living_epoch) {
    begin_.use().run();
    SqliteTables::Meta meta = tables_.meta();
    unclean_ = !meta.clean;
    ++meta.epoch;
    meta.clean = false;
    tables_.set_meta(meta);
    const Marks marks = tables_.newest_marks();
    if (connection_.failure()) return *connection_.failure();
    clock_.emplace(machine_clock_, marks.clock);
    ledger_ = make(tables_, *clock_,
                   {.epoch = meta.epoch,
                    .unclean = unclean_,
                    .living_epoch = living_epoch,
                    .marks = marks,
                    .end_orphans = options.end_orphans});
    ledger_->open();
    commit_.use().run();
    if (connection_.failure()) return *connection_.failure();
    ledger_->flushed();
    return {};
}

Result<void> SqliteStore::close() {
    if (auto usable = check_usable(); !usable) return usable.error();
    if (auto begun = begin(); !begun) return begun.error();
    ledger_->close();
    tables_.set_meta({ledger_->epoch(), true});
    commit_.use().run();
    if (connection_.failure()) return roll_back();
    is_broken_ = true;
    queries_.finalize();
    tables_.finalize();
    begin_.finalize();
    commit_.finalize();
    connection_.close();
    lock_.reset();
    return {};
}

// ---- batches -----------------------------------------------------------------------------------------------------

Result<void> SqliteStore::check_usable() const {
    if (!is_broken_) return {};
    return Error{Errc::store_unavailable, path_ + ": the store failed or was closed; open it again"};
}

bool SqliteStore::is_owner() { return !ledger_->checks_owner() || tables_.meta().epoch == ledger_->epoch(); }

Result<void> SqliteStore::begin() {
    if (connection_.in_transaction()) return {};
    begin_.use().run();
    if (!connection_.failure() && !is_owner()) {
        connection_.fail(
            {Errc::store_unavailable,
             path_ + ": another process has opened the file since; nothing was stored; leave it to that one"});
    }
    if (connection_.failure()) return roll_back();
    return {};
}

Error SqliteStore::roll_back() {
    Error error = *connection_.failure();
    connection_.clear_failure();
    if (connection_.in_transaction()) connection_.exec("rollback");
    is_broken_ = true;
    if (error.code != Errc::disk_full || connection_.failure()) return error;
    const Marks marks = tables_.newest_marks();
    if (!connection_.failure()) ledger_->reload(marks);
    is_broken_ = connection_.failure().has_value();
    return error;
}

Result<Applied> SqliteStore::apply(std::span<const Command> batch) {
    if (auto usable = check_usable(); !usable) return usable.error();
    if (auto begun = begin(); !begun) return begun.error();
    Applied applied = ledger_->apply(batch);
    if (connection_.failure()) return roll_back();
    PAWL_ASSERT(applied.replies.size() == batch.size());
    return applied;
}

Result<void> SqliteStore::flush() {
    if (auto usable = check_usable(); !usable) return usable.error();
    if (!connection_.in_transaction()) return {};
    commit_.use().run();
    if (connection_.failure()) return roll_back();
    ledger_->flushed();
    if (wal_pages_ - pages_done_ >= pages_forced) (void)checkpoint();
    return {};
}

// ---- upkeep ------------------------------------------------------------------------------------------------------

int SqliteStore::on_commit(void* self, sqlite3*, const char*, int pages) {
    auto& store = *static_cast<SqliteStore*>(self);
    if (pages < store.wal_pages_) store.pages_done_ = 0;  // the log began again at its start
    store.wal_pages_ = pages;
    return SQLITE_OK;
}

bool SqliteStore::wants_upkeep() const {
    return !is_broken_ && !connection_.in_transaction() &&
           (tables_.has_erased() || wal_pages_ - pages_done_ >= pages_welcome);
}

// The log file is never truncated: a file that grows costs twice as much per flush as one that is written again.
Result<void> SqliteStore::checkpoint() {
    const int status =
        sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    pages_done_ = wal_pages_;  // a reader that holds some pages up must not make us try again and again
    if (status == SQLITE_OK || (status & 0xff) == SQLITE_BUSY) return {};
    connection_.note(status, "checkpoint");
    return take_failure();
}

// Of upkeep: rows and log still have everything that was stored, and a statement that needs more finds out itself.
Error SqliteStore::take_failure() {
    Error error = *connection_.failure();
    connection_.clear_failure();
    return error;
}

Result<void> SqliteStore::upkeep() {
    if (auto usable = check_usable(); !usable) return usable.error();
    if (connection_.in_transaction()) return {};
    if (tables_.has_erased()) {
        connection_.exec(("pragma incremental_vacuum(" + std::to_string(vacuumed_pages) + ")").c_str());
        if (connection_.query_int("pragma freelist_count") == 0) tables_.reset_erased();
        if (connection_.failure()) return take_failure();
    }
    return checkpoint();
}

Result<void> SqliteStore::backup(const std::string& file) {
    // By a connection of its own, which sees what is flushed and nothing else.
    Result<std::unique_ptr<Reader>> reader = open_sqlite_reader(path_);
    if (!reader) return reader.error();
    return (*reader)->backup(file);
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, const Clock& clock, const SqliteOptions& options,
                                           MakeLedger make) {
    const Result<std::string> real_path = sqlite_real_path(path);
    if (!real_path) return real_path.error();
    const SqliteOpening last = options.last ? *options.last : SqliteOpening{};
    const bool create = options.create && last.epoch == 0;
    if (!create && !std::filesystem::exists(*real_path)) {
        const char* advice = last.epoch == 0 ? ": no such file; `pawl submit` or `pawl worker` makes it"
                                             : ": the file is gone while it was in use; put it back, then start again";
        return Error{Errc::not_found, path + advice};
    }
    if (auto local = check_file_system(*real_path); !local) return local.error();
    if (auto only = check_only_name(*real_path); !only) return only.error();
    std::shared_ptr<FileLock> lock = last.lock;
    if (!lock) {
        Result<FileLock> taken = FileLock::take(*real_path, options.program);
        if (!taken) return taken.error();
        lock = std::make_shared<FileLock>(std::move(*taken));
    }
    auto store = std::make_unique<SqliteStore>(lock, *real_path, clock);
    if (auto opened = store->open(make, options, last); !opened) return opened.error();
    if (options.last) *options.last = {store->epoch(), store->id(), std::move(lock)};
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace pawl::store
