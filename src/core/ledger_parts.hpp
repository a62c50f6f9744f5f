// What the two halves of the ledger share. For core/ledger*.cpp only.
#pragma once

#include "core/ledger.hpp"

#include <type_traits>

namespace pawl::core {

/// Entries go straight into the tables, notices into the batch's answer.
class LedgerBase::BatchSink final : public transition::Sink {
public:
    explicit BatchSink(LedgerBase& ledger) : ledger_(ledger) {}

    void entry(const TaskRow& row, const transition::NewEntry& entry) override {
        ledger_.tables_.append(++ledger_.seq_, row, ledger_.now_, entry);
    }
    void notice(Notice::What what, const TaskRow& row) override {
        ledger_.notices_.push_back({what, row.ref, row.id, row.state, row.ending, row.fence});
    }

private:
    LedgerBase& ledger_;
};

inline transition::Stage LedgerBase::stage() { return {now_, wall_, *sink_, opening_.journal_bytes_max}; }

/// Applies a transition to a row and keeps the books in step with it. A decision that is refused has changed nothing.
template <class Change>
auto LedgerBase::change(Cached& cached, Change&& decide) {
    const Standing before = standing_of(cached.row);
    if constexpr (std::is_void_v<decltype(decide(cached.row))>) {
        decide(cached.row);
        settle(cached, before);
        mark_dirty(cached);
    } else {
        auto result = decide(cached.row);
        if (!result) return result;
        settle(cached, before);
        mark_dirty(cached);
        return result;
    }
}

}  // namespace pawl::core
