// The loop end to end: what the model says, what tools do, what the journal keeps.
#include "agent_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using core::EntryKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string nothing(const std::string&, const Attempt&) { return "nothing"; }

ScriptedTurn asks_both() {
    ScriptedTurn turn;
    turn.calls = {{"a", "first", R"({"n":1})"}, {"b", "second", R"({"n":2})"}};
    return turn;
}

TEST(AgentLoop, ToolsAreCalledUntilThereIsAnAnswer) {
    AgentWorld w(script_of({ScriptedTurn::asks("check_disk", R"({"path":"/"})"), ScriptedTurn::says("It is full.")}));
    w.tool("check_disk", "read", [](const std::string&, const Attempt&) { return "93 %"; });

    const auto row = w.run();

    ASSERT_EQ(row.state, TaskState::completed) << row.error;
    EXPECT_EQ(w.answer().text, "It is full.");
    EXPECT_EQ(w.answer().model_calls, 2);
    EXPECT_EQ(w.answer().tool_calls, 1);
    EXPECT_GT(w.answer().tokens, 0);
    EXPECT_THAT(w.told(), ElementsAre("93 %"));
    EXPECT_THAT(w.deeds.arguments, ElementsAre(R"({"path":"/"})"));
    EXPECT_EQ(w.count(EntryKind::step_completed), 3);
}

TEST(AgentLoop, AnAnswerThatWasCutSaysSo) {
    ScriptedTurn cut = ScriptedTurn::says("It is");
    cut.finish_reason = "length";
    AgentWorld w(script_of({cut}));

    ASSERT_EQ(w.run().state, TaskState::completed);
    EXPECT_EQ(w.answer().text, "It is");
    EXPECT_EQ(w.answer().finish_reason, "length");
}

TEST(AgentLoop, AnAnswerOfWhichNothingIsLeftFailsTheTask) {
    ScriptedTurn filtered;
    filtered.finish_reason = "content_filter";
    AgentWorld w(script_of({filtered}));

    const auto row = w.run();
    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_THAT(row.error, HasSubstr("finish_reason content_filter"));
}

TEST(AgentLoop, AWholeAnswerHasNoFinishReason) {
    AgentWorld w(script_of({ScriptedTurn::says("It is full.")}));
    w.run();
    EXPECT_EQ(w.answer().finish_reason, std::nullopt);
}

TEST(AgentLoop, EveryModelCallHasAKeyOfItsOwn) {
    AgentWorld w(script_of({ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::says("done")}));
    w.tool("check_disk", "read", nothing);
    w.model.fault(0, ModelFault::broken);

    w.run();

    const auto requests = w.model.requests();
    ASSERT_EQ(requests.size(), 3u);
    EXPECT_FALSE(requests[0].key.empty());
    EXPECT_EQ(requests[0].key, requests[1].key) << "another attempt of the same call";
    EXPECT_NE(requests[1].key, requests[2].key);
}

TEST(AgentLoop, AnUnknownToolIsToldToTheModel) {
    AgentWorld w(script_of({ScriptedTurn::asks("delete_all", "{}"), ScriptedTurn::says("sorry")}));
    w.tool("look", "read", nothing);
    w.tool("clean", "once", nothing);

    EXPECT_EQ(w.run().state, TaskState::completed);
    EXPECT_THAT(w.told(), ElementsAre("error: there is no tool \"delete_all\"; there are look, clean"));
    EXPECT_EQ(w.count(EntryKind::step_completed), 2) << "the model calls only";
}

TEST(AgentLoop, ADeniedToolIsNotCalled) {
    AgentWorld w(script_of({ScriptedTurn::asks("rm", "{}"), ScriptedTurn::says("sorry")}));
    w.tool("rm", "once", nothing).policy = "deny";

    EXPECT_EQ(w.run().state, TaskState::completed);
    EXPECT_THAT(w.told(), ElementsAre("error: the policy of this agent denies rm"));
    EXPECT_EQ(w.deeds.calls["rm"], 0);
}

