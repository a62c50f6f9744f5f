// The engine on real threads: the blocking pool, clients, the store's thread.
#include "runtime/holder_fixture.hpp"

#include "runtime/attempt.hpp"
#include "runtime/idle.hpp"
#include "support/store_over.hpp"

#include <pthread.h>

#include <numeric>
#include <set>
#include <thread>

namespace pawl::testing {
namespace {

using detail::TaskVerb;

class ThreadsTest : public HolderTest {
protected:
    Meeting meeting;
};

// ---- frames live until their functions have returned -------------------------------------------------------------

Workflow<std::int64_t> sums_a_local(Context& ctx, int n, Meeting* meeting) {
    std::vector<int> numbers(1'000, n);
    const std::int64_t sum = co_await ctx.step("sum", [&](const Attempt&) {
        meeting->executions++;
        meeting->begun.open();
        meeting->go_on.pass();
        meeting->seen = std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
        meeting->returned++;
        return meeting->seen.load();
    });
    co_return sum;
}

TEST_F(ThreadsTest, AKilledTasksFrameLivesUntilItsBlockingStepHasReturned) {
    serve("sum", sums_a_local, &meeting);
    start();
    const std::string id = submit("sum", "7");
    meeting.begun.pass();

    ASSERT_TRUE(backend->operate(id, TaskVerb::kill));
    const auto ended = wait(id);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Errc::task_cancelled);
    EXPECT_EQ(meeting.returned, 0) << "the task is final without it";

    meeting.go_on.open();
    close();
    EXPECT_EQ(meeting.returned, 1);
    EXPECT_EQ(meeting.seen, 7'000) << "it read a local of the coroutine";
}

TEST_F(ThreadsTest, ACancelledTasksFrameLivesUntilItsBlockingStepHasReturned) {
    serve("sum", sums_a_local, &meeting);
    start();
    const std::string id = submit("sum", "7");
    meeting.begun.pass();

    ASSERT_TRUE(backend->operate(id, TaskVerb::cancel));
    EXPECT_FALSE(wait(id));

    meeting.go_on.open();
    close();
    EXPECT_EQ(meeting.seen, 7'000);
}

TEST_F(ThreadsTest, ADrainWithADeafStepHandsItsTaskBackAndTheNextProcessCompletesIt) {
    serve("sum", sums_a_local, &meeting);
    start();
    const std::string id = submit("sum", "7");
    meeting.begun.pass();

    drain();
    holder->close_store();
    EXPECT_EQ(meeting.returned, 0);
    meeting.go_on.open();
    close();
    EXPECT_EQ(meeting.seen, 7'000);

    start();
    EXPECT_EQ(wait(id).value(), "7000");
    EXPECT_EQ(meeting.executions, 2);
}

Workflow<int> heeds_its_stop(Context& ctx, int, Meeting* meeting) {
    std::vector<int> numbers(1'000, 1);
    co_return co_await ctx.step("work", [&](const Attempt& attempt) -> int {
        meeting->executions++;
        meeting->begun.open();
        while (!attempt.stop_requested()) std::this_thread::yield();
        meeting->seen = std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
        throw retryable("stopped");
    });
}

TEST_F(ThreadsTest, AStepHearsThatItsTaskWasCancelled) {
    options.engine.stop_grace = std::chrono::hours(1);
    serve("heeds", heeds_its_stop, &meeting);
    start();
    const std::string id = submit("heeds", "0");
    meeting.begun.pass();

    ASSERT_TRUE(backend->operate(id, TaskVerb::cancel));

    EXPECT_FALSE(wait(id));
    EXPECT_EQ(meeting.seen, 1'000);
    EXPECT_EQ(meeting.executions, 1);
}

Workflow<int> times_out(Context& ctx, int, Meeting* meeting) {
    std::vector<int> numbers(1'000, 1);
    co_return co_await ctx
        .step("work",
              [&](const Attempt& attempt) -> int {
                  if (attempt.number() == 2) return 2;
                  while (!attempt.stop_requested()) std::this_thread::yield();
                  meeting->seen = std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
                  return 1;
              })
        .timeout(1ms)
        .retry(Retry().attempts(2).delay(1ms));
}

TEST_F(ThreadsTest, AResultAfterTheTimeoutIsRefusedAndTheNextAttemptCounts) {
    serve("late", times_out, &meeting);
    start();

    const auto ended = wait(submit("late", "0"));

    // A busy machine may stop either attempt before it has begun; the first one's result never counts.
    EXPECT_FALSE(ended && *ended == "1");
}

Workflow<int> two_branches(Context& ctx, int, Meeting* meeting) {
    std::vector<int> numbers(1'000, 1);
    auto fails = ctx.step("fails", [&]() -> int {
        meeting->begun.pass();
        throw final_error("out of stock");
    });
    auto works = ctx.step("works", [&](const Attempt& attempt) -> int {
        meeting->begun.open();
        while (!attempt.stop_requested()) std::this_thread::yield();
        meeting->seen = std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
        throw retryable("stopped");
    });
    auto both = ctx.all(std::move(fails), std::move(works));
    co_await std::move(both);
    co_return 0;
}

TEST_F(ThreadsTest, AFailedBranchStopsItsSiblingAndWaitsForIt) {
    serve("two", two_branches, &meeting);
    start();

    const auto ended = wait(submit("two", "0"));

    ASSERT_FALSE(ended);
    EXPECT_NE(ended.error().message.find("out of stock"), std::string::npos);
    EXPECT_EQ(meeting.seen, 1'000);
}

// ---- intents -----------------------------------------------------------------------------------------------------

Workflow<bool> begins_itself(Context& ctx, int, std::function<bool(const Attempt&)>* f) {
    detail::StepOptions step_options;
    step_options.effect = Effect::once;
    step_options.intent_by_step = true;
    co_return co_await ctx.step("work", [&](const Attempt& attempt) { return (*f)(attempt); }).with(step_options);
}

TEST_F(ThreadsTest, BeginEffectReturnsOnceTheIntentIsInTheFile) {
    std::string id;
    Gate submitted;
    bool durable = false;
    std::function<bool(const Attempt&)> f = [&](const Attempt& attempt) {
        const bool begun = detail::begin_effect(attempt, R"({"pid":7})");
        submitted.pass();
        for (const core::Entry& entry : journal(id)) durable |= entry.kind == core::EntryKind::step_started;
        return begun;
    };
    serve("begins", begins_itself, &f);
    start();

    id = submit("begins", "0");
    submitted.open();

    EXPECT_EQ(wait(id).value(), "true");
    EXPECT_TRUE(durable);
}

TEST_F(ThreadsTest, BeginEffectIsRefusedAfterAKill) {
    std::promise<bool> begun;
    auto heard = begun.get_future();
    std::function<bool(const Attempt&)> f = [&](const Attempt& attempt) {
        meeting.begun.open();
        while (!attempt.stop_requested()) std::this_thread::yield();
        begun.set_value(detail::begin_effect(attempt, "{}"));
        return true;
    };
    serve("begins", begins_itself, &f);
    start();
    const std::string id = submit("begins", "0");
    meeting.begun.pass();

    ASSERT_TRUE(backend->operate(id, TaskVerb::kill));

    EXPECT_FALSE(heard.get());
    EXPECT_FALSE(wait(id));
}

// ---- clients -----------------------------------------------------------------------------------------------------

int square(int n) { return n * n; }
Workflow<int> squares(Context& ctx, int n) {
    const int pooled = co_await ctx.step("pool", square, n);
    const int looped = co_await ctx.step("loop", square, n).on_loop();
    co_await ctx.sleep(1ms);
    co_return pooled == looped ? pooled : -1;
}

TEST_F(ThreadsTest, TasksOfManyClientsComplete) {
    serve("squares", squares);
    start();
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    for (int c = 0; c < 4; c++)
        clients.emplace_back([&, c] {
            std::vector<std::string> ids;
            for (int i = 0; i < 25; i++) ids.push_back(submit("squares", std::to_string(100 * c + i)));
            for (int i = 0; i < 25; i++)
                good += wait(ids[static_cast<std::size_t>(i)]).value() == std::to_string(square(100 * c + i)) ? 1 : 0;
        });
    for (std::thread& client : clients) client.join();

    EXPECT_EQ(good, 100);
}

TEST_F(ThreadsTest, ParallelSubmitsWithOneKeyMakeOneTask) {
    serve("squares", squares);
    start();
    std::mutex mutex;
    std::set<std::string> ids;
    std::atomic<int> made{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 8; c++)
        clients.emplace_back([&] {
            for (int i = 0; i < 25; i++) {
                const auto answer = backend->submit("squares", "3", SubmitOptions().key("the one")).value();
                made += answer.replayed ? 0 : 1;
                std::lock_guard lock(mutex);
                ids.insert(answer.id);
            }
        });
    for (std::thread& client : clients) client.join();

    EXPECT_EQ(ids.size(), 1u);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(wait(*ids.begin()).value(), "9");
}

// ---- idle --------------------------------------------------------------------------------------------------------

Workflow<int> fails_first(Context& ctx, int, Meeting* meeting) {
    auto step = ctx.step("work", [&](const Attempt& attempt) {
        if (attempt.number() < 3) throw retryable("busy");
        return static_cast<int>(++meeting->executions);
    });
    co_return co_await std::move(step).retry(Retry().delay(5ms));
}
Workflow<int> sleeps_long(Context& ctx, int) {
    co_await ctx.sleep(std::chrono::hours(1));
    co_return 0;
}

class IdleTest : public ThreadsTest {
protected:
    void wait_until_idle(const std::vector<std::string>& queues = {}) {
        std::promise<void> idle;
        holder->loop().post([&] { runtime::when_idle(*holder, registry, queues, [&] { idle.set_value(); }); });
        idle.get_future().wait();
    }
};

Workflow<int> naps(Context& ctx, int) {
    co_await ctx.sleep(1ms);
    co_return 0;
}

TEST_F(IdleTest, WhatWakesAtTheLastMomentIsNotLeftPending) {
    serve("naps", naps);
    start();
    for (int i = 0; i < 50; i++) {
        const std::string id = submit("naps", "0");
        wait_until_idle();
        EXPECT_NE(backend->status(id)->state, TaskState::running);
        EXPECT_NE(backend->status(id)->state, TaskState::pending);
        holder->resume_claims();
        EXPECT_EQ(wait(id).value(), "0");
    }
}

TEST_F(IdleTest, WhatIsPendingInAPausedQueueIsNotWaitedFor) {
    serve("naps", naps);
    start();
    core::SetQueue pause;
    pause.name = "q";
    pause.paused = true;
    ASSERT_TRUE(holder->call(pause));
    const std::string left = submit("naps", "0", SubmitOptions().queue("q"));

    wait_until_idle();

    EXPECT_EQ(backend->status(left)->state, TaskState::pending);
    pause.paused = false;
    ASSERT_TRUE(holder->call(pause));
    holder->resume_claims();
    EXPECT_EQ(wait(left).value(), "0");
}

TEST_F(IdleTest, IdleMeansThatBackoffsAndDelaysAreOverAndLeavesWhatWaits) {
    serve("flaky", fails_first, &meeting);
    serve("sleeps", sleeps_long);
    start();
    const std::string waiting = submit("sleeps", "0");
    const std::string flaky = submit("flaky", "0");
    const std::string delayed = submit("flaky", "0", SubmitOptions().delay(10ms));
    const std::string unserved = submit("nobody_serves_this", "0");

    wait_until_idle();

    EXPECT_EQ(backend->status(flaky)->state, TaskState::completed);
    EXPECT_EQ(backend->status(delayed)->state, TaskState::completed);
    EXPECT_EQ(backend->status(waiting)->state, TaskState::waiting);
    EXPECT_EQ(backend->status(unserved)->state, TaskState::pending);
}

TEST_F(IdleTest, ATaskOfItsQueuesIsNotOverlookedBehindManyNewerOnesOfOtherQueues) {
    serve("flaky", fails_first, &meeting);
    start();
    const std::string ours = submit("flaky", "0", SubmitOptions().queue("a").delay(300ms));
    for (int i = 0; i < 101; i++) submit("flaky", "0", SubmitOptions().queue("b").delay(std::chrono::hours(1)));

    wait_until_idle({"a"});

    EXPECT_EQ(backend->status(ours)->state, TaskState::completed);
}

TEST_F(IdleTest, ATaskLeftToANewerVersionKeepsNobodyBusy) {
    serve("sleeps", sleeps_long);
    {
        auto store = store::open_sqlite(file(), clock).value();
        core::Submit task;
        task.id = core::make_task_id(clock.wall(), 0, 1, 1);
        task.lane.type = "sleeps";
        task.input = "0";
        core::Claim claim;
        claim.types = {{"sleeps", 1, 1}};
        const std::vector<core::Command> begin{task, claim};
        const core::Applied begun = store->apply(begin).value();
        const auto& claimed = std::get<core::Claimed>(*begun.replies.at(1).answer).tasks.at(0);
        core::Record record;
        record.task = claimed.row.ref;
        record.fence = claimed.row.fence;
        record.next = core::HandBack{core::journal_format_max + 1};
        const std::vector<core::Command> end{record};
        ASSERT_TRUE(store->apply(end).value().replies.at(0).answer);
        ASSERT_TRUE(store->close());
    }
    start();

    wait_until_idle();

    EXPECT_EQ(holder->engine().held(), 0u);
}

TEST_F(IdleTest, AnEmptyStoreIsIdleAtOnce) {
    serve("sleeps", sleeps_long);
    start();

    wait_until_idle();

    EXPECT_EQ(holder->engine().held(), 0u);
}

// ---- a store that is lost ----------------------------------------------------------------------------------------

// Works until that many submits are in; the next one is lost.
class LostStore final : public StoreOver {
public:
    explicit LostStore(std::unique_ptr<core::Store> store, int submits = 0)
        : StoreOver(std::move(store)), submits_(submits) {}
    Result<core::Applied> apply(std::span<const core::Command> batch) override {
        for (const core::Command& command : batch)
            if (std::holds_alternative<core::Submit>(command)) submits_--;
        if (submits_ < 0) return Error{Errc::store_unavailable, "the disk is gone"};
        return StoreOver::apply(batch);
    }

private:
    int submits_;
};

TEST_F(ThreadsTest, AfterALostStoreWorkGoesOnWithTheNextOne) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        auto store = store::open_sqlite(file(), clock);
        if (!store || ++openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store)));
    };
    serve("squares", squares);
    start();

    const auto lost = backend->submit("squares", "3", SubmitOptions().key("k"));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Errc::store_unavailable);

    EXPECT_EQ(wait(submit("squares", "3", SubmitOptions().key("k"))).value(), "9");
    EXPECT_EQ(openings, 2);
}

TEST_F(ThreadsTest, AStoreThatIsLostForGoodIsToldAndNoClientWaitsForEver) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_corrupt, "the file is damaged"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();
    std::promise<Errc> told;
    holder->loop().post([&] { holder->on_fatal([&](const Error& error) { told.set_value(error.code); }); });

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions()));
    EXPECT_EQ(told.get_future().get(), Errc::store_corrupt);

    const auto late = backend->submit("squares", "3", SubmitOptions());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::store_unavailable);
}

TEST_F(ThreadsTest, AStoreThatAnotherProgramLocksForAWhileIsOpenedOnceItIsFree) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings == 2) return Error{Errc::store_locked, "another program uses the file"};
        auto store = store::open_sqlite(file(), clock);
        if (!store || openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store)));
    };
    serve("squares", squares);
    start();

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions().key("k")));

    Result<detail::Backend::Submitted> again = Error{};
    do again = backend->submit("squares", "3", SubmitOptions().key("k"));
    while (!again);
    EXPECT_EQ(wait(again->id).value(), "9");
    EXPECT_EQ(openings, 3);
}

