// Agents as a user's program has them: Program, Worker and Client, real threads, a file, an endpoint over HTTP.
#include "agent/agent_file.hpp"
#include "agent/agent_loop.hpp"
#include "agent/stand_in_model.hpp"
#include "cli/program.hpp"
#include "support/temp_folder.hpp"

#include <pawl/pawl.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <boost/json.hpp>

#include <cstdlib>
#include <future>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct CleanLogs {
    std::string folder;
    int keep_days = 7;
    static void notes(pawl::Notes<CleanLogs>& n) {
        n.field(&CleanLogs::folder, "absolute path, for example /var/log");
        n.optional(&CleanLogs::keep_days, "younger files stay");
    }
};
BOOST_DESCRIBE_STRUCT(CleanLogs, (), (folder, keep_days))

struct Usage {
    int percent = 0;
};
BOOST_DESCRIBE_STRUCT(Usage, (), (percent))

// A type with a schema of its own.
struct Look {
    friend Look tag_invoke(pawl::from_json_t<Look>, const pawl::JsonIn&) { return {}; }
    friend void tag_invoke(pawl::schema_t<Look>, pawl::JsonOut& out) {
        out.raw(R"({"type":"object","properties":{"path":{"type":"string","pattern":"^(?!/etc)/"}}})");
    }
};

inline constexpr pawl::AgentType disk_doctor_type{"disk-doctor"};

Usage check_disk() { return {93}; }

std::string clean_logs(CleanLogs in, const pawl::Attempt& attempt) {
    if (in.folder != "/var/log") throw pawl::final_error("only /var/log may be cleaned");
    return "kept " + std::to_string(in.keep_days) + " days (request " + attempt.key() + ")";
}

pawl::Agent disk_doctor() {
    return pawl::Agent(disk_doctor_type)
        .model("gpt-5-mini")
        .instructions("You are an autonomous DevOps engineer.")
        .tool(pawl::Tool("check_disk", "Check current disk usage", check_disk).effect(pawl::read))
        .tool(pawl::Tool("clean_logs", "Delete old logs to free space", clean_logs).timeout(5min))
        .limits(pawl::Limits().turns(10).tool_calls(20).cost_usd(0.50))
        .deadline(5min);
}

// Starts an endpoint, and a worker with that program, and runs one task of that agent to its end.
struct Running {
    explicit Running(ModelScript script) : model(std::move(script)) {
        EXPECT_TRUE(model.start());
        ::setenv("OPENAI_BASE_URL", model.base_url().c_str(), 1);
        ::setenv("OPENAI_API_KEY", "sk-test-0123456789", 1);
    }
    ~Running() {
        ::unsetenv("OPENAI_BASE_URL");
        ::unsetenv("OPENAI_API_KEY");
    }
    Result<Answer> ask(AgentType type, const std::string& prompt = "I'm out of disk space. Fix it.") {
        pawl::Worker worker(program, "sqlite:" + folder.path() + "/pawl.db");
        if (auto started = worker.start(); !started) return started.error();
        auto task = worker.client().submit(type, prompt);
        if (!task) return task.error();
        return task->wait();
    }
    // What the tools answered, as the model read it in its last request.
    std::vector<std::string> told() const {
        std::vector<std::string> told;
        const auto request = last_request();
        for (const auto& message : request.at("messages").as_array())
            if (message.at("role").as_string() == "tool") told.emplace_back(message.at("content").as_string());
        return told;
    }
    boost::json::value last_request() const { return boost::json::parse(model.requests().back().body); }

    test::TempFolder folder = test::TempFolder::in_memory();
    StandInModel model;
    pawl::Program program;
};

TEST(AgentProgram, ItsToolsAreCppFunctions) {
    Running r(script_of({ScriptedTurn::asks("check_disk", "{}"),
                         ScriptedTurn::asks("clean_logs", R"({"folder":"/var/log"})"), ScriptedTurn::says("Done.")}));
    r.program.agent(disk_doctor());

    const auto answer = r.ask(disk_doctor_type);

    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text, "Done.");
    EXPECT_EQ(answer->tool_calls, 2);
    EXPECT_GT(answer->cost_uusd, 0) << "the list price of gpt-5-mini is known";
    EXPECT_THAT(r.told(), ElementsAre(R"({"percent":93})", HasSubstr("kept 7 days (request ")));
    const auto request = r.last_request();
    EXPECT_EQ(request.at("messages").at(0).at("content").as_string(), "You are an autonomous DevOps engineer.");
    EXPECT_EQ(request.at("messages").at(1).at("content").as_string(), "I'm out of disk space. Fix it.");
}

