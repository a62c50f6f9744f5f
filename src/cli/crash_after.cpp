#include "cli/crash_after.hpp"

#include <csignal>
#include <thread>
#include <utility>

namespace pawl::cli {
namespace {

class CrashingStore final : public core::Store {
public:
    CrashingStore(std::unique_ptr<core::Store> store, int no, std::chrono::milliseconds into_effect)
        : store_(std::move(store)), no_(no), into_effect_(into_effect) {}

    Result<core::Applied> apply(std::span<const core::Command> batch) override { return store_->apply(batch); }
    Result<void> flush() override {
        auto flushed = store_->flush();
        constexpr core::TaskRef first_task = 1;
        const auto entries = store_->journal(first_task, no_ - 1, 1);
        if (flushed && entries && !entries->empty()) die(entries->front().kind);
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
    Result<std::vector<core::TaskId>> match(std::string_view part, int max) override {
        return store_->match(part, max);
    }
    Result<std::vector<std::string>> tags(core::TaskRef task) override { return store_->tags(task); }
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter) override { return store_->list(filter); }
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after, int max) override {
        return store_->journal(task, after, max);
    }
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after, int max) override {
        return store_->feed(after, max);
    }
    Result<std::vector<core::QueueStatus>> queues() override { return store_->queues(); }
    Result<std::vector<std::int64_t>> counts() override { return store_->counts(); }
    Result<std::vector<core::WorkerRow>> workers() override { return store_->workers(); }
    bool keeps_batch() const override { return store_->keeps_batch(); }

private:
    void die(core::EntryKind kind) {
        if (!core::is_intent(kind) || into_effect_.count() == 0) ::raise(SIGKILL);
        if (std::exchange(dying_, true)) return;
        std::thread([after = into_effect_] {
            std::this_thread::sleep_for(after);
            ::raise(SIGKILL);
        }).detach();
    }

    std::unique_ptr<core::Store> store_;
    const int no_;
    const std::chrono::milliseconds into_effect_;
    bool dying_ = false;
};

}  // namespace

std::unique_ptr<core::Store> crash_after_entry(std::unique_ptr<core::Store> store, int no,
                                               std::chrono::milliseconds into_effect) {
    return std::make_unique<CrashingStore>(std::move(store), no, into_effect);
}

}  // namespace pawl::cli
