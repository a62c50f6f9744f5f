// What the tests of `once` steps share: a receiver of an effect, and the ways in which an attempt can be cut.
#pragma once

#include "runtime/engine_fixture.hpp"

#include "core/limits.hpp"

namespace pawl::testing {

/// Receivers of an effect that really happens, or not.
struct Receiver {
    int effects = 0;
    bool answers = true;
};

class EffectTest : public EngineTest {
protected:
    EffectTest() {
        stage.options.effect = Effect::once;
        stage.options.timeout = std::chrono::hours(10);
        stage.options.retry = Retry().attempts(3).delay(1s).jitter(0);
    }

    /// The effect happens, and the function then blocks; only its first execution does.
    void happen_then_block() {
        stage.on("work", [this](const Attempt& attempt) -> std::string {
            receiver.effects++;
            if (stage.executions.size() == 1) world.process().pool().block(5h);
            (void)attempt;
            return "done";
        });
    }
    void block_before_it_happens() {
        stage.on("work", [this](const Attempt&) -> std::string {
            if (stage.executions.size() == 1) world.process().pool().block(5h);
            receiver.effects++;
            return "done";
        });
    }
    void on_unknown(OnUnknown policy) { stage.options.on_unknown = std::move(policy); }
    void verify() {
        on_unknown(OnUnknown::verify(
            [](Receiver* r) -> std::optional<std::string> {
                if (!r->answers) throw unknown_outcome("the receiver does not answer");
                if (r->effects == 0) return std::nullopt;
                return "found";
            },
            &receiver));
    }
    core::TaskId crash_in_the_step() {
        const auto id = submit_one_step();
        until_executions(1);
        world.crash(0);
        world.start();
        world.run_to_end(id);
        return id;
    }
    Result<core::Operated> resolve(core::TaskId id, core::Operate::Outcome outcome, const std::string& step = "",
                                   const std::string& result = "null") {
        core::Operate command;
        command.verb = Verb::resolve;
        command.id = id;
        command.step = step;
        command.outcome = outcome;
        command.result = result;
        command.who = "Ann";
        auto answer = world.call(std::move(command));
        if (!answer) return answer.error();
        return std::get<core::Operated>(*answer);
    }

    Receiver receiver;
};

inline Workflow<std::string> reports(Context& ctx, std::string, Stage* stage) {
    StageStep step = step_of(ctx, stage, "work");
    auto result = co_await ctx.outcome(std::move(step));
    if (result) co_return "done";
    co_return result.error_class == ErrorClass::unknown&& result.code == Errc::outcome_unknown ? "unknown" : "failed";
}

}  // namespace pawl::testing
