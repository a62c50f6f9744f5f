// A store over another one, for tests that change one thing about it.
#pragma once

#include "core/store.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pawl::testing {

class StoreOver : public core::Store {
public:
    explicit StoreOver(std::unique_ptr<core::Store> store) : store_(std::move(store)) {}

    Result<core::Applied> apply(std::span<const core::Command> batch) override { return store_->apply(batch); }
    Result<void> flush() override { return store_->flush(); }
    std::int32_t epoch() const override { return store_->epoch(); }
    bool unclean() const override { return store_->unclean(); }
    bool wants_upkeep() const override { return store_->wants_upkeep(); }
    Result<void> upkeep() override { return store_->upkeep(); }
    Result<void> close() override { return store_->close(); }
    Result<core::TaskRow> get(const core::TaskId& id) override { return store_->get(id); }
    Result<core::TaskRow> get(core::TaskRef ref) override { return store_->get(ref); }
    Result<std::vector<core::TaskId>> match(std::string_view p, int n) override { return store_->match(p, n); }
    Result<std::vector<std::string>> tags(core::TaskRef task) override { return store_->tags(task); }
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& f) override { return store_->list(f); }
    Result<std::vector<core::Entry>> journal(core::TaskRef t, int a, int n) override {
        return store_->journal(t, a, n);
    }
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& a, int n) override {
        return store_->feed(a, n);
    }
    Result<std::vector<core::QueueStatus>> queues() override { return store_->queues(); }
    Result<std::vector<std::int64_t>> counts() override { return store_->counts(); }
    Result<std::vector<core::WorkerRow>> workers() override { return store_->workers(); }
    bool keeps_batch() const override { return store_->keeps_batch(); }
    Result<void> backup(const std::string& f) override { return store_->backup(f); }
    Result<std::vector<std::string>> check() override { return store_->check(); }

private:
    std::unique_ptr<core::Store> store_;
};

}  // namespace pawl::testing