// No space for what a worker records, from the moment that the flag is set.
class FullStore final : public StoreOver {
public:
    FullStore(std::unique_ptr<core::Store> store, const std::atomic<bool>& full)
        : StoreOver(std::move(store)), full_(full) {}
    Result<core::Applied> apply(std::span<const core::Command> batch) override {
        for (const core::Command& command : batch)
            if (full_ && std::holds_alternative<core::Record>(command)) return Error{Errc::disk_full, "no space"};
        return StoreOver::apply(batch);
    }

private:
    const std::atomic<bool>& full_;
};

TEST_F(ThreadsTest, WhatCouldNotBeRecordedUntilTheEndIsCounted) {
    std::atomic<bool> full = false;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        return std::unique_ptr<core::Store>(
            std::make_unique<FullStore>(store::open_sqlite(file(), clock).value(), full));
    };
    options.engine.stop_grace = 10ms;
    options.engine.hard_stop = 10ms;
    serve("sum", sums_a_local, &meeting);
    start();
    const std::string id = submit("sum", "7");
    meeting.begun.pass();
    full = true;
    meeting.go_on.open();
    while (meeting.returned == 0) std::this_thread::yield();

    drain();

    EXPECT_EQ(holder->close_store(), 1u);
    close();
}

TEST_F(ThreadsTest, ClientsThatOutliveTheirWorkerAreTold) {
    serve("sleeps", sleeps_long);
    start();
    const std::string id = submit("sleeps", "0");
    auto ended = std::async(std::launch::async, [&] { return wait(id); });
    while (!backend->status(id) || backend->status(id)->state != TaskState::waiting) std::this_thread::yield();

    backend->close();

    EXPECT_EQ(ended.get().error().code, Errc::store_unavailable);
    holder.reset();
    EXPECT_EQ(wait(id).error().code, Errc::store_unavailable);
    EXPECT_EQ(backend->submit("sleeps", "0", SubmitOptions()).error().code, Errc::store_unavailable);
    EXPECT_EQ(backend->submit_many("sleeps", {"0", "1"}, SubmitOptions()).at(1).error().code, Errc::store_unavailable);
    EXPECT_EQ(backend->status(id).error().code, Errc::store_unavailable);
    EXPECT_EQ(backend->operate(id, TaskVerb::cancel).error().code, Errc::store_unavailable);
    EXPECT_NE(backend->why(id).find("closed"), std::string::npos);
}

