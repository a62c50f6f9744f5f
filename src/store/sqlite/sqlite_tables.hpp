// The ledger's tables in one SQLite file.
#pragma once

#include "core/tables.hpp"
#include "store/sqlite/connection.hpp"

#include <deque>
#include <string>
#include <vector>

namespace pawl::store {

class SqliteTables final : public core::Tables {
public:
    explicit SqliteTables(Connection& connection) : connection_(connection) {}

    /// Lets go of every prepared statement, so that the connection can be closed.
    void finalize();

    struct Meta {
        std::int32_t epoch = 0;
        bool clean = true;
    };
    Meta meta();
    void set_meta(const Meta& meta);
    /// The newest numbers in use, whatever was purged.
    core::Marks newest_marks();
    /// Erased rows may have left pages free since the last reset.
    bool has_erased() const { return has_erased_; }
    void reset_erased() { has_erased_ = false; }

    const std::optional<Error>& failure() const override { return connection_.failure(); }
    void fail_corrupt(const std::string& what) override;
    std::optional<core::StoredRow> task(core::TaskRef ref, bool with_input) override;
    core::TaskRef find(const core::TaskId& id) override;
    void insert(const core::TaskRow& row, core::LaneId lane) override;
    void update(const core::TaskRow& row, core::LaneId lane) override;
    void set_aside(core::TaskRef ref) override;
    void readmit() override;
    std::vector<core::StoredRow> running() override;
    void append(std::int64_t seq, const core::TaskRow& row, core::Instant at,
                const core::transition::NewEntry& entry) override;
    std::vector<core::Entry> entries(core::TaskRef task, const core::Span& span) override;
    void scan(core::TaskRef task, int after_no, const std::function<void(const core::EntryHead&)>& see) override;
    std::vector<core::Head> ready(core::LaneId lane, int rows_max) override;
    std::vector<std::pair<core::LaneId, core::Head>> suspects() override;
    std::vector<core::TaskRef> due(core::Instant now, int rows_max) override;
    std::vector<core::TaskRef> expired(core::Instant now, int rows_max) override;
    std::vector<core::TaskRef> overdue(core::WallInstant wall, int rows_max) override;
    std::optional<core::Instant> next_due() override;
    std::optional<core::Instant> next_expiry() override;
    std::optional<core::WallInstant> next_deadline() override;
    std::vector<std::pair<core::LaneId, core::LaneKey>> lanes() override;
    void add_lane(core::LaneId id, const core::LaneKey& key) override;
    std::vector<std::pair<core::QueueKey, core::QueueSettings>> queues() override;
    void put_queue(const core::QueueKey& key, const core::QueueSettings& settings) override;
    std::int64_t count_pending(const core::QueueKey& key) override;
    std::optional<core::KeyRow> key(const core::KeyName& name) override;
    void put_key(const core::KeyName& name, const core::KeyRow& row) override;
    void set_key_expiry(const core::KeyName& name, core::TaskRef task, std::optional<core::Instant> expires) override;
    std::optional<core::RequestRow> request(core::TaskRef task, const std::string& id) override;
    void put_request(core::TaskRef task, const std::string& id, const core::RequestRow& row) override;
    void add_blob(const std::string& space, const core::Hash& hash, std::string_view body) override;
    std::optional<std::string> blob(const std::string& space, const core::Hash& hash) override;
    void add_tags(core::TaskRef task, const std::vector<std::string>& tags) override;
    std::vector<core::TaskRef> purgeable(const core::PurgeBounds& bounds) override;
    void erase(const core::TaskRow& row) override;
    bool sweep(core::Instant now) override;
    void save_marks(const core::Marks& marks) override;
    void set_epoch(std::int32_t epoch) override;

private:
    /// The statement of that text; texts are literals, told apart by their address.
    Statement& statement(const char* sql);
    std::vector<core::TaskRef> refs(const char* sql, std::int64_t until, int rows_max);
    std::string long_input(core::TaskRef task, bool* is_readable);
    void release_blob(const std::string& space, const core::Hash& hash);
    void sweep_leftovers();

    Connection& connection_;
    Statement append_{
        connection_,
        "insert into journal(seq, task, no, kind, format, path, at, number, due, result, error, cost_uusd) "
        "values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"};
    std::deque<Statement> statements_;
    std::vector<std::pair<const char*, Statement*>> by_text_;
    bool has_erased_ = false;
};

}  // namespace pawl::store
