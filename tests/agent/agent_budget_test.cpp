// What an agent may spend, and what becomes of its task when that is spent.
#include "agent/loop_guard.hpp"
#include "agent_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using core::EntryKind;
using ::testing::HasSubstr;

// Asks for ever, each time something else.
ModelScript endless() {
    return [](int turn, const std::vector<Message>&) {
        return ScriptedTurn::asks("check_disk", R"({"turn":)" + std::to_string(turn) + "}");
    };
}

std::string nothing(const std::string&, const Attempt&) { return "nothing"; }

std::string paused_text(const core::TaskRow& row) { return core::decode_failure(row.error).message; }

TEST(AgentBudget, TurnsThatAreUsedUpPauseTheTask) {
    AgentWorld w(endless());
    w.agent.limits.turns = 3;
    w.tool("check_disk", "read", nothing);

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::paused);
    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(paused_text(row), HasSubstr("limit of 3 turns is used up"));
    EXPECT_EQ(w.model.requests().size(), 3u);
    EXPECT_EQ(w.deeds.calls["check_disk"], 3) << "what was asked for is still done and recorded";
}

TEST(AgentBudget, ItFailsTheTaskWhereTheAgentSaysSo) {
    AgentWorld w(endless());
    w.agent.limits.turns = 3;
    w.agent.limits.on_breach = "fail";
    w.tool("check_disk", "read", nothing);

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(core::decode_failure(row.error).message, HasSubstr("3 turns"));
}

TEST(AgentBudget, APausedTaskIsNotResumedWhileItsBudgetIsSpent) {
    AgentWorld w(endless());
    w.agent.limits.turns = 1;
    w.tool("check_disk", "read", nothing);
    w.run();

    const auto resumed = w.world.operate(w.id, core::Operate::Verb::resume);

    ASSERT_TRUE(resumed.has_error());
    EXPECT_EQ(resumed.error().code, Errc::refused);
    EXPECT_TRUE(w.world.operate(w.id, core::Operate::Verb::cancel));
    EXPECT_EQ(w.world.run_to_end(w.id).state, TaskState::cancelled);
}

TEST(AgentBudget, ARetryOfAFailedTaskKeepsItsBudget) {
    AgentWorld w(endless());
    w.agent.limits.turns = 2;
    w.agent.limits.on_breach = "fail";
    w.tool("check_disk", "read", nothing);
    w.run();

    ASSERT_TRUE(w.world.operate(w.id, core::Operate::Verb::retry));
    const auto row = w.world.run_to_end(w.id);

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_EQ(w.model.requests().size(), 2u);
    EXPECT_EQ(w.deeds.calls["check_disk"], 2);
}

TEST(AgentBudget, ModelCallsAndTokensAreCounted) {
    for (const bool tokens : {false, true}) {
        AgentWorld w(endless());
        if (tokens) w.agent.limits.tokens = 50;
        else w.agent.limits.model_calls = 1;
        w.tool("check_disk", "read", nothing);

        const auto row = w.run();

        EXPECT_EQ(row.reason, Reason::budget);
        EXPECT_THAT(paused_text(row), HasSubstr(tokens ? "50 tokens" : "1 model calls"));
        EXPECT_EQ(w.model.requests().size(), 1u);
    }
}

TEST(AgentBudget, MoneyIsCountedByThePriceOfTheModel) {
    AgentWorld w(endless());
    w.agent.price = ModelPrice{1'000'000, 100'000, 8'000'000};  // a token of the prompt costs one millionth
    w.agent.limits.cost_uusd = 50;
    w.tool("check_disk", "read", nothing);

    const auto row = w.run();

    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(paused_text(row), HasSubstr("limit of 0.000050 dollars"));
    EXPECT_EQ(w.model.requests().size(), 1u);
}

TEST(AgentBudget, ToolCallsOverTheLimitAreNotBegun) {
    AgentWorld w([](int, const std::vector<Message>&) {
        ScriptedTurn turn;
        for (int i = 0; i < 1'000; i++) turn.calls.push_back({"", "check_disk", "{}"});
        return turn;
    });
    w.agent.limits.tool_calls = 20;
    w.tool("check_disk", "read", nothing);

    const auto row = w.run();

    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(paused_text(row), HasSubstr("20 tool calls"));
    EXPECT_EQ(w.deeds.calls["check_disk"], 0);
}

TEST(AgentBudget, ActiveTimeCountsRunningButNotWaiting) {
    AgentWorld w(endless());
    w.agent.limits.active_ms = 90'000;
    w.tool("check_disk", "read", [&](const std::string&, const Attempt& attempt) {
        w.world.process().pool().block(40s, [&] { return attempt.stop_requested(); });
        return std::string("slow");
    });
    w.model.fault(1, ModelFault::rate_limited, 5);  // 100 s of waiting

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::paused);
    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(paused_text(row), HasSubstr("active time of 90 s"));
    EXPECT_EQ(w.deeds.calls["check_disk"], 3);
    EXPECT_LT(row.active, 110s);
}

TEST(AgentBudget, ACallThatIsRepeatedWithTheSameResultIsWarnedAboutThenStopped) {
    AgentWorld w([](int, const std::vector<Message>&) { return ScriptedTurn::asks("check_disk", "{}"); });
    w.tool("check_disk", "read", [](const std::string&, const Attempt&) { return "93 %"; });

    const auto row = w.run();

    EXPECT_EQ(row.reason, Reason::budget);
    EXPECT_THAT(paused_text(row), HasSubstr("called check_disk 5 times"));
    const auto told = w.told();
    ASSERT_EQ(told.size(), 4u);
    EXPECT_EQ(told[1], "93 %");
    EXPECT_THAT(told[2], HasSubstr("you have made this same call 3 times"));
    EXPECT_THAT(told[3], HasSubstr("4 times"));
}

Message result(const std::string& text) { return {"tool", text, {}, "id"}; }

TEST(LoopGuard, ACircleOfTwoCallsIsSeenToo) {
    LoopGuard guard(OnBreach::pause);
    const ToolCall a{"1", "a", "{}"}, b{"2", "b", "{}"};
    for (int i = 0; i < 4; i++) {
        Message of_a = result("x"), of_b = result("y");
        guard.see(a, of_a);
        guard.see(b, of_b);
        EXPECT_EQ(of_b.content != "y", i >= 2) << i;
    }
    Message of_a = result("x");
    EXPECT_THROW(guard.see(a, of_a), detail::BudgetSpent);
}

TEST(LoopGuard, AnythingNewSetsTheCountsBack) {
    LoopGuard guard(OnBreach::pause);
    const ToolCall test{"1", "run_tests", "{}"};
    for (int i = 0; i < 10; i++) {
        Message failed = result("1 failed"), edited = result("ok");
        guard.see(test, failed);
        guard.see({"2", "edit", "{\"line\":" + std::to_string(i) + "}"}, edited);
        EXPECT_EQ(failed.content, "1 failed") << i;
    }
}

}  // namespace
}  // namespace pawl::agent