// A page that no claim can be read over: it opens, and each batch fails.
class DamagedStore final : public StoreOver {
public:
    using StoreOver::StoreOver;
    Result<core::Applied> apply(std::span<const core::Command>) override {
        return Error{Errc::store_corrupt, "database disk image is malformed"};
    }
};

TEST_F(ThreadsTest, AStoreThatIsDamagedAgainAfterItWasOpenedAnewIsLostForGood) {
    std::atomic<int> openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        openings++;
        return std::unique_ptr<core::Store>(std::make_unique<DamagedStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();
    std::promise<Errc> told;
    holder->loop().post([&] { holder->on_fatal([&](const Error& error) { told.set_value(error.code); }); });

    EXPECT_EQ(told.get_future().get(), Errc::store_corrupt);

    EXPECT_EQ(openings, 2);
    EXPECT_EQ(backend->submit("squares", "3", SubmitOptions()).error().code, Errc::store_unavailable);
}

TEST_F(ThreadsTest, WhoWaitsForATaskWaitsOnWhenItsStoreWasOpenedAnew) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        auto store = store::open_sqlite(file(), clock);
        if (!store || ++openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store), 1));
    };
    serve("sleeps", sleeps_long);
    start();
    const std::string id = submit("sleeps", "0");
    auto ended = std::async(std::launch::async, [&] { return wait(id); });

    EXPECT_FALSE(backend->submit("sleeps", "0", SubmitOptions()));
    const std::string after = submit("sleeps", "0");
    EXPECT_EQ(backend->wait(after, 1ms).error().code, Errc::timed_out);
    EXPECT_TRUE(backend->operate(id, TaskVerb::cancel));

    EXPECT_EQ(ended.get().error().code, Errc::task_cancelled);
}

