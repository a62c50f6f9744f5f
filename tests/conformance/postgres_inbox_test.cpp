// Submits in transactions of users: what the function answers, and that what was committed becomes a task, once.
#include "conformance/postgres_inbox.hpp"
#include "support/cut_proxy.hpp"

#include <set>

namespace pawl::test {
namespace {

using namespace store;

// ---- what becomes of it ------------------------------------------------------------------------------------------

TEST_F(PostgresInbox, WhatIsCommittedIsClaimedAsWhatAClientSubmits) {
    User u = user();
    Submit same = submit(1);
    same.input = R"({"n": 12345678901234567890, "nul": "\u0000"})";
    same.priority = 7;
    same.lane.queue = "q";
    same.lane.key = "flow";
    same.max_attempts = 3;
    same.queue_timeout = 1h;
    same.tags = {"a", "b"};
    client->run({same});
    u.exec("begin");
    const TaskId id = u.submitted("'mail', '" + same.input +
                                  "', queue => 'q', flow_key => 'flow', priority => 7, max_attempts => 3, "
                                  "queue_timeout => '1 hour', tags => '{b,a,b}'");
    auto w = worker();
    EXPECT_EQ(w->claim_some(5).size(), 1u) << "of an open transaction nothing is seen";
    u.exec("commit");
    const ClaimedTask task = claim_all(*w, 1).at(0);

    EXPECT_EQ(task.row.id, id);
    const TaskRow first = row(same.id), second = row(id);
    EXPECT_EQ(second.input, same.input);
    EXPECT_EQ(second.lane, first.lane);
    EXPECT_EQ(second.priority, first.priority);
    EXPECT_EQ(second.max_attempts, first.max_attempts);
    EXPECT_EQ(*second.queue_timeout, *first.queue_timeout);
    EXPECT_EQ(second.last_no, first.last_no);
    EXPECT_EQ(
        schema->value("select string_agg(tag, ',' order by tag) from tag where task = " + std::to_string(second.ref)),
        "a,b");
    w->run({record(task, Complete{"42"})});
    EXPECT_EQ(row(id).output, "42");
}

TEST_F(PostgresInbox, ARollbackLeavesNothing) {
    User u = user();
    u.exec("begin");
    const TaskId id = u.submitted("'mail', '1', key => 'k'");
    u.exec("rollback");
    EXPECT_EQ(open_postgres_reader(schema->url()).value()->get(id).error().code, Errc::not_found);
    u.exec("begin; savepoint s");
    EXPECT_NE(u.submitted("'mail', '2', key => 'k'"), id) << "its key is free";
    u.exec("rollback to s");
    const TaskId kept = u.submitted("'mail', '3', key => 'k'");
    u.exec("commit");
    auto w = worker();
    EXPECT_EQ(claim_all(*w, 1).at(0).row.id, kept);
    EXPECT_EQ(number("select count(*) from task"), 1);
}

TEST_F(PostgresInbox, TimesRunFromTheCall) {
    User u = user();
    const TaskId late = u.submitted("'mail', '1', queue_timeout => '1 microsecond'");
    const TaskId over = u.submitted("'mail', '1', deadline => clock_timestamp() + interval '50 milliseconds'");
    const TaskId later = u.submitted("'mail', '1', delay => '1 hour'");
    while (number("select count(*) from inbox where deadline < pawl_now()") == 0) {}
    EXPECT_EQ(row(later).reason, Reason::scheduled) << "nobody has taken it in, and people see when it starts";
    const Instant at = row(later).created;
    auto w = worker();
    take_all(*w);
    EXPECT_EQ(row(later).due, at + 1h);
    w->look_until([&](const Applied&) { return is_final(row(late).state) && is_final(row(over).state); });
    EXPECT_EQ(row(late).reason, Reason::expired);
    EXPECT_EQ(row(over).reason, Reason::deadline);
}

TEST_F(PostgresInbox, WhoIsToldOfItSeesItBeforeAWorkerDoes) {
    User u = user();
    client->run({submit(1)});
    const TaskId id = u.submitted("'mail', '[1]', queue => 'q', tags => '{t}'");
    const auto reader = open_postgres_reader(schema->url()).value();

    const TaskRow seen = reader->get(id).value();
    EXPECT_EQ(seen.state, TaskState::pending);
    EXPECT_EQ(seen.last_no, 0);
    EXPECT_EQ(seen.input, "[1]");
    EXPECT_EQ(reader->get(seen.ref).value().id, id);
    EXPECT_EQ(reader->tags(seen.ref).value(), std::vector<std::string>{"t"});
    EXPECT_EQ(reader->match(to_string(id).substr(2), 5).value(), std::vector<TaskId>{id});
    EXPECT_EQ(reader->list({}).value().size(), 2u);
    EXPECT_EQ(reader->list({}).value().at(0).id, id) << "the newest first";
    ListFilter tagged;
    tagged.tag = "t";
    EXPECT_EQ(reader->list(tagged).value().size(), 1u);
    tagged.states = {TaskState::running};
    EXPECT_TRUE(reader->list(tagged).value().empty());
    EXPECT_EQ(reader->counts().value().at(0), 2);
    EXPECT_EQ(reader->queues().value().size(), 2u);
    EXPECT_EQ(reader->journal(seen.ref, 0, 9).value().size(), 0u);
}

TEST_F(PostgresInbox, AVerbReachesItThoughNoWorkerIsThere) {
    User u = user();
    const TaskId id = u.submitted("'mail', '1'");
    const TaskId other = u.submitted("'mail', '2'");
    EXPECT_EQ(client->ask<Operated>(operate(id, Operate::Verb::cancel)).state, TaskState::cancelled);
    EXPECT_EQ(number("select count(*) from inbox"), 1) << "a client takes in what it is about";
    EXPECT_EQ(row(other).last_no, 0);
}

TEST_F(PostgresInbox, AWorkerThatWaitsIsCalled) {
    auto w = worker();
    User u = user();
    const TaskId id = u.submitted("'mail', '1'");
    w->look_until([&](const Applied&) { return row(id).last_no != 0; });
}

// The server keeps a plan that it made while the table was empty.
TEST_F(PostgresInbox, ManySubmitsInOneTransactionWalkNoTable) {
    SetQueue deep;
    deep.name = "deep";
    deep.depth_max = 1'000;
    client->run({deep});
    for (int n = 1; n < 100; ++n) client->run({submit(n)});
    User u = user();
    u.exec("vacuum analyze inbox");
    u.exec("begin");
    for (const std::string more : {"", ", key => 'k' || i", ", queue => 'deep'"})
        u.exec("do $$ begin for i in 1..100 loop perform pawl_submit('mail', '1'" + more + "); end loop; end $$");
    u.exec(R"(do $$ begin
                if (select sum(seq_tup_read) from pg_stat_xact_user_tables
                    where schemaname = current_schema() and relname in ('inbox', 'task', 'key')) > 0 then
                    raise exception 'a table was walked';
                end if;
              end $$)");
    // Of what is in a queue only: not all that was ever submitted.
    u.exec(R"(do $$ begin
                if (select idx_tup_fetch from pg_stat_xact_user_tables
                    where schemaname = current_schema() and relname = 'task') > 0 then
                    raise exception 'tasks of another queue were counted';
                end if;
              end $$)");
    u.exec("commit");
    EXPECT_EQ(number("select count(*) from inbox"), 300);
}

// Its numbers are older than those that workers have seen, and it has more than one look takes.
TEST_F(PostgresInbox, ALargeTransactionThatCommitsLateIsTakenInWithoutAPause) {
    constexpr int tasks = 500;
    auto w = worker();
    User late = user(), u = user();
    late.exec("begin");
    late.exec("do $$ begin for i in 1.." + std::to_string(tasks) +
              " loop perform pawl_submit('mail', '1'); end loop; " + "end $$");
    u.submitted("'mail', '2'");
    take_all(*w);
    // Until searches begin behind what was taken in.
    const std::int64_t began = number("select pawl_now()");
    while (number("select pawl_now()") < began + 2'500'000) w->run({Tick{}});
    late.exec("commit");
    int looks = 0, first_look = 0;
    for (std::int64_t left = tasks; left > 0 && !HasFailure(); left = number("select count(*) from inbox")) {
        ++looks;
        if (left == tasks) first_look = looks;
        w->run({Tick{}});
    }
    EXPECT_LE(looks - first_look, tasks / 64 + 1)
        << "no look after the first one comes back with less than it may take";
    EXPECT_EQ(number("select count(*) from task"), tasks + 1);
}

// ---- keys --------------------------------------------------------------------------------------------------------

TEST_F(PostgresInbox, OneKeyIsOneTaskWhereverItIsGiven) {
    User u = user();
    u.exec("begin");
    const TaskId id = u.submitted("'mail', '{\"a\": 1, \"b\": [true]}', key => 'k'");
    EXPECT_EQ(u.submitted("'mail', '{\"b\":[true],\"a\":1.0}', key => 'k'"), id) << "in its own transaction";
    EXPECT_NE(u.submitted("'mail', '{}', key => 'k', namespace => 'n'"), id) << "another namespace";
    u.exec("commit");
    EXPECT_EQ(u.submitted("'mail', '{\"b\":[true],\"a\":1e0}'::json, key => 'k'"), id) << "in the next one";
    EXPECT_EQ(u.refusal("'mail', '{\"a\":2}', key => 'k'"), "PW422");
    EXPECT_NE(u.said().find(to_string(id)), std::string::npos) << u.said();
    EXPECT_EQ(u.refusal("'mail', '{\"a\":1,\"b\":[true]}', key => 'k', on_existing => 'reject'"), "PW409");
    // A client finds it where it is.
    const Submitted found = client->ask<Submitted>(keyed("k", R"({"b":[true],"a":1})"));
    EXPECT_EQ(found.id, id);
    EXPECT_TRUE(found.replayed);
    EXPECT_EQ(refusal_of(client->run({keyed("k", "3", 2)}), 0), Errc::idempotency_key_reused);
    EXPECT_EQ(u.submitted("'mail', '{\"b\":[true],\"a\":1}', key => 'k'"), id) << "now that it is a task";
    EXPECT_EQ(u.refusal("'mail', '3', key => 'k'"), "PW422");
}

TEST_F(PostgresInbox, AClientsKeyIsFoundWhateverBecameOfItsTask) {
    Submit first = keyed("k", R"({"big": ")" + std::string(3'000, 'x') + "\"}");
    client->run({first});
    User u = user();
    const std::string same = "'mail', '{\"big\":\"" + std::string(3'000, 'x') + "\"}', key => 'k'";
    EXPECT_EQ(u.submitted(same), first.id) << "a long input stands in the journal";
    client->run({operate(first.id, Operate::Verb::cancel)});
    EXPECT_EQ(u.submitted(same), first.id) << "final, and its key lives on";
    schema->exec("update key set expires = 1");
    const TaskId second = u.submitted("'mail', '2', key => 'k'");
    EXPECT_NE(second, first.id) << "the key's life is over";
    EXPECT_EQ(client->ask<Submitted>(keyed("k", "2", 2)).id, second);
}

TEST_F(PostgresInbox, AClientMayReplaceWhatIsStillInTheInbox) {
    User u = user();
    const TaskId id = u.submitted("'mail', '1', key => 'k'");
    Submit other = keyed("k", "2");
    other.on_existing = OnExisting::replace;
    EXPECT_EQ(client->ask<Submitted>(other).id, other.id);
    EXPECT_EQ(row(id).state, TaskState::cancelled);
    EXPECT_EQ(u.submitted("'mail', '2', key => 'k'"), other.id);
}

TEST_F(PostgresInbox, TheSecondTransactionWithAKeyWaitsForTheFirst) {
    User first = user(), second = user();
    for (const std::string end : {"commit", "rollback"}) {
        const std::string submit = "'mail', '1', key => '" + end + "'";
        first.exec("begin");
        const TaskId id = first.submitted(submit);
        TaskId other;
        std::thread waits([&] { other = second.submitted(submit); });
        wait_until_blocked(second.pid());
        first.exec(end);
        waits.join();
        EXPECT_EQ(other == id, end == "commit");
    }
    User hasty(schema->url(), {{"lock_timeout", "10ms"}});
    first.exec("begin");
    first.submitted("'mail', '1', key => 'busy'");
    EXPECT_EQ(hasty.refusal("'mail', '1', key => 'busy'"), "55P03");
    first.exec("rollback");
}

// ---- what is refused ---------------------------------------------------------------------------------------------

TEST_F(PostgresInbox, BadInputIsRefusedAndNamed) {
    User u = user();
    const std::vector<std::pair<std::string, std::string>> all{
        {"'', '1'", "type is empty"},
        {"null, '1'", "type is empty"},
        {"'a b', '1'", "type \"a b\" is malformed"},
        {"repeat('x', 129), '1'", "is too long"},
        {"'mail', '1', queue => '-q'", "queue \"-q\" is malformed"},
        {"'mail', '1', namespace => E'n\\n'", "is malformed"},
        {"'mail', '1', key => ''", "key is empty"},
        {"'mail', '1', key => repeat('x', 256)", "key \"xxx"},
        {"'mail', '1', key => E'a\\x85'", ""},
        {"'mail', '1', key => U&'a\\0085'", "control character"},
        {"'mail', '1', flow_key => E'\\t'", "flow key has a control character"},
        {"'mail', '1', priority => 101", "priority 101"},
        {"'mail', '1', priority => null", "priority null"},
        {"'mail', '1', delay => '-1 second'", "delay of"},
        {"'mail', '1', delay => '10 years'", "delay of"},  // of 365.25 days each
        {"'mail', '1', delay => '3652 days 1 microsecond'", "delay of"},
        {"'mail', '1', queue_timeout => '0'", "queue_timeout of"},
        {"'mail', '1', deadline => now() - interval '1 second'", "deadline"},
        {"'mail', '1', deadline => 'infinity'", "deadline"},
        {"'mail', '1', max_attempts => 1001", "max_attempts 1001"},
        {"'mail', '1', max_attempts => 0", "max_attempts 0"},
        {"'mail', '1', tags => array(select 't' || n from generate_series(1, 33) as n)", "at most 32"},
        {"'mail', '1', tags => '{\"\"}'", "tag is empty"},
        {"'mail', '1', on_existing => 'x'", "on_existing"},
        {"'mail', null", "input is null"},
        {"'mail', 5", "integer"},
        {"'mail', ''", "not one JSON value"},
        {"'mail', '{} {}'", "not one JSON value"},
        {"'mail', '\"\\ud800\"'", "not one JSON value"},
        {"'mail', '{\"a\": {\"b\": 1, \"b\": 2}}'", "a key twice"},
        {"'mail', repeat('[', 65) || repeat(']', 65)", "deeper than 64"},
        {"'mail', repeat('[', 100000) || repeat(']', 100000)", "deep"},
        {"'mail', '[1e309]'", "largest double"},
        {"'mail', repeat('9', 249) || 'e99'", "largest double"},
        {"'mail', '-' || repeat('9', 230) || '.5E+0079'", "largest double"},
        {"'mail', '1.797693134862315807938e308'", "largest double"},  // half-way to what comes next
        {"'mail', '\"' || repeat('x', 1048575) || '\"'", "1 MiB"},
    };
    for (const auto& [arguments, words] : all) {
        EXPECT_NE(u.refusal(arguments), "") << arguments;
        EXPECT_NE(u.said().find(words), std::string::npos) << arguments << " says " << u.said();
    }
    EXPECT_EQ(u.refusal("'mail', '1', on_existing => 'replace'"), "0A000");
    EXPECT_EQ(number("select count(*) from inbox"), 0);
}

TEST_F(PostgresInbox, WhatAClientMaySubmitAUserMayAsWell) {
    User u = user();
    for (const std::string input : {"repeat('[', 64) || repeat(']', 64)", "'\"\\u0000\"'", "'-1.7976931348623157e308'",
                                    "'1.797693134862315807937e308'", "repeat('9', 200) || 'e99'", "'1e-400'",
                                    "'{\"a\":1,\"A\":2,\"b\":{\"a\":\":{\\\"a\\\":1}\"}}'", "to_jsonb(array['x'])",
                                    "'\"' || repeat('x', 1048574) || '\"'"})
        u.submitted("'mail', " + input + ", key => " + "md5(random()::text)");
    auto w = worker();
    take_all(*w);
    EXPECT_EQ(number("select count(*) from task where line = 1"), 9);
}

TEST_F(PostgresInbox, AFullQueueRefuses) {
    SetQueue set;
    set.depth_max = 2;
    client->run({set, submit(1)});
    User u = user();
    u.submitted("'mail', '1'");
    EXPECT_EQ(u.refusal("'mail', '1'"), "PW429");
    EXPECT_EQ(refusal_of(client->run({submit(2), submit(3)}), 1), Errc::queue_full);
}

TEST_F(PostgresInbox, ARoleNeedsTheFunctionAndNothingElse) {
    const std::string role = schema->name() + "_app";
    schema->exec("create role " + role + " login password 'x'");
    User u = user();
    schema->exec("grant usage on schema " + schema->name() + " to " + role);
    u.exec("set role " + role);
    EXPECT_EQ(u.refusal("'mail', '1'"), "42501") << "nobody was given it";
    u.exec("reset role");
    schema->exec("grant execute on function pawl_submit to " + role);
    u.exec("set role " + role);
    const TaskId id = u.submitted("'mail', '1', key => 'k', tags => '{t}', delay => '1 hour'");
    EXPECT_EQ(u.submitted("'mail', '1.0', key => 'k'"), id);
    u.exec("begin isolation level repeatable read");
    u.submitted("'mail', '1', key => 'other'");
    u.exec("commit");
    // What it makes itself is not called with the owner's rights.
    u.exec(
        "create function pg_temp.pawl_check_name(text, text) returns void language plpgsql as "
        "$$ begin raise exception 'mine'; end $$; create temp table inbox(id int)");
    u.submitted("'mail', '1'");
    u.exec("reset role");
    schema->exec("drop owned by " + role + "; drop role " + role);
    EXPECT_EQ(number("select count(*) from inbox"), 3);
}

// ---- workers -----------------------------------------------------------------------------------------------------

TEST_F(PostgresInbox, WorkersTakeEachInOnceThoughUsersAndClientsAreAtWork) {
    constexpr int tasks = 300, keys = 20;
    std::vector<std::unique_ptr<Member>> members;
    for (int i = 0; i < 3; ++i) members.push_back(member());
    std::atomic<bool> is_over{false};
    std::set<TaskId> ids;
    std::thread users([&] {
        User u = user();
        for (int n = 0; n < tasks; ++n) {
            u.exec("begin");
            ids.insert(u.submitted("'mail', '1'"));
            ids.insert(u.submitted("'mail', '1', key => 'k" + std::to_string(n % keys) + "'"));
            u.exec("commit");
        }
        is_over = true;
    });

    std::mutex mutex;
    std::set<TaskId> claimed, told;
    in_parallel(members, [&](Member& m, int i) {
        for (int n = 0; !HasFailure(); ++n) {
            if (is_over &&
                number("select (select count(*) from inbox) + (select count(*) from task where line = 1)") == 0)
                return;
            const auto some = m.claim_some(8);
            const Applied keyed_too =
                i == 0 ? m.run({keyed("k" + std::to_string(n % keys), "1", 1'000 + n)}) : Applied{};
            std::lock_guard lock(mutex);
            for (const ClaimedTask& task : some) EXPECT_TRUE(claimed.insert(task.row.id).second) << "claimed twice";
            for (const Reply& reply : keyed_too.replies)
                if (!reply.again) told.insert(std::get<Submitted>(*reply.answer).id);
        }
    });
    users.join();
    ids.merge(told);
    EXPECT_EQ(claimed, ids);
    EXPECT_EQ(ids.size(), tasks + keys) << "one for each key";
    EXPECT_EQ(number("select count(*) from task"), tasks + keys);
}

TEST_F(PostgresInbox, AConnectionThatIsCutLosesNoneAndDoublesNone) {
    using Cut = CutProxy::Cut;
    CutProxy proxy(std::stoi(parse_postgres_url(schema->url())->hosts.front().port));
    const std::string port = ":" + parse_postgres_url(schema->url())->hosts.front().port + "/";
    auto w = std::make_unique<Member>(schema->url_with(port, ":" + std::to_string(proxy.port()) + "/"));
    w->claim_some(0);
    User u = user();
    std::set<TaskId> ids;
    int cuts = 0;
    for (const Cut cut : {Cut::before_commit, Cut::during_commit, Cut::after_commit}) {
        for (int n = 0; n < 3; ++n) ids.insert(u.submitted("'mail', '1'"));
        proxy.arm(cut);
        take_all(*w);
        w->run({submit(++cuts)});  // where the cut has not come yet
        EXPECT_EQ(proxy.cuts(), cuts);
        ids.insert(submit(cuts).id);
    }
    std::set<TaskId> claimed;
    for (const ClaimedTask& task : claim_all(*w, static_cast<int>(ids.size()))) claimed.insert(task.row.id);
    EXPECT_EQ(claimed, ids);
    EXPECT_EQ(number("select count(*) from task"), std::ssize(ids));
}

}  // namespace
}  // namespace pawl::test