TEST(AgentProgram, TheSchemaComesFromTheStructAndItsNotes) {
    Running r(script_of({ScriptedTurn::says("Done.")}));
    r.program.agent(disk_doctor());
    ASSERT_TRUE(r.ask(disk_doctor_type));

    const auto request = r.last_request();
    const auto& function = request.at("tools").at(1).at("function");
    EXPECT_EQ(function.at("name").as_string(), "clean_logs");
    EXPECT_EQ(function.at("description").as_string(), "Delete old logs to free space");
    const auto& schema = function.at("parameters");
    EXPECT_EQ(schema.at("required"), boost::json::parse(R"(["folder"])"));
    EXPECT_EQ(schema.at("properties").at("folder").at("description").as_string(),
              "absolute path, for example /var/log");
    EXPECT_EQ(schema.at("properties").at("keep_days").at("default"), 7);
}

TEST(AgentProgram, ArgumentsThatDoNotFitNeverReachTheFunction) {
    Running r(script_of({ScriptedTurn::asks("clean_logs", R"({"folder":"/var/log","keep_days":"two"})"),
                         ScriptedTurn::asks("clean_logs", R"({"keep_days":2})"),
                         ScriptedTurn::asks("clean_logs", R"({"folder":"/var/log","force":true})"),
                         ScriptedTurn::asks("clean_logs", R"({"folder":"/etc"})"), ScriptedTurn::says("Sorry.")}));
    r.program.agent(disk_doctor());

    ASSERT_TRUE(r.ask(disk_doctor_type));
    EXPECT_THAT(r.told(), ElementsAre(HasSubstr("/keep_days: expected integer"), HasSubstr("/folder: missing"),
                                      HasSubstr("force"), HasSubstr("error: only /var/log may be cleaned")));
}

Result<std::string> refuses(CleanLogs) { return Error{Errc::bad_input, "no logs"}; }

TEST(AgentProgram, AToolMayTakeAndReturnWhatAStepMay) {
    int told = 0;
    const auto count = [&told] { told++; };
    const auto key = [](const pawl::Attempt& attempt) { return attempt.key(); };
    const auto days = [](const CleanLogs& in) { return std::vector<int>{in.keep_days, 2 * in.keep_days}; };
    Running r(script_of({ScriptedTurn::asks("count", "{}"), ScriptedTurn::asks("key", ""),
                         ScriptedTurn::asks("days", R"({"folder":"/","keep_days":4})"),
                         ScriptedTurn::asks("refuses", R"({"folder":"/"})"), ScriptedTurn::says("Done.")}));
    r.program.agent(pawl::Agent(disk_doctor_type)
                        .model("any")
                        .tool(pawl::Tool("count", "counts", count).effect(pawl::idempotent))
                        .tool(pawl::Tool("key", "its key", key))
                        .tool(pawl::Tool("days", "days", days).effect(pawl::read))
                        .tool(pawl::Tool("refuses", "refuses", refuses)));

    ASSERT_TRUE(r.ask(disk_doctor_type));
    EXPECT_THAT(r.told(), ElementsAre("done", Not(""), "[4,8]", HasSubstr("error: no logs")));
    EXPECT_EQ(told, 1);
}

TEST(AgentProgram, ACheckTakesTheArgumentsOfTheCall) {
    const auto is_clean = [](CleanLogs in) { return in.folder == "/clean"; };
    const auto found = [](CleanLogs in) {
        return in.keep_days > 0 ? std::optional<std::string>("kept some") : std::nullopt;
    };
    const pawl::Attempt* none = nullptr;  // neither asks for it
    const auto& attempt = *static_cast<const pawl::Attempt*>(static_cast<const void*>(&none));
    const auto by_bool = pawl::Tool("a", "a", clean_logs).check(is_clean);
    EXPECT_EQ(by_bool.parts().check(R"({"folder":"/clean"})", attempt), "done");
    EXPECT_EQ(by_bool.parts().check(R"({"folder":"/"})", attempt), std::nullopt);
    const auto by_result = pawl::Tool("a", "a", clean_logs).check(found);
    EXPECT_EQ(by_result.parts().check(R"({"folder":"/"})", attempt), "kept some");
    EXPECT_EQ(by_result.parts().check(R"({"folder":"/","keep_days":0})", attempt), std::nullopt);
}

