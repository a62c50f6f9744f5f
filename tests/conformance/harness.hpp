// What every store must pass is written once, against this. A new store adds a harness and one line in harness.cpp.
#pragma once

#include "core/ledger.hpp"
#include "core/store.hpp"
#include "support/manual_clock.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace pawl::test {

using namespace core;
using namespace std::chrono_literals;

/// A store with its disk and its clock.
class Harness {
public:
    virtual ~Harness() = default;

    Store& store() { return *store_; }
    ManualClock& clock() { return clock_; }
    /// What the openings were told that dead owners left running.
    const std::vector<std::string>& orphans() const { return orphans_; }

    /// Opens the store again after close().
    void reopen();
    /// The process dies: what was not flushed is gone.
    void crash();
    /// Another process opens the same store without a regard for the lock, and becomes its owner.
    virtual void usurp() = 0;
    /// A reader beside the store, or the store itself.
    virtual std::shared_ptr<Reader> reader() = 0;

protected:
    virtual std::unique_ptr<Store> open() = 0;
    virtual void lose_unflushed() {}

    std::function<void(const std::vector<std::string>&)> end_orphans() {
        return [this](const std::vector<std::string>& all) { orphans_.insert(orphans_.end(), all.begin(), all.end()); };
    }

    ManualClock clock_;
    std::vector<std::string> orphans_;
    std::unique_ptr<Store> store_;
};

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Harness>(MakeLedger)> make;
    bool is_shared = false;  ///< PostgreSQL: many processes, each batch durable when it is applied
};
inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
/// The stores under test.
const std::vector<Kind>& kinds();

/// One batch of one command, flushed; its answer.
template <class Answered, class Asked>
Result<Answered> ask(Harness& h, Asked command) {
    const std::vector<Command> batch{Command{std::move(command)}};
    Result<Applied> applied = h.store().apply(batch);
    if (!applied) return applied.error();
    if (auto flushed = h.store().flush(); !flushed) return flushed.error();
    Result<core::Answer>& answer = applied->replies.at(0).answer;
    if (!answer) return answer.error();
    return std::get<Answered>(std::move(*answer));
}

/// One batch, flushed.
Applied run(Harness& h, const std::vector<Command>& batch);
/// The answer of one command of a batch.
template <class Answered>
Answered answer_of(const Applied& applied, std::size_t index) {
    const Result<core::Answer>& answer = applied.replies.at(index).answer;
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? std::get<Answered>(*answer) : Answered{};
}
Errc refusal_of(const Applied& applied, std::size_t index);
template <class T>
Errc code_of(const Result<T>& result) {
    EXPECT_TRUE(result.has_error());
    return result.has_error() ? result.error().code : Errc{};
}

/// Commands as tests write them.
Submit submit(int number, const std::string& type = "mail");
Claim claim(int tasks_max = 1, const std::string& type = "mail");
Record record(const ClaimedTask& task, Transition next = {}, std::vector<EntryDraft> entries = {});
EntryDraft draft(EntryKind kind, const std::string& path, std::int64_t number = 1);
EntryDraft completed_step(const std::string& path, const std::string& result = "1");
Fail failure(const std::string& path = "");
Operate operate(const TaskId& id, Operate::Verb verb, const std::string& request_id = "");

/// Submits, and claims what was submitted.
ClaimedTask submit_and_claim(Harness& h, const Submit& command);
/// Claims one task; fails the test when there is none.
ClaimedTask claim_one(Harness& h, const std::string& type = "mail");
/// What upkeep there is at this time.
Applied tick(Harness& h);

TaskRow row_of(Harness& h, const TaskId& id);
std::vector<Entry> journal_of(Harness& h, TaskRef task);
std::vector<EntryKind> kinds_of(Harness& h, TaskRef task);
std::string state_of(Harness& h, const TaskId& id);

/// Every test of the suite runs on every store, and leaves a store that passes its own deep check.
class StoreConformance : public testing::TestWithParam<Kind> {
protected:
    void SetUp() override {
        if (GetParam().is_shared) PAWL_NEEDS_POSTGRES();
        h = GetParam().make(make_ledger<AllGuards>);
    }
    void TearDown() override;

    std::unique_ptr<Harness> h;
};

/// What holds only where one process owns the store: its clock, and a flush that is not the commit.
class OwnedStore : public StoreConformance {};
const std::vector<Kind>& owned_kinds();

}  // namespace pawl::test
