// What an operator's verb learns from a journal, against a second, slower way to learn it.
#include "core/journal_facts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace pawl::core {
namespace {

using Heads = std::vector<EntryHead>;

JournalFacts facts_of(const Heads& journal) {
    JournalFacts facts;
    for (const EntryHead& entry : journal) facts.see(entry);
    return facts;
}

Heads journal_of(const std::vector<std::pair<EntryKind, std::string>>& entries) {
    Heads journal;
    for (const auto& [kind, path] : entries) journal.push_back({static_cast<int>(journal.size()) + 1, kind, path, 1});
    return journal;
}

TEST(JournalFacts, AStepIsUnknownWhileNothingElseIsKnownOfIt) {
    using enum EntryKind;
    const Heads journal = journal_of({{submitted, ""},
                                      {claimed, ""},
                                      {step_unknown, "a#1"},
                                      {step_unknown, "b#1"},
                                      {step_resolved, "b#1"},
                                      {step_unknown, "c#1"},
                                      {step_failed, "c#1"},
                                      {paused, ""}});

    const auto unknown = facts_of(journal).unknown_steps();

    ASSERT_EQ(unknown.size(), 1u);
    EXPECT_EQ(unknown[0].path, "a#1");
}

TEST(JournalFacts, ARetryVoidsFromTheUncaughtFailureOn) {
    using enum EntryKind;
    const Heads journal = journal_of({{submitted, ""},
                                      {claimed, ""},
                                      {step_failed, "caught#1"},
                                      {step_failed, "a#1"},
                                      {step_completed, "b#1"},
                                      {failed, "a#1"}});

    const auto voided = facts_of(journal).voided_by_retry();

    EXPECT_EQ(voided.no, 4);
    EXPECT_EQ(voided.path, "a#1");
}

TEST(JournalFacts, ARetryOfACancelledTaskVoidsFromTheCancelOn) {
    using enum EntryKind;
    const Heads running =
        journal_of({{submitted, ""}, {claimed, ""}, {ending, ""}, {step_attempt_failed, "a#1"}, {cancelled, ""}});
    EXPECT_EQ(facts_of(running).voided_by_retry().no, 3);

    const Heads waiting =
        journal_of({{submitted, ""}, {claimed, ""}, {timer_set, "sleep#1"}, {parked, ""}, {cancelled, ""}});
    EXPECT_EQ(facts_of(waiting).voided_by_retry().no, 5);
}

// ---- random lives ------------------------------------------------------------------------------------------------

class RandomJournal {
public:
    explicit RandomJournal(std::uint64_t seed) : random_(seed) {}

    /// Lives of a task one after the other, each but the last one reopened; the last one has ended.
    Heads draw() {
        Heads journal;
        add(journal, EntryKind::submitted);
        const int lives = 1 + below(4);
        for (int life = 1; life <= lives; ++life) {
            live(journal);
            if (life == lives) break;
            const JournalFacts::Voided voided = facts_of(journal).voided_by_retry();
            journal.push_back({next(journal), EntryKind::reopened, voided.path, voided.no});
        }
        return journal;
    }

private:
    int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
    static int next(const Heads& journal) { return static_cast<int>(journal.size()) + 1; }
    static void add(Heads& journal, EntryKind kind, const std::string& path = "") {
        journal.push_back({next(journal), kind, path, 1});
    }

    void live(Heads& journal) {
        static const std::vector<EntryKind> kinds{EntryKind::step_started,  EntryKind::step_attempt_failed,
                                                  EntryKind::step_lost,     EntryKind::step_completed,
                                                  EntryKind::step_failed,   EntryKind::step_unknown,
                                                  EntryKind::step_resolved, EntryKind::step_begun};
        std::string failed;
        for (int claims = 1 + below(3); claims > 0; --claims) {
            add(journal, EntryKind::claimed);
            failed.clear();
            for (int steps = below(6); steps > 0; --steps) {
                const std::string path = "s#" + std::to_string(below(4));
                const EntryKind kind = kinds[static_cast<std::size_t>(below(8))];
                add(journal, kind, path);
                if (kind == EntryKind::step_failed) failed = path;
            }
            if (claims > 1) add(journal, below(2) ? EntryKind::parked : EntryKind::handed_back);
        }
        if (below(3) == 0) {
            add(journal, EntryKind::ending);
            if (below(2)) add(journal, EntryKind::step_unknown, "s#0");
            add(journal, below(2) ? EntryKind::cancelled : EntryKind::failed);
        } else {
            add(journal, EntryKind::failed, below(2) ? failed : "");
        }
    }

    std::mt19937_64 random_;
};

// Paths whose newest entry is one of these.
std::set<std::string> newest_by_search(const Heads& journal, const std::set<EntryKind>& kinds) {
    std::set<std::string> paths, found;
    for (const EntryHead& entry : journal)
        if (is_operation(entry.kind)) paths.insert(entry.path);
    for (const std::string& path : paths) {
        const auto newest = std::find_if(journal.rbegin(), journal.rend(),
                                         [&](const EntryHead& e) { return is_operation(e.kind) && e.path == path; });
        if (kinds.contains(newest->kind)) found.insert(path);
    }
    return found;
}

// From behind: to the failure that the last entry names, or to the beginning of the end.
int voided_by_search(const Heads& journal) {
    const EntryHead& last = journal.back();
    int no = last.no;
    for (auto at = journal.rbegin(); at != journal.rend(); ++at) {
        if (!last.path.empty() && at->kind == EntryKind::step_failed && at->path == last.path) return at->no;
        if (last.path.empty() && at->kind == EntryKind::claimed) return no;
        if (last.path.empty() && at->kind == EntryKind::ending) no = at->no;
    }
    return no;
}

TEST(JournalFacts, OnRandomJournalsTheyAreWhatASearchFinds) {
    for (std::uint64_t seed = 1; seed <= 3'000 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Heads journal = RandomJournal(seed).draw();
        const JournalFacts facts = facts_of(journal);

        std::set<std::string> unknown;
        for (const JournalFacts::Step& step : facts.unknown_steps()) unknown.insert(step.path);
        EXPECT_EQ(unknown, newest_by_search(journal, {EntryKind::step_unknown}));
        std::set<std::string> open;
        for (const JournalFacts::Intent& intent : facts.open_intents()) {
            open.insert(intent.path);
            const EntryHead& entry = journal.at(static_cast<std::size_t>(intent.no) - 1);
            EXPECT_EQ(entry.path, intent.path);
            EXPECT_EQ(entry.kind == EntryKind::step_started, intent.once);
        }
        EXPECT_EQ(open, newest_by_search(journal, {EntryKind::step_started, EntryKind::step_begun}));
        EXPECT_EQ(facts.voided_by_retry().no, voided_by_search(journal));
    }
}

TEST(JournalFacts, ARangeThatARetryVoidsBeginsAfterTheClaimAndEndsAtItsReopening) {
    for (std::uint64_t seed = 1; seed <= 1'000 && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Heads journal = RandomJournal(seed).draw();
        const JournalFacts facts = facts_of(journal);
        for (const auto& [first, reopened] : facts.voided()) {
            EXPECT_GT(first, 2) << "the submit and the first claim are never void";
            EXPECT_LT(first, reopened);
            EXPECT_EQ(journal[static_cast<std::size_t>(reopened) - 1].kind, EntryKind::reopened);
        }
    }
}

}  // namespace
}  // namespace pawl::core
