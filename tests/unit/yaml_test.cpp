// JSON as YAML.
#include "cli/yaml.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pawl::cli {
namespace {

TEST(Yaml, ScalarsStayAsJsonWritesThem) {
    EXPECT_EQ(yaml_of("null"), "--- null\n");
    EXPECT_EQ(yaml_of(" -12345678901234567890.50 "), "--- -12345678901234567890.50\n");
    EXPECT_EQ(yaml_of(R"("yes: \"no\" # \\ \n")"), "--- \"yes: \\\"no\\\" # \\\\ \\n\"\n");
}

TEST(Yaml, ObjectsAndListsAreBlocks) {
    EXPECT_EQ(yaml_of(R"({"id":"t1","tags":[],"input":{},"limits":{"turns":3,"cost":null},
                         "entries":[{"no":1,"due":true},[1,[2]],"x"]})"),
              "---\n"
              "id: \"t1\"\n"
              "tags: []\n"
              "input: {}\n"
              "limits:\n"
              "  turns: 3\n"
              "  cost: null\n"
              "entries:\n"
              "  - \"no\": 1\n"
              "    due: true\n"
              "  - - 1\n"
              "    - - 2\n"
              "  - \"x\"\n");
}

TEST(Yaml, AKeyThatCouldBeTakenForSomethingElseIsQuoted) {
    EXPECT_EQ(yaml_of(R"({"No":1,"1a":2,"":3,"a b":4,"a-b_2":5})"),
              "---\n\"No\": 1\n\"1a\": 2\n\"\": 3\n\"a b\": 4\na-b_2: 5\n");
    const std::string key(2'000, 'k');
    EXPECT_EQ(yaml_of("[{\"" + key + "\":{\"a\":1}}]"), "---\n- ? \"" + key + "\"\n  :\n    a: 1\n");
}

TEST(Yaml, ACharacterInTwoEscapesBecomesOne) {
    EXPECT_EQ(yaml_of(R"("\ud83d\ude00 \\ud83d\u00e9")"), R"(--- "\U0001f600 \\ud83d\u00e9")"
                                                          "\n");
}

}  // namespace
}  // namespace pawl::cli