std::string refusal(const pawl::Agent& agent) {
    pawl::Program program;
    try {
        program.agent(agent);
    } catch (const std::invalid_argument& e) { return e.what(); }
    return "";
}

TEST(AgentProgram, WhatCannotBeAnAgentIsRefusedAtItsRegistration) {
    const auto agent = [](const char* name = "doctor") { return pawl::Agent(pawl::AgentType(name)).model("any"); };
    const pawl::Tool tool("check_disk", "Check current disk usage", check_disk);
    EXPECT_EQ(refusal(agent().tool(tool)), "");
    EXPECT_THAT(refusal(agent("a b")), HasSubstr("name"));
    EXPECT_THAT(refusal(pawl::Agent(disk_doctor_type)), HasSubstr("model: is missing"));
    EXPECT_THAT(refusal(agent().tool(tool).tool(tool)), HasSubstr("used twice"));
    EXPECT_THAT(refusal(agent().tool(pawl::Tool("check disk", "x", check_disk))), HasSubstr("1 to 64 letters"));
    EXPECT_THAT(refusal(agent().tool(pawl::Tool("x", "", check_disk))), HasSubstr("description is missing"));
    EXPECT_THAT(refusal(agent().limits(pawl::Limits().turns(0))), HasSubstr("limits.turns"));
    EXPECT_THAT(refusal(agent().limits(pawl::Limits().cost_usd(0.5))), HasSubstr("no price is known"));
    EXPECT_THAT(refusal(agent().limits(pawl::Limits().cost_usd(-1))), HasSubstr("cost_usd"));
    EXPECT_THAT(refusal(agent().price(pawl::Price().input(1e300))), HasSubstr("price"));
    EXPECT_THAT(refusal(agent().endpoint("ftp://x")), HasSubstr("endpoint"));
    EXPECT_THAT(refusal(agent().tool(pawl::Tool("x", "x", check_disk).on_unknown(pawl::OnUnknown::Policy::verify))),
                HasSubstr("needs a check"));
    EXPECT_THAT(refusal(agent().tool(pawl::Tool("look", "x", [](Look) { return "seen"; }))),
                AllOf(HasSubstr("tool look"), HasSubstr("/properties/path/pattern")));
    EXPECT_EQ(refusal(agent().limits(pawl::Limits().cost_usd(0.5)).price(pawl::Price().input(0.1).output(0.2))), "");
}

// ---- command tools -----------------------------------------------------------------------------------------------

// Serves the agent of a file's text as type "doctor".
void serve(pawl::Program& program, const std::string& toml) {
    const auto definition = parse_agent_file(toml, "agent.toml");
    ASSERT_TRUE(definition) << definition.error().message;
    detail::RegisteredType& type = program.impl().registry.add("doctor");
    type.definition = encode(*definition);
    type.run = [](Context& ctx, std::string input) { return agent_loop(ctx, std::move(input), nullptr); };
}

inline constexpr pawl::AgentType doctor_type{"doctor"};
constexpr const char* head = "name = \"doctor\"\nmodel = \"any\"\n";

TEST(AgentProgram, ACommandGetsItsArgumentsLiterallyAndNoKeys) {
    const std::string evil = R"(; touch pwned; $(touch pwned) `touch pwned` -rf 'x" | &)";
    Running r(script_of({ScriptedTurn::asks("show", R"({"text":)" + to_json(evil) + "}"),
                         ScriptedTurn::asks("environment", "{}"), ScriptedTurn::asks("read_stdin", R"({"a":[1,2]})"),
                         ScriptedTurn::says("Done.")}));
    serve(r.program, std::string(head) + R"toml(
[[tool]]
name = "show"
description = "shows"
command = ["printf", "%s", "{text}"]
effect = "read"
parameters = { type = "object", properties = { text = { type = "string" } } }
[[tool]]
name = "environment"
description = "shows the environment"
command = ["env"]
effect = "idempotent"
env = { LEVEL = "2" }
[[tool]]
name = "read_stdin"
description = "shows its input"
command = ["cat"]
parameters = { type = "object" }
)toml");

    ASSERT_TRUE(r.ask(doctor_type));
    const auto told = r.told();
    ASSERT_EQ(told.size(), 3u);
    EXPECT_EQ(told[0], evil);
    EXPECT_THAT(told[1], AllOf(HasSubstr("PAWL_IDEMPOTENCY_KEY="), HasSubstr("PAWL_FENCE="),
                               HasSubstr(":" + std::to_string(::getpid()) + "\n"), HasSubstr("LEVEL=2"),
                               Not(HasSubstr("OPENAI")), Not(HasSubstr("sk-test"))));
    EXPECT_EQ(told[2], R"({"a":[1,2]})");
}

