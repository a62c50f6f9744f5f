// The engine on real threads: the blocking pool, clients, the store's thread.
#include "runtime/holder_fixture.hpp"

#include "runtime/attempt.hpp"

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

TEST_F(ThreadsTest, WhoWaitsForAnIdleMomentIsToldOfItOrOfTheEnd) {
    serve("squares", squares);
    serve("sum", sums_a_local, &meeting);
    start();
    submit("squares", "3");
    backend->wait_until_idle({});
    const std::string id = submit("sum", "7");
    meeting.begun.pass();
    std::vector<std::future<void>> waiting;
    for (int i = 0; i < 3; i++)
        waiting.push_back(std::async(std::launch::async, [&] { backend->wait_until_idle({}); }));

    backend->close();
    for (auto& w : waiting) w.wait();
    backend->wait_until_idle({});

    meeting.go_on.open();
    close();
    EXPECT_EQ(meeting.returned, 1) << "it was not idle all that time";
}

Workflow<int> squares_at_once(Context& ctx, int n) {
    const int squared = co_await ctx.step("square", square, n);
    co_return squared;
}

TEST_F(ThreadsTest, EachWhoWaitsForAnIdleMomentIsToldOfOne) {
    serve("squares", squares_at_once);
    start();
    std::vector<std::future<bool>> waiting;
    for (int n = 0; n < 4; n++)
        waiting.push_back(std::async(std::launch::async, [&, n] {
            const std::string id = submit("squares", std::to_string(n));
            backend->wait_until_idle({});
            return backend->wait(id, Duration{0}).has_value();
        }));
    for (auto& w : waiting) EXPECT_TRUE(w.get()) << "its own task was done by then";
}

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
    parts.open_store = [this](const std::function<void()>&) { return store::open_sqlite(file(), clock); };
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
