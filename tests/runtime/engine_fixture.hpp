// What tests of the engine share: a simulated world, steps that do what the test says, and the journal as lines.
#pragma once

#include "runtime/attempt.hpp"
#include "runtime/execution.hpp"
#include "support/sim_world.hpp"

#include <pawl/workflow.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {
inline void PrintTo(TaskState state, std::ostream* out) { *out << to_string(state); }
inline void PrintTo(Reason reason, std::ostream* out) { *out << to_string(reason); }
inline void PrintTo(Errc code, std::ostream* out) { *out << to_string(code); }
}  // namespace pawl

namespace pawl::testing {

using namespace std::chrono_literals;
using core::EntryKind;
using core::Micros;
using Verb = core::Operate::Verb;

/// What the steps of a test do, by name, and what they did.
class Stage {
public:
    using Act = std::function<std::string(const Attempt&)>;
    /// One execution of a step's function.
    struct Execution {
        std::string step, key;
        int number = 0;
        std::int64_t fence = 0;
        Micros at{};  // boot time
        TimePoint deadline;
        bool has_returned = false;
    };

    explicit Stage(SimWorld& world) : world_(world) {}

    /// A step without an act returns its own name.
    void on(const std::string& step, Act act) { acts_[step] = std::move(act); }

    std::string perform(const std::string& step, const Attempt& attempt) {
        const std::size_t i = executions.size();
        executions.push_back(
            {step, attempt.key(), attempt.number(), attempt.fence(), world_.clock.boot(), attempt.deadline(), false});
        const auto act = acts_.find(step);
        std::string result = act == acts_.end() ? step : act->second(attempt);
        executions[i].has_returned = true;
        return result;
    }

    /// Blocks the step's thread; a stop ends it at once, as "it did not happen".
    void work(const Attempt& attempt, Micros length) {
        world_.process().pool().block(length, [&] { return attempt.stop_requested(); });
        if (attempt.stop_requested()) throw retryable("stopped");
    }
    /// Blocks the step's thread, whatever anybody says.
    void ignore_stop(Micros length) { world_.process().pool().block(length); }

    int count(const std::string& step) const {
        int n = 0;
        for (const Execution& e : executions) n += e.step == step ? 1 : 0;
        return n;
    }
    /// Names in the order of their executions.
    std::vector<std::string> order() const {
        std::vector<std::string> names;
        for (const Execution& e : executions) names.push_back(e.step);
        return names;
    }

    std::vector<Execution> executions;
    std::vector<std::string> notes;  ///< what workflows saw
    detail::StepOptions options;     ///< of the steps of the workflows below

private:
    SimWorld& world_;
    std::map<std::string, Act> acts_;
};

inline std::string perform(Stage* stage, std::string step, const Attempt& attempt) {
    return stage->perform(step, attempt);
}

/// Step `name` with the stage's options.
inline auto step_of(Context& ctx, Stage* stage, std::string_view name) {
    return ctx.step(name, perform, stage, std::string(name)).with(stage->options);
}
using StageStep = decltype(step_of(std::declval<Context&>(), nullptr, ""));

inline Workflow<std::string> one_step(Context& ctx, std::string, Stage* stage) {
    StageStep step = step_of(ctx, stage, "work");
    co_return co_await std::move(step);
}

using Story = std::vector<std::string>;

class EngineTest : public ::testing::Test {
protected:
    explicit EngineTest(SimOptions options = {}) : world(std::move(options)), stage(world) {}

    /// One task of `one_step`, with its process started.
    core::TaskId submit_one_step(const SubmitOptions& options = {}) {
        if (!world.registry.newest("one")) world.serve("one", one_step, &stage);
        if (!world.is_up()) world.start();
        return world.submit("one", R"("")", options);
    }

    core::TaskRow row(core::TaskId id) { return world.row(id); }
    core::Failure failure(core::TaskId id) { return core::decode_failure(row(id).error); }
    /// The process dies and the next one starts. What the store has applied stays.
    void crash_and_start() {
        world.crash(world.disk->unflushed());
        world.start();
    }

    /// The journal, a line for each entry: "step_completed work#1".
    Story story(core::TaskId id) {
        Story lines;
        for (const core::Entry& entry : world.journal(id))
            lines.push_back(std::string(core::to_string(entry.kind)) + (entry.path.empty() ? "" : " " + entry.path));
        return lines;
    }
    std::vector<core::Entry> entries(core::TaskId id, EntryKind kind) {
        std::vector<core::Entry> found;
        for (core::Entry& entry : world.journal(id))
            if (entry.kind == kind) found.push_back(std::move(entry));
        return found;
    }
    /// The world goes on until `done`; a test that waits in vain fails.
    void until(const std::function<bool()>& done, Micros limit = std::chrono::hours(48)) {
        ASSERT_TRUE(world.run_until(done, limit)) << "it never came to this";
    }
    void until_state(core::TaskId id, TaskState state) {
        until([&] { return world.is_up() && world.process().store() && row(id).state == state; });
    }
    void until_executions(int n) {
        until([&] { return static_cast<int>(stage.executions.size()) >= n; });
    }
    /// Until the journal has so many entries of that kind.
    void until_entry(core::TaskId id, EntryKind kind, std::size_t n = 1) {
        until([&] { return world.process().store() && entries(id, kind).size() >= n; });
    }

    SimWorld world;
    Stage stage;
};

}  // namespace pawl::testing
