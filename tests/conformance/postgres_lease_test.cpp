// Who lives and who is dead, in real time but with short lengths.
#include "conformance/postgres_members.hpp"
#include "store/postgres/connection.hpp"

namespace pawl::test {
namespace {

store::PostgresOptions lengths(Micros lease, Micros suspicion) {
    store::PostgresOptions options;
    options.lease_length = lease;
    options.suspicion = suspicion;
    return options;
}

class PostgresLease : public PostgresMany {
protected:
    // With a lease, which only those have that claim.
    std::unique_ptr<Member> worker(Micros lease, Micros suspicion, int tasks = 0) {
        auto m = member(lengths(lease, suspicion));
        for (int n = 0; n < tasks; ++n) m->run({submit(++submitted_)});
        EXPECT_EQ(static_cast<int>(m->claim_some(tasks + 1).size()), tasks);
        wait_for("select count(*) from worker where seen > registered and id = " + std::to_string(m->worker()));
        return m;
    }
    static void take_one(Member& m) {
        m.look_until([&](const Applied&) { return !m.claim_some(1).empty(); });
    }
    /// Until that count is not 0 any more.
    void wait_for(const std::string& query) {
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (number(query) == 0) ASSERT_LT(std::chrono::steady_clock::now(), give_up) << query;
    }
    std::int64_t taken_over() { return number("select count(*) from journal where kind = 6"); }
    bool is_living(const Member& m) {
        return number("select count(*) from worker where ended is null and id = " + std::to_string(m.worker())) == 1;
    }

private:
    int submitted_ = 0;
};

TEST_F(PostgresLease, ATaskOfAClosedSessionIsTakenOverAfterTheSuspicion) {
    auto next = worker(1h, 100ms), dead = worker(1h, 100ms, 1);
    dead->die();
    take_one(*next);
    EXPECT_EQ(taken_over(), 1);
}

TEST_F(PostgresLease, ATaskOfAWorkerThatStandsStillIsTakenOverAfterItsLease) {
    auto still = worker(500ms, 1h, 1), next = worker(500ms, 1h);
    take_one(*next);
    EXPECT_EQ(taken_over(), 1);
    const std::vector<Command> batch{Tick{}};
    EXPECT_EQ(still->store().apply(batch).error().code, Errc::store_unavailable);
}

TEST_F(PostgresLease, TwoOthersTakeOverEachTaskOnce) {
    auto one = worker(1h, 100ms), other = worker(1h, 100ms), dead = worker(1h, 100ms, 20);
    dead->die();
    take_one(*one);
    take_one(*other);
    EXPECT_EQ(taken_over(), 20);
}

TEST_F(PostgresLease, TheDeadOfAnotherSchemaAreNotOurs) {
    TestSchema elsewhere;
    Member namesake(elsewhere.url(), lengths(1h, 100ms));
    namesake.claim_some(1);
    wait_for("select count(*) from " + elsewhere.name() + ".worker where session is not null");
    auto living = worker(1h, 100ms, 1), watching = worker(1h, 100ms);
    ASSERT_EQ(namesake.worker(), living->worker());
    auto dead = worker(1h, 100ms, 1);
    namesake.die();
    dead->die();  // by the time that this has been seen, the other one would have been, too
    take_one(*watching);
    EXPECT_EQ(taken_over(), 1);
    EXPECT_TRUE(is_living(*living));
}

TEST_F(PostgresLease, AWorkerWhoseOldSessionLingersIsNotDeadWhenThatOneEnds) {
    store::PgConnection old;
    ASSERT_TRUE(old.open(store::parse_postgres_url(schema->url()).value(), 60s));
    ASSERT_TRUE(old.exec("select pg_advisory_lock(hashtext(current_schema()), 1)", 60s));
    auto living = worker(1h, 1s, 1), watching = worker(1h, 1s);
    ASSERT_EQ(living->worker(), 1);
    auto dead = worker(1h, 1s, 1);
    old.close();
    dead->die();
    take_one(*watching);
    EXPECT_EQ(taken_over(), 1);
    EXPECT_TRUE(is_living(*living));
}

// ---- outages -----------------------------------------------------------------------------------------------------

// A worker with nothing to do: it looks from time to time, whether the server is there or not.
class Looking {
public:
    explicit Looking(Member& m) : member_(m), thread_([this] { run(); }) {}
    ~Looking() {
        {
            std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        over_.notify_all();
        thread_.join();
    }
    int failures() const { return failures_; }
    const std::atomic<bool>& was_lost() const { return was_lost_; }

private:
    void run() {
        const std::vector<Command> batch{Tick{}};
        std::unique_lock lock(mutex_);
        while (!over_.wait_for(lock, 50ms, [this] { return is_over_; })) {
            const Result<Applied> applied = member_.store().apply(batch);
            if (applied) continue;
            ++failures_;
            if (!member_.store().keeps_batch()) was_lost_ = true;
        }
    }

    Member& member_;
    std::mutex mutex_;
    std::condition_variable over_;
    bool is_over_ = false;
    std::atomic<int> failures_{0};
    std::atomic<bool> was_lost_{false};
    std::thread thread_;
};

class PostgresOutage : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override { PAWL_NEEDS_POSTGRES(); }

    std::string value(const std::string& query) {
        store::PgConnection connection;
        std::string found;
        EXPECT_TRUE(connection.open(store::parse_postgres_url(cluster_.url()).value(), 60s));
        store::PgPipeline pipeline(connection);
        const std::string text = "select (" + query + ")::text";
        pipeline.add_text("value", text, [&](store::PgRows& rows) { found = rows.text(0, 0); });
        EXPECT_TRUE(pipeline.run(60s));
        return found;
    }
    /// Until both have renewed their leases since then.
    void wait_for_renewals(const std::string& since) {
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (value("select count(*) from worker where seen > " + since) != "2")
            ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "no sign of life";
    }

    TestCluster cluster_;
};

TEST_P(PostgresOutage, HandsNobodysTaskAway) {
    const Micros lease = 1s, suspicion = 200ms;
    Member one(cluster_.url(), lengths(lease, suspicion)), two(cluster_.url(), lengths(lease, suspicion));
    one.run({submit(1), submit(2)});
    const auto first = one.claim_some(1), second = two.claim_some(1);
    ASSERT_EQ(first.size(), 1u);
    ASSERT_EQ(second.size(), 1u);
    {
        Looking looks_one(one), looks_two(two);
        wait_for_renewals("0");
        ASSERT_TRUE(cluster_.stop(GetParam()));
        // Each failure is several attempts: longer than a lease.
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (looks_one.failures() < 5 || looks_two.failures() < 5) {
            ASSERT_LT(std::chrono::steady_clock::now(), give_up);
            std::this_thread::yield();
        }
        ASSERT_TRUE(cluster_.start());
        // Long enough that a lease which counted from before the outage would have ended.
        for (int n = 0; n < 4; ++n) wait_for_renewals(value("pawl.pawl_now()"));
        EXPECT_FALSE(looks_one.was_lost());
        EXPECT_FALSE(looks_two.was_lost());
    }
    EXPECT_EQ(value("select count(*) from pawl.journal where kind = 6"), "0");
    EXPECT_EQ(one.ask<Recorded>(record(first[0], Complete{"1"})).state, TaskState::completed);
    EXPECT_EQ(two.ask<Recorded>(record(second[0], Complete{"2"})).state, TaskState::completed);
}

INSTANTIATE_TEST_SUITE_P(Modes, PostgresOutage, testing::Values("fast", "immediate"));

}  // namespace
}  // namespace pawl::test