TEST(AgentProgram, ACommandThatFailsIsAResultForTheModel) {
    Running r(
        script_of({ScriptedTurn::asks("fails", "{}"), ScriptedTurn::asks("missing", "{}"),
                   ScriptedTurn::asks("loud", "{}"), ScriptedTurn::asks("binary", "{}"), ScriptedTurn::says("Done.")}));
    serve(r.program, std::string(head) + R"toml(
[[tool]]
name = "fails"
description = "fails"
command = ["sh", "-c", "echo half; echo broken >&2; exit 3"]
[[tool]]
name = "missing"
description = "is not there"
command = ["/nonexistent/program"]
[[tool]]
name = "loud"
description = "prints a lot"
command = ["sh", "-c", "yes | head -c 1000000"]
effect = "read"
[[tool]]
name = "binary"
description = "prints bytes"
command = ["printf", "\\377\\376"]
effect = "read"
)toml");

    ASSERT_TRUE(r.ask(doctor_type));
    const auto told = r.told();
    ASSERT_EQ(told.size(), 4u);
    EXPECT_THAT(told[0], AllOf(HasSubstr("exited with 3"), HasSubstr("half"), HasSubstr("broken")));
    EXPECT_THAT(told[1], HasSubstr("could not start"));
    EXPECT_LE(told[2].size(), 300'000u);
    EXPECT_THAT(told[2], HasSubstr("[cut"));
    EXPECT_EQ(told[3], "\\xff\\xfe");
}

TEST(AgentProgram, AOnceCommandThatPassesItsLimitIsCheckedThenReported) {
    Running r(script_of(
        {ScriptedTurn::asks("pay", "{}"), ScriptedTurn::asks("pay_checked", "{}"), ScriptedTurn::says("Done.")}));
    serve(r.program, std::string(head) + R"toml(
[[tool]]
name = "pay"
description = "pays and hangs"
command = ["sleep", "600"]
timeout = "50ms"
[[tool]]
name = "pay_checked"
description = "pays and hangs"
command = ["sleep", "600"]
check = ["echo", "it is paid"]
timeout = "200ms"
)toml");

    ASSERT_TRUE(r.ask(doctor_type));
    EXPECT_THAT(r.told(),
                ElementsAre(HasSubstr("unknown outcome, it may or may not have happened"), HasSubstr("it is paid")));
}

TEST(AgentProgram, AnAgentGoesOnInTheNextWorkerAfterAStop) {
    Running r(script_of({ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::says("Done.")}));
    int calls = 0;
    std::promise<void> begun;
    std::promise<void> go_on;
    const auto check = [&] {
        if (++calls == 1) begun.set_value();
        go_on.get_future().wait();
        return std::string("93 %");
    };
    r.program.agent(
        pawl::Agent(disk_doctor_type).model("any").tool(pawl::Tool("check_disk", "x", check).effect(pawl::read)));
    const std::string url = "sqlite:" + r.folder.path() + "/pawl.db";
    std::string id;
    {
        pawl::Worker worker(r.program, url);
        ASSERT_TRUE(worker.start());
        id = worker.client().submit(disk_doctor_type, "hello").value().id();
        begun.get_future().wait();
        go_on.set_value();
    }  // drains: the running step is recorded, no new one starts
    pawl::Worker worker(r.program, url);
    ASSERT_TRUE(worker.start());
    EXPECT_EQ(worker.client().find<Answer>(id).wait().value().text, "Done.");
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(r.model.requests().size(), 2u);
}

}  // namespace
}  // namespace pawl::agent
