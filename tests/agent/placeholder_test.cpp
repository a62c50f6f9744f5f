// {name} in a command: what is replaced, what is text, and what is refused.
#include "agent/placeholder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Argv = std::vector<std::string>;

ToolDefinition tool_with(Argv command, Argv check = {}) {
    ToolDefinition tool;
    tool.name = "clean";
    tool.command = std::move(command);
    tool.check = std::move(check);
    tool.parameters.text = R"({"type":"object","properties":{"folder":{"type":"string"},"keep days":{}}})";
    return tool;
}

Argv filled(const Argv& command, const std::string& arguments = R"({"folder":"/var/log"})") {
    const ToolDefinition tool = tool_with(command);
    EXPECT_TRUE(check_placeholders(tool).has_value());
    return fill_in(tool, tool.command, arguments).value();
}
std::string refusal(const Argv& command, const Argv& check = {}) {
    const auto checked = check_placeholders(tool_with(command, check));
    EXPECT_TRUE(checked.has_error()) << command.front();
    return checked ? "" : checked.error().message;
}

TEST(Placeholder, AnArgumentStandsWhereItsNameStood) {
    EXPECT_EQ(filled({"du", "{folder}", "-x={folder}/a", "{folder}{folder}"}),
              (Argv{"du", "/var/log", "-x=/var/log/a", "/var/log/var/log"}));
    EXPECT_EQ(filled({"keep", "{keep days}"}, R"({"keep days":{"a":[1]}})"), (Argv{"keep", R"({"a":[1]})"}));
}

TEST(Placeholder, ANumberStandsAsItWasWritten) {
    for (const char* number : {"0.25", "1e21", "-0", "12345678901234567890", "1.50", "100000000000000000000000", "7"})
        EXPECT_EQ(filled({"bc", "{folder}"}, std::string(R"( { "x\"}": [1, "]"] , "folder" : )") + number + " }"),
                  (Argv{"bc", number}));
    EXPECT_EQ(filled({"jq", "{folder}"}, R"({"a":"}","folder":{"n": [0.25, "\",}"], "m":{}},"b":0})"),
              (Argv{"jq", R"({"n": [0.25, "\",}"], "m":{}})"}));
    EXPECT_EQ(filled({"x", "{folder}{keep days}"}, R"({"f\u006flder":true,"keep days":[ ],"folder":false})"),
              (Argv{"x", "false[ ]"}))
        << "the last of two counts";
}

TEST(Placeholder, ADeepArgumentStandsWhereItsNameStood) {
    const std::string deep = std::string(63, '[') + std::string(63, ']');
    EXPECT_EQ(filled({"x", "{folder}"}, R"({"folder":)" + deep + "}"), (Argv{"x", deep}));
}

TEST(Placeholder, AnArgumentStaysOneElementAndIsNotReadAgain) {
    EXPECT_EQ(filled({"rm", "{folder}"}, R"j({"folder":"a b; {folder} $(x)"})j"), (Argv{"rm", "a b; {folder} $(x)"}));
}

TEST(Placeholder, BracesAroundAnythingElseAreText) {
    const Argv command{"awk", "{print $1}", "{}", "{{.Names}}",  "{1,2}", "{",
                       "}",   "{ folder }", "a{", "{\"x\": {}}", ""};
    EXPECT_EQ(filled(command), command);
    EXPECT_EQ(filled({"awk", "{print \"{folder}\"}"}), (Argv{"awk", "{print \"/var/log\"}"}));
}

TEST(Placeholder, DoubledBracesAreTheTextItself) {
    EXPECT_EQ(filled({"awk", "{{print}}", "${{HOME}}", "{{folder}}"}), (Argv{"awk", "{print}", "${HOME}", "{folder}"}));
}

TEST(Placeholder, AWordThatIsNoParameterIsRefusedAtLoad) {
    EXPECT_THAT(refusal({"echo", "x{nope}y"}), AllOf(HasSubstr("tool \"clean\": command names {nope}"),
                                                     HasSubstr("there are folder, keep days"), HasSubstr("{{nope}}")));
    EXPECT_THAT(refusal({"true"}, {"is-clean", "{foldr}"}), HasSubstr("check names {foldr}"));
}

TEST(Placeholder, ACommandIsNotMadeWithAHoleInIt) {
    const ToolDefinition tool = tool_with({"rm", "-rf", "{folder}/"});
    for (const char* arguments : {"{}", R"({"folder":null})"}) {
        const auto none = fill_in(tool, tool.command, arguments);
        ASSERT_TRUE(none.has_error()) << arguments;
        EXPECT_THAT(none.error().message, HasSubstr("\"folder\" is missing"));
    }
    EXPECT_EQ(fill_in(tool, tool.command, R"({"folder":""})").value(), (Argv{"rm", "-rf", "/"})) << "it was given";
}

}  // namespace
}  // namespace pawl::agent