struct CleanLogs {
    std::string folder;
    int keep_days = 7;
};
BOOST_DESCRIBE_STRUCT(CleanLogs, (), (folder, keep_days))

TEST(AgentLoop, ArgumentsThatDoNotFitAreToldToTheModelWhichTriesAgain) {
    AgentWorld w(
        script_of({ScriptedTurn::asks("clean", R"({"folder": "/var)"), ScriptedTurn::asks("clean", R"(["/var/log"])"),
                   ScriptedTurn::asks("clean", R"({"folder":"/var/log","keep_days":"two"})"),
                   ScriptedTurn::asks("clean", R"({"folder":"/var/log","keep_days":2,"force":true})"),
                   ScriptedTurn::asks("clean", R"({"folder":"/","keep_days":2,"folder":"/var/log"})"),
                   ScriptedTurn::asks("clean", R"({"folder":"/var/log","keep_days":2})"), ScriptedTurn::says("done")}));
    w.tool("clean", "once", nothing).parameters.text = schema_of<CleanLogs>();
    w.functions["clean"].fits = [](const std::string& json) { (void)from_json<CleanLogs>(json); };

    EXPECT_EQ(w.run().state, TaskState::completed);
    const auto told = w.told();
    ASSERT_EQ(told.size(), 6u);
    EXPECT_THAT(told[0], HasSubstr("error: the arguments are not JSON"));
    EXPECT_THAT(told[1], HasSubstr("not a JSON object"));
    EXPECT_THAT(told[2], HasSubstr("/keep_days: expected integer"));
    EXPECT_THAT(told[3], HasSubstr("force"));
    EXPECT_THAT(told[4], HasSubstr("error: the arguments cannot be used"))
        << "one reader takes the first, one the last";
    EXPECT_EQ(told[5], "nothing");
    EXPECT_EQ(w.deeds.calls["clean"], 1);
}

