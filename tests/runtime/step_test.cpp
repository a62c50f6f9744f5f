// What a step's function returns or throws, and what the journal and the workflow make of it.
#include "runtime/engine_fixture.hpp"

#include "core/limits.hpp"
#include "core/validate.hpp"

#include <boost/describe/class.hpp>

namespace pawl::testing {
namespace {

using StepTest = EngineTest;

struct Volume {
    std::string name;
    int gib = 0;
};
BOOST_DESCRIBE_STRUCT(Volume, (), (name, gib))

Volume make_volume(const std::string& name) { return {name, 40}; }
Result<int> answer(int n) {
    if (n == 0) return Error{Errc::not_found, "there is no zero"};
    if (n < 0) return Error{Errc::unreachable, "below the ground"};
    return n;
}

Workflow<int> typed(Context& ctx, std::string name) {
    Volume v = co_await ctx.step("volume", make_volume, name);
    const int twice = co_await ctx.step(
        "twice", [](int gib) { return 2 * gib; }, v.gib);
    const int seven = co_await ctx.step("seven", answer, 7).on_loop();
    co_await ctx.step("nothing", [] {});
    co_return twice + seven;
}

TEST_F(StepTest, ResultsPassThroughTheirJsonForm) {
    world.serve("typed", typed);
    world.start();

    const auto id = world.submit("typed", R"("logs")");

    EXPECT_EQ(world.run_to_end(id).output, "87");
    std::vector<std::string> results;
    for (const core::Entry& entry : entries(id, EntryKind::step_completed)) results.push_back(entry.result);
    EXPECT_EQ(results, (std::vector<std::string>{R"({"name":"logs","gib":40})", "80", "7", "null"}));
}

Workflow<int> asks(Context& ctx, int n) { co_return co_await ctx.step("answer", answer, n).attempts(2); }

TEST_F(StepTest, AnErrorReturnedAsAResultIsRetriedOrFinalByItsFamily) {
    world.serve("asks", asks);
    world.start();

    const auto refused = world.submit("asks", "0");
    const auto unreachable = world.submit("asks", "-1");
    world.run_to_end(refused);
    world.run_to_end(unreachable);

    EXPECT_EQ(story(refused), (Story{"submitted", "claimed", "step_failed answer#1", "failed answer#1"}));
    EXPECT_EQ(story(unreachable), (Story{"submitted", "claimed", "step_attempt_failed answer#1", "parked", "woken",
                                         "claimed", "step_failed answer#1", "failed answer#1"}));
    EXPECT_NE(failure(refused).message.find("there is no zero"), std::string::npos);
}

TEST_F(StepTest, AFinalErrorFailsTheTaskWithoutAnotherAttempt) {
    stage.on("work", [](const Attempt&) -> std::string { throw final_error("no such account"); });

    const auto id = submit_one_step();

    const auto ended = world.run_to_end(id);
    EXPECT_EQ(ended.state, TaskState::failed);
    EXPECT_EQ(ended.reason, Reason::error);
    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(failure(id).code, Errc::step_failed);
    EXPECT_NE(failure(id).message.find("no such account"), std::string::npos);
    EXPECT_EQ(entries(id, EntryKind::failed).at(0).path, "work#1") << "the entry names the step that was not caught";
}

TEST_F(StepTest, ALogicErrorIsABugAndIsNotRetried) {
    stage.on("work", [](const Attempt&) -> std::string { throw std::logic_error("index out of range"); });

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("work"), 1);
}

TEST_F(StepTest, AnyOtherExceptionIsRetried) {
    stage.on("work", [](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) throw std::runtime_error("connection reset");
        if (attempt.number() == 2) throw 42;
        return "done";
    });

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).output, R"("done")");
    const auto failed = entries(id, EntryKind::step_attempt_failed);
    ASSERT_EQ(failed.size(), 2u);
    EXPECT_EQ(core::decode_failure(failed[0].error).message, "connection reset");
    EXPECT_EQ(core::decode_failure(failed[1].error).message, "threw something that is not a std::exception");
}

TEST_F(StepTest, AnUnknownOutcomeOfAStepThatMayRunAgainIsRetried) {
    stage.on("work", [](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) throw unknown_outcome("the answer was cut off");
        return "done";
    });

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::completed);
    EXPECT_EQ(stage.count("work"), 2);
    EXPECT_TRUE(entries(id, EntryKind::step_unknown).empty());
}

TEST_F(StepTest, AResultOverTheLimitFailsTheStepForGood) {
    stage.on("work", [](const Attempt&) { return std::string(core::limits::result_bytes_max, 'x'); });

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(stage.count("work"), 1);
    EXPECT_EQ(failure(id).code, Errc::too_large);
    EXPECT_NE(failure(id).message.find("the limit is 1 MiB"), std::string::npos);
}

TEST_F(StepTest, AResultAtTheLimitIsStored) {
    const std::string longest(core::limits::result_bytes_max - 2, 'x');  // and two quotes
    stage.on("work", [&](const Attempt&) { return longest; });

    const auto id = submit_one_step();

    EXPECT_EQ(world.run_to_end(id).output.size(), core::limits::result_bytes_max);
}

Workflow<int> counts(Context& ctx, int, Stage* stage) {
    co_return co_await ctx.step("count", [&] { return static_cast<int>(stage->executions.size()); });
}

TEST_F(StepTest, AnInputThatDoesNotFitTheTypeFailsTheTask) {
    world.serve("counts", counts, &stage);
    world.start();

    const auto id = world.submit("counts", R"("seven")");

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_EQ(failure(id).code, Errc::bad_input);
    EXPECT_NE(failure(id).message.find("the input does not fit the type"), std::string::npos);
}

