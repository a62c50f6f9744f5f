// Wherever its process dies, an agent ends the same, and nothing that was recorded is paid for or done again.
#include "agent_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using core::EntryKind;
using ::testing::HasSubstr;

std::string nothing(const std::string&, const Attempt&) { return "nothing"; }

// Look, clean, look again, answer.
ModelScript disk_doctor() {
    return script_of({ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::asks("clean_logs", "{}"),
                      ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::says("Freed 20 GB.")});
}

struct DiskDoctor {
    explicit DiskDoctor(std::uint64_t seed) : w(disk_doctor(), seed) {
        w.tool("check_disk", "read", [this](const std::string&, const Attempt&) { return is_clean ? "12 %" : "93 %"; });
        w.tool("clean_logs", "once", [this](const std::string&, const Attempt&) {
            w.world.process().pool().block(1s);
            is_clean = true;
            return "freed";
        });
        w.agent.tools.back().on_unknown = "verify";
        w.functions["clean_logs"].check = [this](const std::string&, const Attempt&) -> std::optional<std::string> {
            if (!is_clean) return std::nullopt;
            return "freed";
        };
    }
    AgentWorld w;
    bool is_clean = false;
};

// The requests of each model call, by its key.
std::map<std::string, int> requests_by_key(const AgentWorld& w) {
    std::map<std::string, int> by_key;
    for (const auto& request : w.model.requests()) by_key[request.key]++;
    return by_key;
}

TEST(AgentCrash, AfterACrashAtAnyEntryTheAgentGoesOnWhereItStopped) {
    int entries = 0;
    for (int at = 2; entries == 0 || at < entries; at++) {
        DiskDoctor d(static_cast<std::uint64_t>(at));
        AgentWorld& w = d.w;
        w.world.start();
        w.submit();
        const auto reached = [&] { return static_cast<int>(w.world.journal(w.id).size()) >= at; };
        ASSERT_TRUE(w.world.run_until(reached)) << at;
        w.world.crash();
        w.world.start();
        const int kept = static_cast<int>(w.world.journal(w.id).size());
        int recorded_calls = 0;
        for (const auto& entry : w.world.journal(w.id))
            recorded_calls += entry.kind == EntryKind::step_completed && entry.path.starts_with("model") ? 1 : 0;
        const auto sent = w.model.requests().size();

        const auto row = w.world.run_to_end(w.id);

        ASSERT_EQ(row.state, TaskState::completed) << "crash at entry " << at << ": " << row.error;
        EXPECT_EQ(w.answer().text, "Freed 20 GB.");
        EXPECT_EQ(w.answer().model_calls, 4);
        EXPECT_TRUE(d.is_clean);
        EXPECT_EQ(w.deeds.calls["clean_logs"], 1) << "crash at entry " << at;
        EXPECT_LE(w.deeds.calls["check_disk"], 3);
        EXPECT_EQ(w.model.requests().size() - sent, static_cast<std::size_t>(4 - recorded_calls))
            << "crash at entry " << at << ", " << kept << " kept: recorded calls are not paid for again";
        EXPECT_EQ(requests_by_key(w).size(), 4u) << "a call that is repeated has the same key";
        entries = std::max(entries, static_cast<int>(w.world.journal(w.id).size()) - 1);
    }
    EXPECT_GE(entries, 10);
}

TEST(AgentCrash, AStopHandsTheTaskBackAndTheNextProcessGoesOn) {
    DiskDoctor d(7);
    d.w.world.start();
    d.w.submit();
    ASSERT_TRUE(d.w.world.run_until([&] { return d.w.model.requests().size() == 2; }));

    d.w.world.stop();
    d.w.world.start();
    const auto row = d.w.world.run_to_end(d.w.id);

    EXPECT_EQ(row.state, TaskState::completed);
    EXPECT_EQ(d.w.deeds.calls["clean_logs"], 1);
    for (const auto& [key, times] : requests_by_key(d.w)) EXPECT_LE(times, 2) << key;
}

