// The model's arguments against a tool's schema.
#include "agent/schema_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using ::testing::HasSubstr;

ToolDefinition tool_with(const std::string& schema) {
    ToolDefinition tool;
    tool.name = "clean";
    tool.parameters.text = schema;
    return tool;
}

const ToolDefinition clean = tool_with(R"({
    "type": "object",
    "properties": {
        "folder": {"type": "string", "minLength": 1},
        "keep_days": {"type": "integer", "minimum": 0},
        "mode": {"enum": ["fast", "slow"]},
        "hosts": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer"}}}}
    },
    "required": ["folder"],
    "additionalProperties": false})");

std::string misfit(const std::string& arguments) {
    const auto fits = check_arguments(clean, arguments);
    EXPECT_TRUE(fits.has_error()) << arguments;
    return fits ? "" : fits.error().message;
}

TEST(SchemaCheck, ArgumentsThatFitPass) {
    EXPECT_TRUE(check_arguments(clean, R"({"folder":"/var/log"})"));
    EXPECT_TRUE(check_arguments(clean, R"({"folder":"/","keep_days":7,"mode":"fast","hosts":[{"port":1}]})"));
    EXPECT_TRUE(check_arguments(clean, R"({"folder":"a\u0000b"})"));
}

TEST(SchemaCheck, AMisfitIsNamedByItsPlace) {
    EXPECT_THAT(misfit("{}"), HasSubstr("folder"));
    EXPECT_THAT(misfit(R"({"folder":7})"), HasSubstr("/folder:"));
    EXPECT_THAT(misfit(R"({"folder":"/","keep_days":"two"})"), HasSubstr("/keep_days:"));
    EXPECT_THAT(misfit(R"({"folder":"/","keep_days":-1})"), HasSubstr("/keep_days:"));
    EXPECT_THAT(misfit(R"({"folder":"/","mode":"quick"})"), HasSubstr("/mode:"));
    EXPECT_THAT(misfit(R"({"folder":"/","hosts":[{"port":1},{"port":"x"}]})"), HasSubstr("/hosts/1/port:"));
    EXPECT_THAT(misfit(R"({"folder":"/","force":true})"), HasSubstr("force"));
}

TEST(SchemaCheck, AnAnswerWithManyMisfitsStaysShort) {
    std::string arguments = R"({"folder":"/","hosts":[)";
    for (int i = 0; i < 1'000; i++) arguments += std::string(i ? "," : "") + R"({"port":"x"})";
    EXPECT_LT(misfit(arguments + "]}").size(), 1'000u);
}

TEST(SchemaCheck, ASchemaThatCannotBeUsedIsNamed) {
    for (const char* schema : {"7", "[]", R"({"type":7})", R"({"properties":[]})", R"({"required":"folder"})"}) {
        const auto usable = check_schema(tool_with(schema));
        ASSERT_TRUE(usable.has_error()) << schema;
        EXPECT_THAT(usable.error().message, HasSubstr("tool clean: parameters")) << schema;
    }
    EXPECT_TRUE(check_schema(clean));
    EXPECT_TRUE(check_schema(tool_with("{}")));
}

TEST(SchemaCheck, AReferenceToElsewhereIsNotFetched) {
    EXPECT_TRUE(check_schema(tool_with(R"({"$ref":"http://127.0.0.1:1/schema.json"})")).has_error());
    EXPECT_TRUE(check_schema(tool_with(R"({"$ref":"file:///etc/passwd"})")).has_error());
}

}  // namespace
}  // namespace pawl::agent
