// Which task a worker takes next, and how many at once.
#include "runtime/engine_fixture.hpp"

namespace pawl::testing {
namespace {

class QueueTest : public EngineTest {
protected:
    QueueTest() : EngineTest(options()) {}
    static SimOptions options() {
        SimOptions o;
        o.engine.concurrency = 1;
        return o;
    }
    void set_queue(const std::string& name, std::optional<int> concurrency, std::optional<bool> paused = {}) {
        core::SetQueue set;
        set.name = name;
        set.concurrency = concurrency;
        set.paused = paused;
        ASSERT_TRUE(world.call(std::move(set)));
    }
    void run_all(const std::vector<core::TaskId>& ids) {
        for (const auto& id : ids) until_state(id, TaskState::completed);
    }
};

Workflow<int> named(Context& ctx, std::string name, Stage* stage) {
    StageStep step = step_of(ctx, stage, name);
    co_await std::move(step);
    co_return 0;
}

class BusyWorkerTest : public QueueTest {
protected:
    /// The worker is busy for `length`, so that what is submitted meanwhile has to wait.
    void be_busy(Micros length) {
        stage.on("busy", [this, length](const Attempt& attempt) -> std::string {
            stage.work(attempt, length);
            return "done";
        });
        stage.options.timeout = std::chrono::hours(100);
        world.serve("named", named, &stage);
        world.start();
        busy = world.submit("named", R"("busy")");
        until_executions(1);
    }
    core::TaskId submit(const std::string& name, int priority) {
        return world.submit("named", '"' + name + '"', SubmitOptions().priority(priority));
    }
    std::vector<std::string> order_after_busy() {
        auto order = stage.order();
        order.erase(order.begin());
        return order;
    }
    core::TaskId busy;
};

TEST_F(BusyWorkerTest, AHigherPriorityGoesFirstAndEqualOnesInTheOrderOfTheirSubmit) {
    be_busy(10s);
    const std::vector ids{submit("low", -5), submit("first", 0), submit("second", 0), submit("high", 7)};

    run_all(ids);

    EXPECT_EQ(order_after_busy(), (std::vector<std::string>{"high", "first", "second", "low"}));
}

TEST_F(BusyWorkerTest, ALowPriorityAgesByAMinuteALevelAndNeverStarves) {
    be_busy(1h);
    const auto old = submit("old and low", -10);
    world.advance(9min);
    const auto younger = submit("9 minutes younger", 0);
    world.advance(2min);
    const auto youngest = submit("11 minutes younger", 0);

    run_all({old, younger, youngest});

    EXPECT_EQ(order_after_busy(), (std::vector<std::string>{"9 minutes younger", "old and low", "11 minutes younger"}));
}

TEST_F(BusyWorkerTest, AWokenTaskGoesAheadOfNewerWork) {
    stage.on("twice", [](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) throw retryable("busy");
        return "done";
    });
    stage.options.retry = Retry().delay(20s).jitter(0);
    be_busy(10s);
    const auto twice = submit("twice", 0);
    until([&] { return stage.count("twice") == 1; });
    stage.on("long", [this](const Attempt& attempt) -> std::string {
        stage.work(attempt, 60s);
        return "done";
    });
    const auto blocker = submit("long", 0);
    until([&] { return stage.count("long") == 1; });
    const auto newer = submit("newer", 0);

    run_all({twice, blocker, newer});

    EXPECT_EQ(order_after_busy(), (std::vector<std::string>{"twice", "long", "twice", "newer"}));
}

TEST_F(BusyWorkerTest, AWorkerNeverHoldsMoreThanItsConcurrency) {
    be_busy(10s);
    const auto waiting = submit("later", 0);
    world.advance(5s);

    EXPECT_EQ(row(waiting).state, TaskState::pending) << "not claimed ahead of time";
    EXPECT_EQ(world.process().engine().held(), 1u);
    run_all({waiting});
}

class WideWorkerTest : public QueueTest {
protected:
    WideWorkerTest() {
        world.options.engine.concurrency = 16;
        stage.on("work", [this](const Attempt& attempt) -> std::string {
            running_++;
            most_ = std::max(most_, running_);
            stage.work(attempt, 5s);
            running_--;
            return "done";
        });
        world.serve("named", named, &stage);
        world.start();
    }
    std::vector<core::TaskId> submit(int n, const std::string& queue) {
        std::vector<core::TaskId> ids;
        for (int i = 0; i < n; i++) ids.push_back(world.submit("named", R"("work")", SubmitOptions().queue(queue)));
        return ids;
    }
    int running_ = 0, most_ = 0;
};

TEST_F(WideWorkerTest, AQueueRunsAtMostItsConcurrency) {
    set_queue("narrow", 3);

    run_all(submit(10, "narrow"));

    EXPECT_EQ(most_, 3);
}

TEST_F(WideWorkerTest, AQueueAtItsLimitDoesNotHoldUpTheOthers) {
    set_queue("narrow", 1);
    const auto narrow = submit(5, "narrow");
    const auto wide = submit(5, "wide");
    const Micros began = world.clock.boot();

    run_all(wide);

    EXPECT_LT(world.clock.boot() - began, 6s);
    run_all(narrow);
    EXPECT_GE(world.clock.boot() - began, 24s) << "one after the other";
}

TEST_F(WideWorkerTest, ATaskInBackoffHoldsNoPlaceInItsQueue) {
    stage.on("flaky", [](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) throw retryable("busy");
        return "done";
    });
    stage.options.retry = Retry().delay(1h);
    set_queue("narrow", 1);
    const auto flaky = world.submit("named", R"("flaky")", SubmitOptions().queue("narrow"));
    until_state(flaky, TaskState::pending);
    until([&] { return stage.count("flaky") == 1 && row(flaky).reason == Reason::retry; });
    const Micros began = world.clock.boot();

    run_all(submit(1, "narrow"));

    EXPECT_LT(world.clock.boot() - began, 6s);
}

TEST_F(WideWorkerTest, APausedQueueStartsNothingUntilItIsResumed) {
    set_queue("stopped", std::nullopt, true);
    const auto ids = submit(2, "stopped");
    world.advance(1h);
    EXPECT_EQ(stage.count("work"), 0);

    set_queue("stopped", std::nullopt, false);

    run_all(ids);
}

TEST_F(WideWorkerTest, TheLimitHoldsOverACrash) {
    set_queue("narrow", 2);
    const auto ids = submit(6, "narrow");
    until_executions(2);

    world.crash(world.disk->unflushed());
    running_ = 0;
    world.start();

    run_all(ids);
    EXPECT_EQ(most_, 2);
}

class OneQueueWorkerTest : public EngineTest {
protected:
    OneQueueWorkerTest() : EngineTest(options()) {}
    static SimOptions options() {
        SimOptions o;
        o.engine.queues = {"mine"};
        return o;
    }
};

TEST_F(OneQueueWorkerTest, AWorkerOfOneQueueLeavesTheOthersAlone) {
    const auto mine = submit_one_step(SubmitOptions().queue("mine"));
    const auto other = submit_one_step(SubmitOptions().queue("other"));

    EXPECT_EQ(world.run_to_end(mine).state, TaskState::completed);
    world.advance(1h);
    EXPECT_EQ(row(other).state, TaskState::pending);
    EXPECT_EQ(row(other).reason, Reason::queued);
}

}  // namespace
}  // namespace pawl::testing
