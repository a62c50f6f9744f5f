// The numbers that two stores gave to the same things: a task's ref and a claim's fence. By them what one store says
// can be read as if the other had said it.
#pragma once

#include "core/store.hpp"

#include <map>
#include <utility>

namespace pawl::test {

/// `here` is the store whose numbers commands speak in, `there` the other one.
class TwinNames {
public:
    /// Takes from two answers to the same batch which numbers mean the same.
    void learn(const core::Applied& here, const core::Applied& there);

    /// The command in the numbers of the other store.
    core::Command to_there(core::Command command) const;
    core::TaskRef to_there(core::TaskRef ref) const;
    /// What the other store said, in the numbers of this one; what was never learned becomes -1.
    core::Applied to_here(core::Applied applied) const;
    core::TaskRow to_here(core::TaskRow row) const;
    core::Entry to_here(core::Entry entry) const;

private:
    void pair(const core::TaskRow& here, const core::TaskRow& there);
    core::TaskRef to_here(core::TaskRef ref) const;
    core::Fence to_here(core::TaskRef there, core::Fence fence) const;

    std::map<core::TaskRef, core::TaskRef> here_of_, there_of_;
    using Claim = std::pair<core::TaskRef, core::Fence>;
    std::map<Claim, core::Fence> here_fences_, there_fences_;  // by the ref and the fence of the store they come from
};

/// What two stores may answer differently, made equal: cursors, what is answered before the flush, and hints.
core::Applied without_own_matters(core::Applied applied);

/// Reads another store as if it were this one; without names only the cursors are made equal.
class TwinReader final : public core::Reader {
public:
    explicit TwinReader(core::Reader& reader, const TwinNames* names = nullptr) : reader_(reader), names_(names) {}

    Result<core::TaskRow> get(const core::TaskId& id) override;
    Result<core::TaskRow> get(core::TaskRef ref) override;
    Result<std::vector<core::TaskId>> match(std::string_view part, int tasks_max) override;
    Result<std::vector<std::string>> tags(core::TaskRef task) override;
    Result<std::vector<core::TaskRow>> list(const core::ListFilter& filter) override;
    Result<std::vector<core::Entry>> journal(core::TaskRef task, int after_no, int entries_max) override;
    Result<std::vector<std::pair<core::Entry, core::TaskId>>> feed(const core::FeedCursor& after,
                                                                   int entries_max) override;
    Result<std::vector<core::QueueStatus>> queues() override { return reader_.queues(); }
    Result<std::vector<std::int64_t>> counts() override { return reader_.counts(); }
    Result<void> backup(const std::string& file) override { return reader_.backup(file); }
    Result<std::vector<std::string>> check() override { return reader_.check(); }

private:
    core::TaskRow row(core::TaskRow row) const;
    core::Entry entry(core::Entry entry) const;
    core::TaskRef ref(core::TaskRef ref) const { return names_ ? names_->to_there(ref) : ref; }

    core::Reader& reader_;
    const TwinNames* names_;
};

}  // namespace pawl::test
