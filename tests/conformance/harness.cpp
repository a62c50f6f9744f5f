#include "conformance/harness.hpp"

#include "store/memory/memory_store.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support/postgres.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

namespace pawl::test {
namespace {

class MemoryHarness final : public Harness {
public:
    explicit MemoryHarness(MakeLedger make) : make_(make) { store_ = open(); }

    void usurp() override { usurper_ = std::make_unique<store::MemoryStore>(disk_, clock_); }
    std::shared_ptr<Reader> reader() override { return {std::shared_ptr<Reader>(), store_.get()}; }

protected:
    std::unique_ptr<Store> open() override {
        return std::make_unique<store::MemoryStore>(disk_, clock_, make_, 0, end_orphans());
    }
    void lose_unflushed() override { disk_->crash(); }

private:
    MakeLedger make_;
    std::shared_ptr<store::MemoryDisk> disk_ = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::MemoryStore> usurper_;
};

class SqliteHarness final : public Harness {
public:
    explicit SqliteHarness(MakeLedger make) : make_(make) { store_ = open(); }
    ~SqliteHarness() override { store_.reset(); }

    void usurp() override {
        sqlite3* db = nullptr;
        EXPECT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, "update meta set epoch = epoch + 1", nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(db);
    }
    std::shared_ptr<Reader> reader() override {
        return std::shared_ptr<Reader>(store::open_sqlite_reader(file()).value());
    }

protected:
    std::unique_ptr<Store> open() override {
        store::SqliteOptions options;
        options.end_orphans = end_orphans();
        return store::open_sqlite(file(), clock_, options, make_).value();
    }

private:
    std::string file() const { return folder_.path() + "/pawl.db"; }

    MakeLedger make_;
    TempFolder folder_;
};

class PostgresHarness final : public Harness {
public:
    explicit PostgresHarness(MakeLedger make) : make_(make) { store_ = open(); }
    ~PostgresHarness() override { store_.reset(); }

    void usurp() override {
        const std::string worker = std::to_string(store_->epoch());
        schema_.exec("update worker set ended = 1 where id = " + worker +
                     "; delete from writer where worker = " + worker);
    }
    std::shared_ptr<Reader> reader() override {
        return std::shared_ptr<Reader>(store::open_postgres_reader(schema_.url()).value());
    }

protected:
    std::unique_ptr<Store> open() override {
        store::PostgresOptions options;
        options.end_orphans = end_orphans();
        options.clock = &clock_;
        options.dead = std::exchange(dead_, {});
        return store::open_postgres(schema_.url(), options, make_).value();
    }
    // Others would see it by and by; here it is told.
    void lose_unflushed() override {
        if (store_->epoch() == 0) return;
        dead_.push_back(store_->epoch());
        schema_.exec(
            "update worker set lease_until = 0, seen = coalesce((select max(at) from journal), 0) where id = " +
            std::to_string(store_->epoch()));
    }

private:
    MakeLedger make_;
    TestSchema schema_;
    std::vector<std::int32_t> dead_;
};

}  // namespace

void Harness::reopen() {
    store_.reset();
    store_ = open();
}

void Harness::crash() {
    lose_unflushed();
    reopen();
}

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all{
        {"memory", [](MakeLedger make) { return std::make_unique<MemoryHarness>(make); }},
        {"sqlite", [](MakeLedger make) { return std::make_unique<SqliteHarness>(make); }},
        {"postgres", [](MakeLedger make) { return std::make_unique<PostgresHarness>(make); }, true},
    };
    return all;
}

const std::vector<Kind>& owned_kinds() {
    static const std::vector<Kind> owned(kinds().begin(), kinds().begin() + 2);
    return owned;
}

Submit submit(int number, const std::string& type) {
    Submit command;
    command.id = make_task_id(wall_instant(1'800'000'000'000'000), 0, static_cast<std::uint64_t>(number) << 8, 7);
    command.lane.type = type;
    command.input = "{\"n\":" + std::to_string(number) + "}";
    command.fingerprint[0] = static_cast<std::uint8_t>(number);
    return command;
}

Claim claim(int tasks_max, const std::string& type) {
    Claim command;
    command.types = {{type, 1, 1}};
    command.tasks_max = tasks_max;
    return command;
}

Record record(const ClaimedTask& task, Transition next, std::vector<EntryDraft> entries) {
    Record command;
    command.task = task.row.ref;
    command.fence = task.row.fence;
    command.entries = std::move(entries);
    command.next = std::move(next);
    return command;
}

EntryDraft draft(EntryKind kind, const std::string& path, std::int64_t number) {
    EntryDraft made;
    made.kind = kind;
    made.path = path;
    made.number = number;
    return made;
}

EntryDraft completed_step(const std::string& path, const std::string& result) {
    EntryDraft made = draft(EntryKind::step_completed, path);
    made.result = result;
    return made;
}

Fail failure(const std::string& path) {
    Fail made;
    made.failure = {ErrorClass::final, Errc::step_failed, "it broke"};
    made.path = path;
    return made;
}

Operate operate(const TaskId& id, Operate::Verb verb, const std::string& request_id) {
    Operate command;
    command.verb = verb;
    command.id = id;
    command.request_id = request_id;
    command.who = "ann";
    return command;
}

ClaimedTask submit_and_claim(Harness& h, const Submit& command) {
    EXPECT_TRUE(ask<Submitted>(h, command));
    return claim_one(h, command.lane.type);
}

ClaimedTask claim_one(Harness& h, const std::string& type) {
    const Result<Claimed> claimed = ask<Claimed>(h, claim(1, type));
    EXPECT_TRUE(claimed) << claimed.error().message;
    if (!claimed || claimed->tasks.size() != 1) {
        ADD_FAILURE() << "there was nothing to claim";
        return {};
    }
    return claimed->tasks.front();
}

Applied run(Harness& h, const std::vector<Command>& batch) {
    Result<Applied> applied = h.store().apply(batch);
    EXPECT_TRUE(applied) << applied.error().message;
    EXPECT_TRUE(h.store().flush());
    return applied ? std::move(*applied) : Applied{};
}

Errc refusal_of(const Applied& applied, std::size_t index) {
    const Result<core::Answer>& answer = applied.replies.at(index).answer;
    EXPECT_TRUE(answer.has_error()) << "it was not refused";
    return answer.has_error() ? answer.error().code : Errc{};
}

Applied tick(Harness& h) { return run(h, {Tick{}}); }

TaskRow row_of(Harness& h, const TaskId& id) { return h.store().get(id).value(); }

std::vector<Entry> journal_of(Harness& h, TaskRef task) { return h.store().journal(task, 0, 1'000).value(); }

std::vector<EntryKind> kinds_of(Harness& h, TaskRef task) {
    std::vector<EntryKind> kinds;
    for (const Entry& entry : journal_of(h, task)) kinds.push_back(entry.kind);
    return kinds;
}

std::string state_of(Harness& h, const TaskId& id) {
    const TaskRow row = row_of(h, id);
    std::string text(to_string(row.state));
    if (row.reason != Reason::none) text += "(" + std::string(to_string(row.reason)) + ")";
    return text;
}

void StoreConformance::TearDown() {
    if (!h) return;
    const Result<std::vector<std::string>> findings = h->reader()->check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, std::vector<std::string>{});
}

}  // namespace pawl::test
