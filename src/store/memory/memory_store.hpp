// The reference store: everything in memory, with a disk that can fail. For tests and simulation.
#pragma once

#include "core/ledger.hpp"
#include "core/store.hpp"

#include <memory>
#include <string>

namespace pawl::store {

class MemoryImage;

/// What survives a process: the "disk" under a MemoryStore. It keeps what was applied apart from what was flushed.
class MemoryDisk {
public:
    MemoryDisk();
    ~MemoryDisk();

    /// The process dies or the power fails: of the batches that were not flushed only the first `batches_kept`
    /// survive. Every store on this disk is worthless from then on; open a new one.
    void crash(int batches_kept = 0);
    /// Batches applied since the last flush.
    int unflushed() const;

    /// What the next apply or flush does instead of its work. The store must then be opened again, except after
    /// `full`.
    enum class Fault {
        none,
        before,  ///< answers store_unavailable; it did not happen
        after,   ///< answers store_unavailable, though it happened
        full,    ///< answers disk_full; nothing since the last flush happened
    };
    void fail_next_apply(Fault fault) { apply_fault_ = fault; }
    void fail_next_flush(Fault fault) { flush_fault_ = fault; }

private:
    friend class MemoryStore;
    std::unique_ptr<MemoryImage> image_;
    int lives_ = 0;
    Fault apply_fault_ = Fault::none, flush_fault_ = Fault::none;
};

/// Store contract: core/store.hpp. Opening it takes the disk over from any other store on it.
class MemoryStore final : public core::Store {
public:
    /// On an empty disk of its own.
    explicit MemoryStore(const core::Clock& clock);
    /// `living_epoch`: of this process's last opening, when that failed; 0 = none. `end_orphans`: core/ledger.hpp.
    MemoryStore(std::shared_ptr<MemoryDisk> disk, const core::Clock& clock,
                core::MakeLedger make = core::make_ledger<core::AllGuards>, std::int32_t living_epoch = 0,
                std::function<void(const std::vector<std::string>&)> end_orphans = {});
    ~MemoryStore() override;

    MemoryDisk& disk() { return *disk_; }

    Result<core::Applied> apply(std::span<const core::Command> batch) override;
    Result<void> flush() override;
    std::int32_t epoch() const override;
    bool unclean() const override { return unclean_; }
    Result<void> close() override;

    Result<core::TaskRow> get(const core::TaskId& id) override;
    Result<core::TaskRow> get(core::TaskRef ref) override;
    Result<std::vector<core::TaskId>> match(std::string_view part, int tasks_max) override;
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter) override;
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after_no, int entries_max) override;
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after,
                                                                   int entries_max) override;
    Result<std::vector<core::QueueStatus>> queues() override;
    Result<std::vector<std::string>> tags(core::TaskRef task) override;
    Result<std::vector<std::int64_t>> counts() override;
    /// refused: memory has no file.
    Result<void> backup(const std::string& file) override;
    Result<std::vector<std::string>> check() override;

private:
    MemoryImage& image() const { return *disk_->image_; }
    Result<void> check_usable() const;
    Error fail(const char* what);
    Error run_full();

    std::shared_ptr<MemoryDisk> disk_;
    core::OwnClock clock_;
    std::int32_t epoch_ = 0;
    int life_ = 0;  // of the disk; a crash ends it
    bool unclean_ = false;
    bool is_broken_ = false;
    std::unique_ptr<core::LedgerBase> ledger_;
};

}  // namespace pawl::store
