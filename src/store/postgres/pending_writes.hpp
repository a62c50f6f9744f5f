// What a batch writes, gathered: a few statements, each over arrays, go to the server with the commit.
#pragma once

#include "core/tables.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/task_columns.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pawl::store {

class PendingWrites {
public:
    PendingWrites();

    // ---- what is written; by id the later writing of a row takes the place of an earlier one
    void insert(const core::TaskRow& row, int line_group);
    /// `behind`: a transaction whose entries the task's next ones must stand behind in the feed, if it is not this one.
    void update(const core::TaskRow& row, int line_group, std::optional<std::int64_t> behind);
    void append(const core::TaskRow& row, core::Instant at, const core::transition::NewEntry& entry,
                std::optional<std::int64_t> behind);
    void put_queue(const core::QueueKey& key, const core::QueueSettings& settings);
    void put_key(const core::KeyName& name, const core::KeyRow& row);
    void set_key_expiry(const core::KeyName& name, core::TaskRef task, std::optional<core::Instant> expires);
    void put_request(core::TaskRef task, const std::string& id, const core::RequestRow& row);
    void add_blob(const std::string& space, const core::Hash& hash, std::string_view body);
    void add_tag(core::TaskRef task, std::string_view tag);

    bool empty() const;
    void clear();
    /// Adds the statements, and forgets what they carry.
    void send(PgPipeline& pipeline);

    /// Entries appended since the transaction began: the feed's order within it.
    std::int64_t seq() const { return seq_; }
    void begin_transaction() { seq_ = 0; }

private:
    void add_changing(std::vector<PgArray>& columns, const core::TaskRow& row, int line_group);
    static void send_arrays(PgPipeline& pipeline, const PgStatement& statement, std::vector<PgArray>& columns);

    PgPayload payload_;
    std::vector<PgArray> inserts_, updates_, entries_, keys_, expiries_, requests_, tags_, queues_;
    std::map<std::pair<std::string, core::Hash>, std::pair<std::string, std::int64_t>> blobs_;  // body, references
    std::int64_t seq_ = 0;
};

}  // namespace pawl::store
