// Retention, and what people read: listings, the feed, counts.
#include "conformance/harness.hpp"

namespace pawl::test {
namespace {

Purge purge_older_than(Micros age, int tasks_max = 256) { return {age, tasks_max}; }

TEST_P(StoreConformance, PurgeTakesFinalTasksAndAllThatBelongsToThem) {
    Submit keyed = submit(1);
    keyed.key = "k";
    keyed.tags = {"blue"};
    keyed.definition = "{}";
    Submit kept = submit(3);
    kept.definition = "{}";
    ask<Recorded>(*h, record(submit_and_claim(*h, keyed), Complete{"1"}, {completed_step("a#1")})).value();
    run(*h, {submit(2), kept});
    h->clock().advance(24h * 30);
    EXPECT_EQ(ask<Purged>(*h, purge_older_than(24h * 31)).value().tasks, 0);
    EXPECT_EQ(ask<Purged>(*h, purge_older_than(24h * 30)).value().tasks, 1);
    EXPECT_EQ(code_of(h->store().get(keyed.id)), Errc::not_found);
    EXPECT_TRUE(h->store().journal(1, 0, 9).value().empty());
    ListFilter blue;
    blue.tag = "blue";
    EXPECT_TRUE(h->store().list(blue).value().empty());
    EXPECT_EQ(state_of(*h, submit(2).id), "pending(queued)") << "only final tasks go";
    for (const auto& [entry, id] : h->store().feed({}, 99).value()) EXPECT_NE(id, keyed.id);
    EXPECT_EQ(ask<Purged>(*h, purge_older_than(24h * 30)).value().tasks, 0);
}

TEST_P(StoreConformance, ATaskIsNeverPurgedBeforeItsKeyIsOver) {
    Submit keyed = submit(1);
    keyed.key = "k";
    ask<Recorded>(*h, record(submit_and_claim(*h, keyed), Complete{"1"})).value();
    ask<Recorded>(*h, record(submit_and_claim(*h, submit(2)), Complete{"1"})).value();
    h->clock().advance(24h);
    EXPECT_EQ(ask<Purged>(*h, purge_older_than(1h)).value().tasks, 1) << "the one without a key";
    h->clock().advance(24h * 6);
    EXPECT_EQ(ask<Purged>(*h, purge_older_than(1h)).value().tasks, 1);
}

TEST_P(StoreConformance, PurgeGoesInPiecesOldestFirst) {
    for (int i = 1; i <= 5; ++i) {
        ask<Recorded>(*h, record(submit_and_claim(*h, submit(i)), Complete{"1"})).value();
        h->clock().advance(1s);
    }
    const Purged first = ask<Purged>(*h, purge_older_than(Micros{0}, 2)).value();
    EXPECT_EQ(first.tasks, 2);
    EXPECT_TRUE(first.more);
    EXPECT_EQ(code_of(h->store().get(submit(2).id)), Errc::not_found);
    EXPECT_TRUE(h->store().get(submit(3).id));
    const Purged last = ask<Purged>(*h, purge_older_than(Micros{0}, 9)).value();
    EXPECT_EQ(last.tasks, 3);
    EXPECT_FALSE(last.more);
}

TEST_P(StoreConformance, NumbersAreNeverUsedAgainAfterAPurge) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    const Applied done = run(*h, {record(task, Complete{"1"})});
    h->clock().advance(1s);
    ask<Purged>(*h, purge_older_than(Micros{0})).value();
    h->crash();
    const Applied applied = run(*h, {submit(2)});
    EXPECT_GT(answer_of<Submitted>(applied, 0).ref, task.row.ref);
    EXPECT_GT(applied.newest, done.newest) << "the feed's cursor goes on";
    EXPECT_GE(applied.now, done.now);
}

TEST_P(StoreConformance, ARequestIdIsForgottenAfterItsLife) {
    run(*h, {submit(1)});
    ask<Operated>(*h, operate(submit(1).id, Operate::Verb::pause, "r")).value();
    ask<Operated>(*h, operate(submit(1).id, Operate::Verb::resume)).value();
    h->clock().advance(24h * 7);
    ask<Purged>(*h, purge_older_than(24h * 30)).value();
    EXPECT_EQ(ask<Operated>(*h, operate(submit(1).id, Operate::Verb::pause, "r")).value().changed, true);
    EXPECT_EQ(state_of(*h, submit(1).id), "paused(operator)");
}

// ---- reading -----------------------------------------------------------------------------------------------------

std::vector<TaskId> listed(Reader& reader, const ListFilter& filter) {
    std::vector<TaskId> ids;
    for (const TaskRow& row : reader.list(filter).value()) ids.push_back(row.id);
    return ids;
}

TEST_P(StoreConformance, ListingsFilterAndPageNewestFirst) {
    Submit tagged = submit(2, "print");
    tagged.tags = {"blue", "red"};
    tagged.key = "k";
    Submit elsewhere = submit(3);
    elsewhere.lane.space = "acme";
    elsewhere.lane.queue = "slow";
    run(*h, {submit(1), tagged, elsewhere});
    claim_one(*h, "print");
    const auto reader = h->reader();
    EXPECT_EQ(listed(*reader, {}), (std::vector{submit(3).id, submit(2).id, submit(1).id}));
    ListFilter filter;
    filter.tasks_max = 2;
    EXPECT_EQ(listed(*reader, filter), (std::vector{submit(3).id, submit(2).id}));
    filter.before = row_of(*h, submit(2).id).ref;
    EXPECT_EQ(listed(*reader, filter), (std::vector{submit(1).id}));
    const auto only = [&](auto set) {
        ListFilter f;
        set(f);
        return listed(*reader, f);
    };
    const std::vector two{submit(2).id};
    const std::vector three{submit(3).id};
    EXPECT_EQ(only([](ListFilter& f) { f.tag = "red"; }), two);
    EXPECT_EQ(reader->tags(row_of(*h, submit(2).id).ref).value(), (std::vector<std::string>{"blue", "red"}));
    EXPECT_EQ(reader->tags(row_of(*h, submit(1).id).ref).value(), std::vector<std::string>());
    EXPECT_EQ(only([](ListFilter& f) { f.key = "k"; }), two);
    EXPECT_EQ(only([](ListFilter& f) { f.type = "print"; }), two);
    EXPECT_EQ(only([](ListFilter& f) { f.states = {TaskState::running, TaskState::failed}; }), two);
    EXPECT_EQ(only([](ListFilter& f) { f.queue = "slow"; }), three);
    EXPECT_EQ(only([](ListFilter& f) { f.space = "acme"; }), three);
    EXPECT_EQ(only([](ListFilter& f) { f.tag = "' or 1 --"; }), std::vector<TaskId>{});
}

TEST_P(StoreConformance, AnIdIsFoundByItsStartOrItsEnd) {
    run(*h, {submit(1), submit(2)});
    const std::string text = to_string(submit(2).id).substr(2);
    const auto reader = h->reader();
    EXPECT_EQ(reader->match(text, 9).value(), (std::vector{submit(2).id}));
    EXPECT_EQ(reader->match(text.substr(0, 10), 9).value().size(), 2u) << "the same moment of submit";
    EXPECT_EQ(reader->match(text.substr(23), 9).value(), (std::vector{submit(1).id, submit(2).id}));
    EXPECT_EQ(reader->match(text.substr(0, 10), 1).value().size(), 1u);
    EXPECT_TRUE(reader->match("ZZZZ", 9).value().empty());
    EXPECT_TRUE(reader->match("%", 9).value().empty());
}

TEST_P(StoreConformance, TheFeedHasEveryEntryOnceInCommitOrder) {
    run(*h, {submit(1), submit(2)});
    const ClaimedTask task = claim_one(*h);
    const Applied last = run(*h, {record(task, Complete{"1"}, {completed_step("a#1")})});
    FeedCursor cursor;
    std::vector<EntryKind> kinds;
    const auto reader = h->reader();
    while (true) {
        const auto page = reader->feed(cursor, 2).value();
        if (page.empty()) break;
        for (const auto& [entry, id] : page) {
            EXPECT_GT(entry.cursor, cursor);
            cursor = entry.cursor;
            kinds.push_back(entry.kind);
            EXPECT_EQ(id, entry.task == task.row.ref ? submit(1).id : submit(2).id);
        }
    }
    EXPECT_EQ(cursor, last.newest);
    EXPECT_EQ(kinds, (std::vector{EntryKind::submitted, EntryKind::submitted, EntryKind::claimed,
                                  EntryKind::step_completed, EntryKind::completed}));
}

TEST_P(StoreConformance, CountsAndQueuesAgreeWithTheTasks) {
    SetQueue limit;
    limit.concurrency = 3;
    limit.name = "empty";
    run(*h, {limit, submit(1), submit(2), submit(3), submit(4)});
    const Claimed claimed = ask<Claimed>(*h, claim(2)).value();
    ask<Recorded>(*h, record(claimed.tasks[0], Park{.reason = Reason::timer, .wake_at = {}, .wake_in = 1h})).value();
    ask<Operated>(*h, operate(submit(4).id, Operate::Verb::cancel)).value();
    const auto reader = h->reader();
    EXPECT_EQ(reader->counts().value(), (std::vector<std::int64_t>{1, 1, 1, 0, 0, 0, 1}));
    const std::vector<QueueStatus> queues = reader->queues().value();
    ASSERT_EQ(queues.size(), 2u);
    EXPECT_EQ(queues[0].name, "default");
    EXPECT_EQ(queues[0].running, 1);
    EXPECT_EQ(queues[0].pending, 1);
    EXPECT_EQ(queues[0].waiting, 1);
    EXPECT_EQ(queues[1].name, "empty");
    EXPECT_EQ(queues[1].concurrency, 3);
}

TEST_P(StoreConformance, AReaderSeesARunningTasksNewestEntry) {
    const ClaimedTask task = submit_and_claim(*h, submit(1));
    ask<Recorded>(*h, record(task, {}, {completed_step("a#1"), completed_step("b#1")})).value();
    const TaskRow row = h->reader()->get(task.row.id).value();
    EXPECT_EQ(row.last_no, 4);
    EXPECT_EQ(row.claimed_no, 2);
    EXPECT_EQ(row.fence, task.row.fence);
    EXPECT_EQ(row.lane, task.row.lane);
    EXPECT_EQ(row.input, task.row.input);
}

}  // namespace
}  // namespace pawl::test