TEST_F(ThreadsTest, WhoWaitsHearsThatTheStoreIsLostForGood) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_corrupt, "the file is damaged"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value(), 1));
    };
    serve("squares", squares);
    start();
    const std::string id = submit("squares", "3", SubmitOptions().delay(std::chrono::hours(1)));
    auto ended = std::async(std::launch::async, [&] { return wait(id); });
    std::promise<void> idle;
    holder->loop().post([&] { runtime::when_idle(*holder, registry, {}, [&] { idle.set_value(); }); });

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions()));

    const auto told = ended.get();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Errc::store_unavailable);
    EXPECT_NE(told.error().message.find("the file is damaged"), std::string::npos);
    idle.get_future().wait();
    EXPECT_EQ(wait(id).error().code, Errc::store_unavailable) << "and who comes later";
}

TEST_F(ThreadsTest, WhatIsQueuedWhileTheStoreIsLostIsAnsweredAtTheEnd) {
    std::atomic<int> openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_unavailable, "the disk does not answer"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();

    // Until one is queued while the store's thread waits for its next try; the others are answered by such a try.
    std::future<bool> late;
    const auto is_answered = [&] { return late.wait_for(0s) == std::future_status::ready; };
    do {
        late = std::async(std::launch::async,
                          [&] { return backend->submit("squares", "3", SubmitOptions()).has_value(); });
        while (!holder->batcher().has_work() && !is_answered()) std::this_thread::yield();
    } while (is_answered() || openings < 3);
    holder->close_store();

    EXPECT_FALSE(late.get());
}

