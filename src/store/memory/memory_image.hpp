// Tables in memory that can go back to their last flush.
#pragma once

#include "core/tables.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pawl::store {

/// Every change leaves the step that undoes it; a flush forgets those steps, a crash takes them.
class MemoryImage final : public core::Tables {
public:
    struct Meta {
        std::int32_t epoch = 0;
        bool clean = true;
        core::Marks marks;
    };

    // ---- batches
    void begin_batch() { batch_starts_.push_back(undo_.size()); }
    void roll_back_batch();
    int unflushed() const { return static_cast<int>(batch_starts_.size()); }
    void keep_unflushed(int batches);
    void flush();

    const Meta& meta() const { return meta_; }
    void set_meta(const Meta& meta);
    /// The newest numbers in use, whatever was purged.
    core::Marks newest_marks() const;

    // ---- for the reader
    const std::map<core::TaskRef, core::StoredRow>& rows() const { return rows_; }
    /// The row as a reader sees it.
    core::TaskRow full_row(const core::StoredRow& stored) const;
    const std::vector<core::Entry>* journal(core::TaskRef task) const;
    const std::map<std::int64_t, std::pair<core::TaskRef, int>>& feed() const { return feed_; }
    bool has_tag(core::TaskRef task, const std::string& tag) const { return tags_.contains({tag, task}); }
    std::vector<std::string> tags(core::TaskRef task) const;
    std::vector<std::string> check() const;

    // ---- Tables
    const std::optional<Error>& failure() const override { return failure_; }
    void fail_corrupt(const std::string& what) override { failure_ = Error{Errc::store_corrupt, what}; }
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
    struct Blob {
        std::int64_t refs = 0;
        std::string body;
    };
    using BlobKey = std::pair<std::string, core::Hash>;

    template <class Map>
    void put(Map& map, const typename Map::key_type& key, std::optional<typename Map::mapped_type> value);
    void put_row(core::TaskRef ref, std::optional<core::StoredRow> row);
    void set_row(core::TaskRef ref, std::optional<core::StoredRow> row);
    void index(const core::StoredRow& row, bool is_there);
    void move_aside(core::TaskRef ref, bool is_aside);
    bool has_open_relative(const core::TaskRow& row) const;

    std::vector<std::function<void()>> undo_;
    std::vector<std::size_t> batch_starts_;
    std::optional<Error> failure_;

    Meta meta_;
    std::map<core::TaskRef, core::StoredRow> rows_;
    std::map<core::TaskRef, std::vector<core::Entry>> journals_;
    std::map<std::int64_t, std::pair<core::TaskRef, int>> feed_;  // seq -> task, index in its journal
    std::map<core::LaneId, core::LaneKey> lanes_;
    std::map<core::QueueKey, core::QueueSettings> queues_;
    std::map<core::KeyName, core::KeyRow> keys_;
    std::map<std::pair<core::TaskRef, std::string>, core::RequestRow> requests_;
    std::map<BlobKey, Blob> blobs_;
    std::set<std::pair<std::string, core::TaskRef>> tags_;

    // What SQL would have as indexes.
    std::map<core::TaskId, core::TaskRef> ids_;
    std::map<core::LaneId, std::set<core::Head>> ready_;
    std::set<std::pair<core::Head, core::LaneId>> suspects_;
    std::set<core::TaskRef> running_, aside_;
    std::set<std::pair<core::Instant, core::TaskRef>> due_, expiry_, final_;
    std::set<std::pair<core::WallInstant, core::TaskRef>> deadline_;
};

}  // namespace pawl::store