TEST(AgentLoop, ArgumentsAreTakenToADepthOf64) {
    const auto nested = [](std::size_t depth) {
        return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    AgentWorld w(script_of({ScriptedTurn::asks("look", nested(40)), ScriptedTurn::asks("look", nested(64)),
                            ScriptedTurn::asks("look", nested(65)), ScriptedTurn::says("done")}));
    w.tool("look", "read", nothing);

    ASSERT_EQ(w.run().state, TaskState::completed) << w.world.row(w.id).error;
    EXPECT_THAT(w.deeds.arguments, ElementsAre(nested(40), nested(64)));
    EXPECT_THAT(w.told(), ElementsAre("nothing", "nothing", HasSubstr("error: the arguments are not JSON")));
}

TEST(AgentLoop, ALongTextMeetsAPatternAndTheWorkerLives) {
    const std::string text(200'000, 'a');
    AgentWorld w(script_of({ScriptedTurn::asks("look", R"({"s":")" + text + R"("})"),
                            ScriptedTurn::asks("look", R"({"s":")" + text + R"(!"})"), ScriptedTurn::says("done")}));
    w.tool("look", "read", nothing).parameters.text =
        R"({"type":"object","properties":{"s":{"type":"string","pattern":"^(a+)+$"}}})";

    ASSERT_EQ(w.run().state, TaskState::completed) << w.world.row(w.id).error;
    EXPECT_THAT(w.told(), ElementsAre("nothing", HasSubstr("/s: it does not match the pattern ^(a+)+$")));
}

TEST(AgentLoop, WhateverTheCheckOfArgumentsThrowsIsToldToTheModel) {
    AgentWorld w(script_of(
        {ScriptedTurn::asks("look", "{}"), ScriptedTurn::asks("old", R"({"s":"x"})"), ScriptedTurn::says("done")}));
    w.tool("look", "read", nothing);
    w.functions["look"].fits = [](const std::string&) { throw std::out_of_range("no such color"); };
    // Recorded with a task before such patterns were refused.
    w.tool("old", "read", nothing).parameters.text = R"({"properties":{"s":{"pattern":"(?=x)y"}}})";

    ASSERT_EQ(w.run().state, TaskState::completed) << w.world.row(w.id).error;
    EXPECT_THAT(w.told(), ElementsAre(HasSubstr("no such color"), HasSubstr("/properties/s/pattern")));
    EXPECT_TRUE(w.deeds.calls.empty());
}

TEST(AgentLoop, ACallWithoutArgumentsIsOneWithAnEmptyObject) {
    AgentWorld w(script_of({ScriptedTurn::asks("check_disk", ""), ScriptedTurn::says("done")}));
    w.tool("check_disk", "read", nothing);

    EXPECT_EQ(w.run().state, TaskState::completed);
    EXPECT_THAT(w.deeds.arguments, ElementsAre("{}"));
}

TEST(AgentLoop, SeveralCallsOfOneTurnEachHaveTheirResultInOrder) {
    for (const char* effect : {"read", "once"}) {
        AgentWorld w(script_of({asks_both(), ScriptedTurn::says("done")}));
        w.tool("first", effect, [](const std::string&, const Attempt&) { return "one"; });
        w.tool("second", effect, [](const std::string&, const Attempt&) { return "two"; });

        EXPECT_EQ(w.run().state, TaskState::completed);
        EXPECT_THAT(w.told(), ElementsAre("one", "two")) << effect;
    }
}

TEST(AgentLoop, CallsThatMayHappenOnceGoOneAfterTheOther) {
    for (std::uint64_t seed = 1; seed <= 20; seed++) {
        AgentWorld w(script_of({asks_both(), ScriptedTurn::says("done")}), seed);
        int under_way = 0, most = 0;
        const auto slow = [&](const std::string&, const Attempt&) {
            most = std::max(most, ++under_way);
            w.world.process().pool().block(std::chrono::seconds(1));
            under_way--;
            return std::string("done");
        };
        w.tool("first", "once", slow);
        w.tool("second", "read", slow);

        EXPECT_EQ(w.run().state, TaskState::completed);
        EXPECT_EQ(most, 1) << "seed " << seed;
        EXPECT_THAT(w.deeds.arguments, ElementsAre(R"({"n":1})", R"({"n":2})"));
    }
}

TEST(AgentLoop, TwoCallsWithOneIdAreToldApart) {
    AgentWorld w(script_of({ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::says("done")}));
    w.tool("check_disk", "read", nothing);
    w.model.fault(0, ModelFault::twin_ids);

    EXPECT_EQ(w.run().state, TaskState::completed);
    EXPECT_EQ(w.told().size(), 2u);
}

TEST(AgentLoop, AToolThatFailsIsToldToTheModel) {
    AgentWorld w(script_of({asks_both(), ScriptedTurn::says("sorry")}));
    w.tool("first", "read",
           [](const std::string&, const Attempt&) -> std::string { throw final_error("no such disk"); });
    w.tool("second", "read", [](const std::string&, const Attempt&) -> std::string { throw retryable("busy"); });

    EXPECT_EQ(w.run().state, TaskState::completed);
    const auto told = w.told();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_THAT(told[0], HasSubstr("error: no such disk"));
    EXPECT_THAT(told[1], HasSubstr("error: busy"));
    EXPECT_EQ(w.deeds.calls["first"], 1);
    EXPECT_EQ(w.deeds.calls["second"], 3) << "reads are tried three times";
}

TEST(AgentLoop, AResultOverTheLimitIsToldToTheModel) {
    AgentWorld w(script_of({ScriptedTurn::asks("dump", "{}"), ScriptedTurn::says("too long")}));
    w.tool("dump", "read", [](const std::string&, const Attempt&) { return std::string(2'000'000, 'x'); });

    EXPECT_EQ(w.run().state, TaskState::completed);
    ASSERT_EQ(w.told().size(), 1u);
    EXPECT_THAT(w.told()[0], HasSubstr("the limit is 1 MiB"));
}

TEST(AgentLoop, AMessageIsStoredOnce) {
    constexpr int calls = 60;
    AgentWorld w([](int turn, const std::vector<Message>&) {
        if (turn == calls) return ScriptedTurn::says("done");
        return ScriptedTurn::asks("read_page", R"({"page":)" + std::to_string(turn) + "}");
    });
    w.agent.limits.turns = calls + 1;
    w.tool("read_page", "read",
           [](const std::string& arguments, const Attempt&) { return arguments + std::string(5'000, 'x'); });

    ASSERT_EQ(w.run().state, TaskState::completed);
    std::size_t stored = 0, unique = 0;
    for (const auto& entry : w.world.journal(w.id))
        stored += entry.path.size() + entry.result.size() + entry.error.size();
    for (const std::string& result : w.told()) unique += result.size();
    EXPECT_EQ(unique, calls * 5'000 + static_cast<std::size_t>(10 * 10 + 50 * 11));
    EXPECT_LT(stored, 2 * unique);
}

TEST(AgentLoop, ATaskWithoutADefinitionFailsWithWhatToDo) {
    AgentWorld w(script_of({ScriptedTurn::says("done")}));
    w.world.start();
    const auto row = w.world.run_to_end(w.world.submit("agent", R"({"text":"hello"})"));

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_THAT(core::decode_failure(row.error).message, HasSubstr("--agent FILE"));
}

TEST(AgentLoop, ATaskSubmittedWhereTheAgentIsNotKnownTakesThatOfItsProgram) {
    AgentWorld w(script_of({ScriptedTurn::says("done")}));
    detail::RegisteredType& type = w.world.registry.add("agent");
    type.run = [&](Context& ctx, std::string input) { return agent_loop(ctx, std::move(input), &w.functions); };
    type.definition = encode(w.agent);
    w.world.start();
    EXPECT_EQ(w.world.run_to_end(w.world.submit("agent", R"({"text":"hello"})")).state, TaskState::completed);
}

TEST(AgentLoop, ADeployDoesNotChangeAnAgentThatWasSubmittedWithoutADefinition) {
    AgentWorld w(script_of({ScriptedTurn::asks("wait", "{}"), ScriptedTurn::says("done")}));
    bool begun = false;
    w.tool("wait", "idempotent", [&](const std::string&, const Attempt&) {
        if (!std::exchange(begun, true)) w.world.process().pool().block(std::chrono::seconds(10));
        return std::string("waited");
    });
    detail::RegisteredType& type = w.world.registry.add("agent");
    type.run = [&](Context& ctx, std::string input) { return agent_loop(ctx, std::move(input), &w.functions); };
    w.agent.instructions = "as it was";
    type.definition = encode(w.agent);
    w.world.start();
    const core::TaskId id = w.world.submit("agent", R"({"text":"hello"})");
    ASSERT_TRUE(w.world.run_until([&] { return begun; }));
    w.world.crash();

    w.agent.instructions = "after the deploy";
    w.agent.tools.clear();
    type.definition = encode(w.agent);
    w.world.start();
    EXPECT_EQ(w.world.run_to_end(id).state, TaskState::completed);
    ASSERT_EQ(w.model.requests().size(), 2u);
    EXPECT_THAT(w.model.requests()[1].body, HasSubstr("as it was"));
}

TEST(AgentLoop, AnInputThatIsNoPromptFailsTheTask) {
    AgentWorld w(script_of({ScriptedTurn::says("done")}));
    w.world.start();
    core::Submit submit = w.world.submission("agent", R"({"prompt":7})");
    submit.definition = encode(w.agent);
    const auto row = w.world.run_to_end(std::get<core::Submitted>(w.world.call(std::move(submit)).value()).id);

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_THAT(core::decode_failure(row.error).message, HasSubstr("/text: missing"));
    EXPECT_TRUE(w.model.requests().empty());
}

TEST(AgentLoop, AnAgentInAProcessWithoutANetworkSaysSo) {
    AgentWorld w(script_of({ScriptedTurn::says("done")}));
    w.world.options.make_net = {};

    EXPECT_EQ(w.run().state, TaskState::failed);
    EXPECT_THAT(core::decode_failure(w.world.row(w.id).error).message, HasSubstr("no network"));
}

}  // namespace
}  // namespace pawl::agent
