#include "cli/crash_after.hpp"

#include <csignal>

namespace pawl::cli {
namespace {

class CrashingStore final : public core::Store {
public:
    CrashingStore(std::unique_ptr<core::Store> store, int no) : store_(std::move(store)), no_(no) {}

    Result<core::Applied> apply(std::span<const core::Command> batch) override { return store_->apply(batch); }
    Result<void> flush() override {
        auto flushed = store_->flush();
        constexpr core::TaskRef first_task = 1;
        const auto entries = store_->journal(first_task, no_ - 1, 1);
        if (flushed && entries && !entries->empty()) ::raise(SIGKILL);
        return flushed;
    }
    std::int32_t epoch() const override { return store_->epoch(); }
    bool unclean() const override { return store_->unclean(); }
    bool wants_upkeep() const override { return store_->wants_upkeep(); }
    Result<void> upkeep() override { return store_->upkeep(); }
    Result<void> close() override { return store_->close(); }
    Result<void> backup(const std::string& file) override { return store_->backup(file); }
    Result<std::vector<std::string>> check() override { return store_->check(); }

    Result<core::TaskRow> get(const core::TaskId& id) override { return store_->get(id); }
    Result<core::TaskRow> get(core::TaskRef ref) override { return store_->get(ref); }
    Result<std::vector<core::TaskId>> match(std::string_view part, int max) override { return store_->match(part, max); }
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter) override { return store_->list(filter); }
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after, int max) override {
        return store_->journal(task, after, max);
    }
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(std::int64_t after, int max) override {
        return store_->feed(after, max);
    }
    Result<std::vector<core::QueueStatus>> queues() override { return store_->queues(); }
    Result<std::vector<std::int64_t>> counts() override { return store_->counts(); }

private:
    std::unique_ptr<core::Store> store_;
    const int no_;
};

}  // namespace

std::unique_ptr<core::Store> crash_after_entry(std::unique_ptr<core::Store> store, int no) {
    return std::make_unique<CrashingStore>(std::move(store), no);
}

}  // namespace pawl::cli
