// Agent files: what is read, and how what is wrong is answered.
#include "agent/agent_file.hpp"

#include "support/temp_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace pawl::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* head = "name = \"doctor\"\nmodel = \"gpt-5-mini\"\n";
constexpr const char* tool = "[[tool]]\nname = \"df\"\ndescription = \"disk usage\"\ncommand = [\"df\"]\n";

AgentDefinition read(const std::string& text) { return parse_agent_file(text, "a.toml").value(); }
std::string refusal(const std::string& text) {
    const auto parsed = parse_agent_file(text, "a.toml");
    EXPECT_TRUE(parsed.has_error()) << text;
    if (parsed) return "";
    EXPECT_EQ(parsed.error().code, Errc::bad_input);
    return parsed.error().message;
}

constexpr const char* whole = R"toml(
name = "doctor"
model = "my-model"
instructions = "Be brief."
endpoint = "https://models.example.com/v1"
api_key_env = "MY_KEY"
parallel_tool_calls = false
model_timeout = "2min"
price = { input = 0.25, cached = 0.025, output = 2 }

[limits]
turns = 10
model_calls = 11
tool_calls = 20
tokens = 30000
cost_usd = 0.5
active_time = "10min"
deadline = "1h"
on_breach = "fail"

[[tool]]
name = "clean_logs"
description = "Delete old logs"
command = ["clean", "{folder}"]
check = ["is-clean", "{folder}"]
effect = "once"
on_unknown = "verify"
policy = "allow"
timeout = "5min"
env = { LEVEL = "2" }
cwd = "/var"
parameters = { type = "object", properties = { folder = { type = "string" } }, required = ["folder"] }
)toml";