class NeglectedStore final : public StoreOver {
public:
    NeglectedStore(std::unique_ptr<core::Store> store, std::atomic<int>& tries)
        : StoreOver(std::move(store)), tries_(tries) {}
    bool wants_upkeep() const override { return true; }
    Result<void> upkeep() override {
        tries_++;
        return Error{Errc::disk_full, "checkpoint: no space left"};
    }

private:
    std::atomic<int>& tries_;
};

TEST_F(ThreadsTest, UpkeepThatFailsCostsNobodyTheStore) {
    std::atomic<int> openings = 0, tries = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        openings++;
        return std::unique_ptr<core::Store>(
            std::make_unique<NeglectedStore>(store::open_sqlite(file(), clock).value(), tries));
    };
    serve("squares", squares);
    start();

    for (int n = 0; n < 20; n++) {
        auto ended = backend->submit("squares", std::to_string(n), SubmitOptions());
        ASSERT_TRUE(ended) << ended.error().message;
        EXPECT_EQ(wait(ended->id).value(), std::to_string(n * n));
    }
    close();

    EXPECT_GE(tries, 1);
    EXPECT_EQ(openings, 1);
}

// ---- a system that gives no threads ------------------------------------------------------------------------------

class NoMoreThreads {
public:
    NoMoreThreads() {
        pthread_getattr_default_np(&former_);
        pthread_attr_t attributes;
        pthread_getattr_default_np(&attributes);
        pthread_attr_setstacksize(&attributes, std::size_t{1} << 47);  // more than there are addresses
        pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
    ~NoMoreThreads() {
        pthread_setattr_default_np(&former_);
        pthread_attr_destroy(&former_);
    }

private:
    pthread_attr_t former_;
};

TEST(ThreadPool, WithoutFurtherThreadsWhatIsToRunWaitsForTheFirst) {
    spdlog::set_level(spdlog::level::off);
    runtime::ThreadPool pool(8);
    std::atomic<int> ran = 0;
    Gate all;
    const NoMoreThreads no_more_threads;
    EXPECT_THROW(std::thread([] {}).join(), std::system_error);

    for (int i = 0; i < 20; i++)
        pool.run([&] {
            if (++ran == 20) all.open();
        });

    all.pass();
    EXPECT_EQ(ran, 20);
}

TEST_F(ThreadsTest, WithoutAnyThreadTheEngineSaysSo) {
    const NoMoreThreads no_more_threads;
    runtime::HolderParts parts;
    parts.open_store = [this] { return store::open_sqlite(file(), clock); };
    parts.open_reader = [this] { return store::open_sqlite_reader(file()); };

    const auto opened = runtime::Holder::open(std::move(parts), registry, options);

    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::store_unavailable);
    EXPECT_NE(opened.error().message.find("threads"), std::string::npos);
}

TEST_F(ThreadsTest, AFunctionThatWaitsForItsIntentDoesNotHoldUpTheEnd) {
    std::promise<bool> begun;
    std::function<bool(const Attempt&)> f = [&](const Attempt& attempt) {
        meeting.begun.open();
        meeting.go_on.pass();
        begun.set_value(detail::begin_effect(attempt, "{}"));
        return true;
    };
    serve("begins", begins_itself, &f);
    start();
    submit("begins", "0");
    meeting.begun.pass();

    holder->close_store();  // nobody answers any more
    meeting.go_on.open();
    close();

    EXPECT_FALSE(begun.get_future().get());
}

}  // namespace
}  // namespace pawl::testing