TEST_F(StepTest, BadInputAnInputOverTheLimitIsRefusedAndTheNextSubmitWorks) {
    world.serve("one", one_step, &stage);
    world.start();
    core::SubmitRequest request;
    request.type = "one";
    request.input = '"' + std::string(core::limits::input_bytes_max - 1, 'x') + '"';

    const auto refused = core::make_submit(std::move(request), world.clock.wall(), {1, 2});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::too_large);
    const std::string longest = '"' + std::string(core::limits::input_bytes_max - 2, 'x') + '"';
    EXPECT_EQ(world.run_to_end(world.submit("one", longest)).state, TaskState::completed);
}

TEST_F(StepTest, TheKeyIsTheSameOverAttemptsAndProcessesAndUniqueOtherwise) {
    world.serve("one", one_step, &stage);
    world.start();
    stage.on("work", [this](const Attempt& attempt) -> std::string {
        if (attempt.number() == 1) throw retryable("once more");
        if (stage.executions.size() <= 4) stage.work(attempt, 1h);
        return "done";
    });
    stage.options.timeout = 2h;
    const auto first = submit_one_step();
    const auto second = submit_one_step();
    until([&] { return stage.executions.size() == 4; });

    crash_and_start();
    world.run_to_end(first);
    world.run_to_end(second);

    std::set<std::string> keys;
    for (const Stage::Execution& e : stage.executions) keys.insert(e.key);
    EXPECT_EQ(stage.executions.size(), 6u);
    EXPECT_EQ(keys.size(), 2u);
}

Workflow<int> twice_the_name(Context& ctx, std::string, Stage* stage) {
    for (int i = 0; i < 2; i++) {
        StageStep step = step_of(ctx, stage, "a/b");
        co_await std::move(step);
    }
    StageStep other = step_of(ctx, stage, "a~b");
    co_await std::move(other);
    co_return 0;
}

TEST_F(StepTest, ARepeatedNameIsNumberedAndSpecialCharactersAreEscaped) {
    world.serve("named", twice_the_name, &stage);
    world.start();

    const auto id = world.submit("named", R"("")");
    world.run_to_end(id);

    EXPECT_EQ(story(id), (Story{"submitted", "claimed", "step_completed a~1b#1", "step_completed a~1b#2",
                                "step_completed a~0b#1", "completed"}));
    EXPECT_NE(stage.executions[0].key, stage.executions[1].key);
}

TEST_F(StepTest, AStepWithARecordedResultIsNotExecutedAgainAfterACrash) {
    world.serve("named", twice_the_name, &stage);
    world.start();
    const auto id = world.submit("named", R"("")");
    until_entry(id, EntryKind::step_completed, 2);

    crash_and_start();
    world.run_to_end(id);

    EXPECT_LE(stage.count("a/b"), 2);
    EXPECT_EQ(row(id).state, TaskState::completed);
}

// ---- asynchronous steps ------------------------------------------------------------------------------------------

class Pause final : public detail::AsyncOp {
public:
    Pause(runtime::Loop& loop, Micros length) : loop_(loop), length_(length) {}
    ~Pause() override { loop_.cancel(token_); }
    void await_resume() { throw_if_stopped(); }

private:
    void start() override {
        token_ = loop_.after(length_, [this] {
            token_ = 0;
            complete();
        });
    }
    void give_up() override { loop_.cancel(std::exchange(token_, 0)); }

    runtime::Loop& loop_;
    const Micros length_;
    runtime::TimerToken token_ = 0;
};

Async<std::string> wait_then(runtime::Loop* loop, std::string text) {
    Pause pause(*loop, 3s);
    co_await pause;
    co_return text;
}
Async<std::string> fetch(SimWorld* world, std::string name) {
    std::string text = co_await wait_then(&world->process().loop(), "from " + name);
    if (name == "nowhere") throw final_error("unknown host");
    co_return text;
}
Async<std::string> refuse_to_start(std::string) { throw final_error("it never became a coroutine"); }

Workflow<std::string> fetches(Context& ctx, std::string name, SimWorld* world) {
    co_return co_await ctx.step("fetch", fetch, world, name).timeout(name == "slow" ? 1s : 60s).attempts(1);
}
Workflow<std::string> starts_badly(Context& ctx, std::string name) {
    co_return co_await ctx.step("fetch", refuse_to_start, name);
}

TEST_F(StepTest, AnAsynchronousStepRunsOnTheLoopAndItsResultIsRecorded) {
    world.serve("fetches", fetches, &world);
    world.start();

    const auto good = world.submit("fetches", R"("here")");
    const auto bad = world.submit("fetches", R"("nowhere")");

    EXPECT_EQ(world.run_to_end(good).output, R"("from here")");
    EXPECT_EQ(world.run_to_end(bad).state, TaskState::failed);
    EXPECT_NE(failure(bad).message.find("unknown host"), std::string::npos);
}

TEST_F(StepTest, AnAsynchronousStepIsStoppedAtItsTimeout) {
    world.serve("fetches", fetches, &world);
    world.start();

    const auto id = world.submit("fetches", R"("slow")");
    const Micros began = world.clock.boot();

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_LT(world.clock.boot() - began, 2s);
    EXPECT_EQ(failure(id).code, Errc::timed_out);
}

TEST_F(StepTest, AFunctionThatThrowsBeforeItIsACoroutineFailsItsStepOnly) {
    world.serve("starts_badly", starts_badly);
    world.start();

    const auto id = world.submit("starts_badly", R"("x")");

    EXPECT_EQ(world.run_to_end(id).state, TaskState::failed);
    EXPECT_NE(failure(id).message.find("it never became a coroutine"), std::string::npos);
}

}  // namespace
}  // namespace pawl::testing