TEST(AgentCrash, AReplayAtEveryWaitChangesNothing) {
    DiskDoctor d(11);
    d.w.world.options.engine.park_everywhere = true;
    for (int turn = 0; turn < 4; turn++) d.w.model.fault(turn, ModelFault::rate_limited);

    EXPECT_EQ(d.w.run().state, TaskState::completed);
    EXPECT_EQ(d.w.model.requests().size(), 8u);
    EXPECT_EQ(d.w.deeds.calls["check_disk"], 2);
    EXPECT_EQ(d.w.deeds.calls["clean_logs"], 1);
}

// A worker dies while a `once` tool works; nothing can tell whether it happened.
core::TaskRow die_in_tool(AgentWorld& w, const std::string& on_unknown, const std::string& effect = "once") {
    bool begun = false;
    w.tool("pay", effect, [&w, &begun](const std::string&, const Attempt&) {
        begun = true;
        w.world.process().pool().block(10s);
        return std::string("paid");
    });
    w.agent.tools.back().on_unknown = on_unknown;
    w.world.start();
    w.submit();
    EXPECT_TRUE(w.world.run_until([&] { return begun; }));
    w.world.crash();
    w.world.start();
    return w.world.run_to_end(w.id);
}

ModelScript payer() { return script_of({ScriptedTurn::asks("pay", "{}"), ScriptedTurn::says("done")}); }

TEST(AgentCrash, AnUnknownOutcomeIsReportedToTheModelByDefault) {
    AgentWorld w(payer());
    EXPECT_EQ(die_in_tool(w, "").state, TaskState::completed);
    ASSERT_EQ(w.told().size(), 1u);
    EXPECT_THAT(w.told()[0], HasSubstr("unknown outcome, it may or may not have happened"));
    EXPECT_EQ(w.deeds.calls["pay"], 1);
    EXPECT_EQ(w.count(EntryKind::step_started), 1);
    EXPECT_EQ(w.count(EntryKind::step_unknown), 1);
}

TEST(AgentCrash, AnUnknownOutcomeMayPauseTheTask) {
    AgentWorld w(payer());
    const auto row = die_in_tool(w, "pause");
    EXPECT_EQ(row.state, TaskState::paused);
    EXPECT_EQ(row.reason, Reason::outcome_unknown);
    EXPECT_EQ(w.deeds.calls["pay"], 1);
}

TEST(AgentCrash, AnUnknownOutcomeMayBeRetriedWithTheSameKey) {
    AgentWorld w(payer());
    EXPECT_EQ(die_in_tool(w, "retry").state, TaskState::completed);
    EXPECT_EQ(w.deeds.calls["pay"], 2);
    EXPECT_EQ(w.deeds.by_key.size(), 1u);
    EXPECT_THAT(w.told(), ::testing::ElementsAre("paid"));
}

TEST(AgentCrash, AnIdempotentToolRunsAgainWithTheSameKey) {
    AgentWorld w(payer());
    EXPECT_EQ(die_in_tool(w, "", "idempotent").state, TaskState::completed);
    EXPECT_EQ(w.deeds.calls["pay"], 2);
    EXPECT_EQ(w.deeds.by_key.size(), 1u);
}

TEST(AgentCrash, AnAgentKeepsTheDefinitionItWasSubmittedWith) {
    AgentWorld w(script_of({ScriptedTurn::asks("look", "{}"), ScriptedTurn::says("done")}));
    w.tool("look", "read", nothing);
    w.world.start();
    w.submit();
    ASSERT_TRUE(w.world.run_until([&] { return w.model.requests().size() == 1; }));
    w.world.crash();
    w.agent.tools.clear();  // a deploy that drops the tool from the agent, not from the program
    w.world.start();

    EXPECT_EQ(w.world.run_to_end(w.id).state, TaskState::completed);
    EXPECT_EQ(w.deeds.calls["look"], 1);
}

}  // namespace
}  // namespace pawl::agent
