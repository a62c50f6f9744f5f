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

// --- what a model's data may not do to the worker ---

ToolDefinition text_tool(const std::string& keyword, const std::string& value) {
    return tool_with(R"({"type":"object","properties":{"s":{"type":"string",")" + keyword + "\":\"" + value + "\"}}}");
}
bool fits(const ToolDefinition& tool, const std::string& text) {
    return check_arguments(tool, R"({"s":")" + text + "\"}").has_value();
}

TEST(SchemaCheck, ALongTextIsMatchedAgainstAPattern) {
    const ToolDefinition tool = text_tool("pattern", "^[a-z ]*$");
    EXPECT_TRUE(fits(tool, std::string(200'000, 'a')));
    EXPECT_FALSE(fits(tool, std::string(200'000, 'a') + "!"));
}

TEST(SchemaCheck, APatternDoesNotBacktrack) {
    EXPECT_FALSE(fits(text_tool("pattern", "(a+)+$"), std::string(100'000, 'a') + "!"));
    EXPECT_TRUE(fits(text_tool("pattern", "^(a+)+$"), std::string(100'000, 'a')));
}

TEST(SchemaCheck, PatternsKnowUnicode) {
    const ToolDefinition letters = text_tool("pattern", R"(^\\p{L}+$)");
    ASSERT_TRUE(check_schema(letters));
    EXPECT_TRUE(fits(letters, "Gr\u00f6\u00dfe"));
    EXPECT_FALSE(fits(letters, "a7"));
    EXPECT_TRUE(fits(text_tool("pattern", R"(^[\\u00e0-\\u00ff]$)"), "\u00e9"));
    EXPECT_FALSE(fits(text_tool("pattern", R"(^[\\u00e0-\\u00ff]$)"), "e"));
    EXPECT_TRUE(fits(text_tool("pattern", R"(^\\\\u00e9$)"), R"(\\u00e9)")) << "a backslash, then letters";
}

TEST(SchemaCheck, APatternThatCannotBeUsedIsRefusedWithItsPlace) {
    for (const char* pattern : {"^(?!x)y", "(?<=a)b", R"((a)\\1)", "[a", "(", "*"}) {
        const auto usable = check_schema(text_tool("pattern", pattern));
        ASSERT_TRUE(usable.has_error()) << pattern;
        EXPECT_EQ(usable.error().code, Errc::bad_input);
        EXPECT_THAT(usable.error().message, HasSubstr("tool clean: parameters")) << pattern;
        EXPECT_THAT(usable.error().message, HasSubstr("/properties/s/pattern: the pattern")) << pattern;
        // Of a task that was submitted before it was refused.
        EXPECT_TRUE(check_arguments(text_tool("pattern", pattern), R"({"s":"x"})").has_error());
    }
    for (const char* schema :
         {R"({"patternProperties":{"(?=x)y":{}}})", R"({"anyOf":[{},{"items":{"pattern":"(?=x)y"}}]})",
          R"({"definitions":{"a":{"pattern":"(?=x)y"}}})", R"({"propertyNames":{"pattern":"(?=x)y"}})"})
        EXPECT_TRUE(check_schema(tool_with(schema)).has_error()) << schema;
    for (const char* schema : {R"({"properties":{"pattern":{"type":"string"}}})", R"({"enum":[{"pattern":"(?=x)y"}]})",
                               R"({"properties":{"enum":{"default":{"pattern":"(?=x)y"}}}})"})
        EXPECT_TRUE(check_schema(tool_with(schema))) << schema;
}

TEST(SchemaCheck, PatternsOfPropertyNamesAreMatchedInLinearTimeToo) {
    const ToolDefinition tool =
        tool_with(R"({"patternProperties":{"^(n+)+$":{"type":"integer"}},"additionalProperties":{"type":"string"}})");
    const std::string longest(100'000, 'n');
    EXPECT_TRUE(check_arguments(tool, R"({")" + longest + R"(":1,"x":"y"})"));
    EXPECT_TRUE(check_arguments(tool, R"({")" + longest + R"(!":"y"})"));
    EXPECT_TRUE(check_arguments(tool, R"({"nn":"y"})").has_error());
    EXPECT_TRUE(check_arguments(tool, R"({"x":1})").has_error());

    const ToolDefinition names = tool_with(R"({"propertyNames":{"pattern":"^(n+)+$"}})");
    EXPECT_TRUE(check_arguments(names, R"({")" + longest + R"(":1})"));
    EXPECT_TRUE(check_arguments(names, R"({")" + longest + R"(!":1})").has_error());
}

TEST(SchemaCheck, DatesAndTimesAreCheckedWhateverTheirLength) {
    const ToolDefinition date = text_tool("format", "date"), time = text_tool("format", "time"),
                         both = text_tool("format", "date-time");
    EXPECT_TRUE(fits(date, "2026-02-29"));
    for (const char* text : {"2026-02-30", "2026-04-31", "2026-13-01", "26/1/1", "2026-01-01x", ""})
        EXPECT_FALSE(fits(date, text)) << text;
    EXPECT_TRUE(fits(time, "16:52:45Z"));
    EXPECT_TRUE(fits(time, "16:52:45.25+02:00"));
    for (const char* text : {"24:00:00Z", "16:52:45", "16:52"}) EXPECT_FALSE(fits(time, text)) << text;
    EXPECT_TRUE(fits(both, "2026-07-18T16:52:45Z"));
    for (const char* text : {"2026-06-31T16:52:45Z", "2026-07-18 16:52:45Z", "2026-07-18T16:52:45"})
        EXPECT_FALSE(fits(both, text)) << text;
    const std::string digits(200'000, '1');
    EXPECT_TRUE(fits(date, digits + "-01-01"));
    EXPECT_TRUE(fits(time, "16:52:45." + digits + "Z"));
    EXPECT_FALSE(fits(both, digits));
    EXPECT_TRUE(check_arguments(tool_with(R"({"properties":{"s":{"format":"date"}}})"), R"({"s":7})"))
        << "for texts only";
}

TEST(SchemaCheck, ManyItemsAreCheckedForUniqueness) {
    const ToolDefinition tool = tool_with(R"({"properties":{"list":{"uniqueItems":true}}})");
    std::string items;
    for (int i = 0; i < 50'000; i++) items += std::to_string(i) + ",";
    EXPECT_TRUE(check_arguments(tool, R"({"list":[)" + items + R"("7",[7],{"a":7}]})"));
    EXPECT_TRUE(check_arguments(tool, R"({"list":[)" + items + "7]}").has_error());
    EXPECT_TRUE(check_arguments(tool, R"({"list":[{"a":1,"b":[2.5]},{"b":[2.5],"a":1}]})").has_error());
    EXPECT_TRUE(check_arguments(tool, R"({"list":[["a","b"],["a,b"],"a",true,"true",null,"null"]})"));
    EXPECT_TRUE(check_arguments(tool, R"({"list":[]})"));
}

TEST(SchemaCheck, ArgumentsAreReadToADepthOf64) {
    const ToolDefinition tool = tool_with(R"({"type":"object"})");
    const auto nested = [](int depth) {
        return R"({"a":)" + std::string(std::size_t(depth) - 1, '[') + std::string(std::size_t(depth) - 1, ']') + "}";
    };
    EXPECT_TRUE(check_arguments(tool, nested(40)));
    EXPECT_TRUE(check_arguments(tool, nested(64)));
    EXPECT_TRUE(check_arguments(tool, nested(65)).has_error());
}

TEST(SchemaCheck, ATextIsCheckedBeyondItsFirstNul) {
    const ToolDefinition tool = tool_with(
        R"({"properties":{"word":{"pattern":"^[a-z]+$"},"mode":{"enum":["fast"]},"list":{"items":{"maxLength":1}}}})");
    EXPECT_TRUE(check_arguments(tool, R"({"word":"a\u0000; rm"})").has_error());
    EXPECT_TRUE(check_arguments(tool, R"({"mode":"fast\u0000er"})").has_error());
    EXPECT_TRUE(check_arguments(tool, R"({"list":["a\u0000b"]})").has_error());
}

TEST(SchemaCheck, ALargeIntegerIsAnIntegerAndANumber) {
    for (const char* type : {"integer", "number"}) {
        const ToolDefinition tool =
            tool_with(R"({"properties":{"n":{"minimum":0,"type":")" + std::string(type) + R"("}}})");
        EXPECT_TRUE(check_arguments(tool, R"({"n":12345678901234567890})")) << type;
        EXPECT_TRUE(check_arguments(tool, R"({"n":-1})").has_error()) << type;
    }
}

TEST(SchemaCheck, AReferenceThatLeadsBackToItselfIsRefused) {
    for (
        const char* schema :
        {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})", R"({"properties":{"a":{"$ref":"#/properties/a"}}})",
         R"({"properties":{"a":{"anyOf":[{"$ref":"#/definitions/b"}]}},"definitions":{"b":{"not":{"$ref":"#/properties/a"}}}})",
         R"({"type":"object","dependencies":{"a":{"$ref":"#"}}})", R"({"allOf":[{"$ref":"#/"}]})",
         R"({"definitions":{"b c":{"dependencies":{"a":{"not":{"$ref":"#//definitions/b%20c/"}}}}}})",
         R"({"id":"http://x/y","allOf":[{"$ref":"http://x/y#"}]})"}) {
        const auto usable = check_schema(tool_with(schema));
        ASSERT_TRUE(usable.has_error()) << schema;
        EXPECT_THAT(usable.error().message, HasSubstr("leads back to itself"));
    }
    EXPECT_TRUE(check_arguments(tool_with(R"({"dependencies":{"a":{"$ref":"#"}}})"), R"({"a":1})").has_error())
        << "of a task that was submitted before it was refused";
    const ToolDefinition dependent = tool_with(
        R"({"dependencies":{"a":["b"],"b":{"$ref":"#/definitions/x"}},"definitions":{"x":{"required":["c"]}}})");
    ASSERT_TRUE(check_schema(dependent)) << check_schema(dependent).error().message;
    EXPECT_TRUE(check_arguments(dependent, R"({"b":1,"c":2})"));
    EXPECT_TRUE(check_arguments(dependent, R"({"b":1})").has_error());
    const ToolDefinition tree = tool_with(
        R"({"type":"object","properties":{"left":{"$ref":"#"},"right":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}})");
    ASSERT_TRUE(check_schema(tree)) << check_schema(tree).error().message;
    EXPECT_TRUE(check_arguments(tree, R"({"left":{"right":{}}})"));
    EXPECT_TRUE(check_arguments(tree, R"({"left":{"right":7}})").has_error());
}

TEST(SchemaCheck, AMultipleOfNothingIsRefused) {
    for (const char* schema : {R"({"multipleOf":0})", R"({"properties":{"n":{"multipleOf":-1}}})"}) {
        EXPECT_TRUE(check_schema(tool_with(schema)).has_error()) << schema;
        EXPECT_TRUE(check_arguments(tool_with(schema), R"({"n":4})").has_error()) << schema;
    }
}

}  // namespace
}  // namespace pawl::agent