TEST(AgentFile, EveryKeyIsRead) {
    const auto agent = read(whole);
    EXPECT_EQ(agent.model, "my-model");
    EXPECT_EQ(agent.instructions, "Be brief.");
    EXPECT_EQ(agent.endpoint, "https://models.example.com/v1");
    EXPECT_EQ(agent.api_key_env, "MY_KEY");
    EXPECT_FALSE(agent.parallel_tool_calls);
    EXPECT_EQ(agent.model_timeout_ms, 120'000);
    ASSERT_TRUE(agent.price);
    EXPECT_EQ(agent.price->input_uusd, 250'000);
    EXPECT_EQ(agent.price->cached_uusd, 25'000);
    EXPECT_EQ(agent.price->output_uusd, 2'000'000);
    EXPECT_EQ(agent.limits.turns, 10);
    EXPECT_EQ(agent.limits.model_calls, 11);
    EXPECT_EQ(agent.limits.tool_calls, 20);
    EXPECT_EQ(agent.limits.tokens, 30'000);
    EXPECT_EQ(agent.limits.cost_uusd, 500'000);
    EXPECT_EQ(agent.limits.active_ms, 600'000);
    EXPECT_EQ(agent.limits.deadline_ms, 3'600'000);
    EXPECT_EQ(agent.limits.on_breach, "fail");
}

TEST(AgentFile, EveryKeyOfAToolIsRead) {
    const auto agent = read(whole);
    ASSERT_EQ(agent.tools.size(), 1u);
    const ToolDefinition& clean = agent.tools[0];
    EXPECT_EQ(clean.kind, "command");
    EXPECT_EQ(clean.command, (std::vector<std::string>{"clean", "{folder}"}));
    EXPECT_EQ(clean.check, (std::vector<std::string>{"is-clean", "{folder}"}));
    EXPECT_EQ(clean.timeout_ms, 300'000);
    EXPECT_EQ(clean.env.at("LEVEL"), "2");
    EXPECT_EQ(clean.cwd, "/var");
    EXPECT_THAT(clean.parameters.text, HasSubstr(R"("required":["folder"])"));
}

TEST(AgentFile, ADefinitionSurvivesItsRecordedForm) {
    const auto agent = read(std::string(head) + tool);
    const auto again = decode_definition(encode(agent)).value();
    EXPECT_EQ(encode(again), encode(agent));
    EXPECT_TRUE(decode_definition("{}").has_error());
    EXPECT_TRUE(decode_definition("null").has_error());
}

TEST(AgentFile, AToolWithoutEffectIsOnceAndTakesNoArguments) {
    const auto agent = read(std::string(head) + tool);
    EXPECT_EQ(effect_of(agent.tools.at(0)), Effect::once);
    EXPECT_THAT(agent.tools.at(0).parameters.text, HasSubstr("\"additionalProperties\":false"));
}

TEST(AgentFile, AnUnknownKeyIsRefusedWithItsLineAndASuggestion) {
    EXPECT_THAT(refusal(std::string(head) + "modle = \"x\"\n"), AllOf(HasSubstr("a.toml:3:"), HasSubstr("model?")));
    EXPECT_THAT(refusal(std::string(head) + "[limits]\ntokns = 5\n"),
                AllOf(HasSubstr("limits.tokns"), HasSubstr("did you mean tokens?")));
    EXPECT_THAT(refusal(std::string(head) + tool + "efect = \"read\"\n"),
                AllOf(HasSubstr("tool.efect"), HasSubstr("effect?")));
    EXPECT_THAT(refusal(std::string(head) + "zzz = 1\n"), AllOf(HasSubstr("zzz"), Not(HasSubstr("did you mean"))));
}

TEST(AgentFile, ALiteralKeyIsRefusedAndNotShown) {
    const std::string key = "sk-proj-abcdefghijklmnop";
    for (const std::string& line :
         {"api_key = \"" + key + "\"", "instructions = \"use " + key + "\"", "endpoint = \"https://x/" + key + "\""}) {
        const std::string text = refusal(head + line + "\n");
        EXPECT_THAT(text, HasSubstr("api_key_env")) << line;
        EXPECT_THAT(text, Not(HasSubstr("abcdefgh"))) << line;
    }
    EXPECT_THAT(refusal(std::string(head) + tool + "env = { OPENAI_API_KEY = \"" + key + "\" }\n"),
                HasSubstr("looks like an API key"));
}

TEST(AgentFile, CredentialsInTheEndpointAreRefusedWithTheirLineAndNotShown) {
    for (const char* url : {"http://user:hunter2secret@models.example.com/v1",
                            "https://hunter2secret@models.example.com", "user:hunter2secret@models.example.com"}) {
        const std::string text = refusal(std::string(head) + "endpoint = \"" + url + "\"\n");
        EXPECT_THAT(text,
                    AllOf(HasSubstr("a.toml:3: endpoint: holds a user or a password"), Not(HasSubstr("hunter2"))));
    }
    EXPECT_THAT(refusal(std::string(head) + "endpoint = \"https://models.example.com/v1?key=x\"\n"), HasSubstr("'?'"));
    EXPECT_THAT(refusal(std::string(head) + "endpoint = \"ftp://models.example.com\"\n"),
                HasSubstr("a.toml:3: endpoint: \"ftp://models.example.com\" is not an http:// or https:// URL"));
    EXPECT_EQ(read(std::string(head) + "endpoint = \"http://127.0.0.1:8080/a@b/v1\"\n").endpoint,
              "http://127.0.0.1:8080/a@b/v1");
}

TEST(AgentFile, APlaceholderThatIsNoParameterIsRefused) {
    const std::string start = std::string(head) + "[[tool]]\nname = \"clean\"\ndescription = \"d\"\n";
    EXPECT_THAT(refusal(start + "command = [\"rm\", \"-rf\", \"{folder}/\"]\n"), HasSubstr("command names {folder}"));
    EXPECT_EQ(read(start + "command = [\"awk\", \"{print $1}\", \"{}\"]\n").tools.size(), 1u);
}

TEST(AgentFile, WhatIsMissingIsNamed) {
    EXPECT_THAT(refusal("model = \"m\"\n"), HasSubstr("name"));
    EXPECT_THAT(refusal("name = \"doctor\"\n"), HasSubstr("model: is missing"));
    EXPECT_THAT(refusal(std::string(head) + "[[tool]]\nname = \"df\"\ndescription = \"d\"\n"),
                HasSubstr("command is missing"));
    EXPECT_THAT(refusal(std::string(head) + "[[tool]]\nname = \"df\"\ncommand = [\"df\"]\n"),
                HasSubstr("description is missing"));
}

TEST(AgentFile, LimitsOutOfRangeAreRefused) {
    const std::string limits = std::string(head) + "[limits]\n";
    EXPECT_THAT(refusal(limits + "turns = 0\n"), HasSubstr("limits.turns: 0 is outside 1 to 1000"));
    EXPECT_THAT(refusal(limits + "turns = 1001\n"), HasSubstr("outside 1 to 1000"));
    EXPECT_THAT(refusal(limits + "turns = -1\n"), HasSubstr("not negative"));
    EXPECT_THAT(refusal(limits + "turns = 99999999999\n"), HasSubstr("too large"));
    EXPECT_THAT(refusal(limits + "turns = \"ten\"\n"), HasSubstr("expected a whole number"));
    EXPECT_THAT(refusal(limits + "turns = 1.5\n"), HasSubstr("expected a whole number"));
    EXPECT_THAT(refusal(limits + "tokens = 0\n"), HasSubstr("limits.tokens: 0 is below 1"));
    EXPECT_THAT(refusal(limits + "deadline = \"soon\"\n"), HasSubstr("limits.deadline"));
    EXPECT_THAT(refusal(limits + "deadline = 30\n"), HasSubstr("expected a length such as"));
    EXPECT_THAT(refusal(limits + "active_time = \"0s\"\n"), HasSubstr("below 1"));
    EXPECT_THAT(refusal(limits + "cost_usd = -1\n"), HasSubstr("expected dollars"));
    EXPECT_THAT(refusal(limits + "cost_usd = nan\n"), HasSubstr("expected dollars"));
    EXPECT_THAT(refusal(limits + "on_breach = \"panic\"\n"), HasSubstr("pause or fail"));
    EXPECT_THAT(refusal(std::string(head) + "price = { input = 5000.0 }\n"), HasSubstr("price"));
}

TEST(AgentFile, ALimitOfMoneyNeedsAPrice) {
    const std::string limited = "name = \"doctor\"\n[limits]\ncost_usd = 0.5\n";
    EXPECT_THAT(refusal("model = \"local-llama\"\n" + limited),
                AllOf(HasSubstr("no price is known for the model \"local-llama\""), HasSubstr("price = {")));
    EXPECT_EQ(read("model = \"gpt-5-mini\"\n" + limited).price->output_uusd, 2'000'000);
    EXPECT_EQ(read("model = \"local-llama\"\nprice = { input = 0.1, output = 0.2 }\n" + limited).price->cached_uusd,
              100'000);
}

TEST(AgentFile, AToolThatCannotBeIsRefused) {
    const std::string start = std::string(head) + tool;
    EXPECT_THAT(refusal(start + "effect = \"maybe\"\n"), HasSubstr("read, idempotent or once"));
    EXPECT_THAT(refusal(start + "policy = \"ask\"\n"), HasSubstr("not supported yet"));
    EXPECT_THAT(refusal(start + "on_unknown = \"guess\"\n"), HasSubstr("on_unknown must be"));
    EXPECT_THAT(refusal(start + "on_unknown = \"verify\"\n"), HasSubstr("needs a check"));
    EXPECT_THAT(refusal(start + "timeout = \"0s\"\n"), HasSubstr("longer than 0"));
    EXPECT_THAT(refusal(start + tool), HasSubstr("used twice"));
    EXPECT_THAT(refusal(std::string(head) + "[[tool]]\nname = \"a b\"\ndescription = \"d\"\ncommand = [\"x\"]\n"),
                HasSubstr("1 to 64 letters"));
    EXPECT_THAT(refusal(std::string(head) + "[tool]\nname = \"df\"\n"), HasSubstr("[[tool]]"));
    EXPECT_THAT(refusal(std::string(head) + "[[tool]]\nname = \"df\"\ndescription = \"d\"\ncommand = \"df -h\"\n"),
                HasSubstr("list of strings"));
}

TEST(AgentFile, ASchemaThatCannotBeUsedIsRefused) {
    const std::string start = std::string(head) + tool;
    EXPECT_THAT(refusal(start + "parameters = { type = 7 }\n"), HasSubstr("not a JSON Schema"));
    EXPECT_THAT(refusal(start + "parameters = { properties = 7 }\n"), HasSubstr("not a JSON Schema"));
    EXPECT_THAT(refusal(start + "parameters = { \"$ref\" = \"http://127.0.0.1/schema.json\" }\n"), HasSubstr("df"));
    EXPECT_THAT(refusal(start + "parameters = \"object\"\n"), HasSubstr("expected a table"));
    EXPECT_THAT(refusal(start + "parameters = { properties = { path = { pattern = '^(?!/etc)' } } }\n"),
                AllOf(HasSubstr("a.toml"), HasSubstr("tool df"), HasSubstr("/properties/path/pattern"),
                      HasSubstr("no look-ahead")));
}

TEST(AgentFile, WhatIsNotTomlIsRefusedWithItsLine) {
    EXPECT_THAT(refusal("name = \"doctor\"\nmodel = \n"), AllOf(HasSubstr("a.toml:2:"), HasSubstr("not TOML")));
    EXPECT_THAT(refusal("name = \"a\"\nname = \"b\"\n"), HasSubstr("not TOML"));
    EXPECT_THAT(refusal(std::string("name = \"\xff\"\n")), HasSubstr("not TOML"));
    EXPECT_THAT(refusal(std::string(head) + std::string(1'000, '[')), HasSubstr("not TOML"));
}

TEST(AgentFile, AFileThatCannotBeReadIsRefused) {
    const test::TempFolder folder;
    EXPECT_EQ(read_agent_file(folder.path() + "/none.toml").error().code, Errc::not_found);
    EXPECT_EQ(read_agent_file(folder.path()).error().code, Errc::bad_input) << "a folder";
    const std::string path = folder.path() + "/agent.toml";
    std::ofstream(path) << head << tool;
    EXPECT_EQ(read_agent_file(path).value().tools.size(), 1u);
    std::ofstream(path) << std::string(2 << 20, '#');
    EXPECT_EQ(read_agent_file(path).error().code, Errc::too_large);
}

}  // namespace
}  // namespace pawl::agent
