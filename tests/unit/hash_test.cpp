#include "core/canonical_json.hpp"
#include "core/fingerprint.hpp"
#include "core/sha256.hpp"
#include "core/step_key.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace pawl::core;

TEST(Sha256, KnownInputsGiveKnownHashes) {
    EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Fingerprint, StaysTheSameForEver) {
    // It is stored beside keys that live for weeks: this value may never change.
    EXPECT_EQ(to_hex(fingerprint({"default", "deploy", "{}"})),
              "b755a1e8441987be59b9bd00a384349678cfc09cbd0b276bed13750a4b8b1389");
}

TEST(Fingerprint, EveryPartCountsAndNoBoundaryCanMove) {
    std::set<Hash> seen;
    EXPECT_TRUE(seen.insert(fingerprint({"a", "b", "1"})).second);
    EXPECT_TRUE(seen.insert(fingerprint({"ab", "", "1"})).second);
    EXPECT_TRUE(seen.insert(fingerprint({"", "ab", "1"})).second);
    EXPECT_TRUE(seen.insert(fingerprint({"a", "b1", ""})).second);
    EXPECT_TRUE(seen.insert(fingerprint({"a", "b", "2"})).second);
}

TEST(Fingerprint, TwoSpellingsOfOneInputAreOne) {
    const auto of = [](std::string_view input) { return fingerprint({"default", "deploy", *canonical_json(input)}); };
    EXPECT_EQ(of(R"({"b": 1e1, "a": "\u00e9"})"), of("{\"a\":\"é\",\"b\":10}"));
    EXPECT_NE(of("9007199254740993"), of("9007199254740992"));
}

TEST(StepKey, IsStableShortAndItsOwnForEachStep) {
    const TaskId one = make_task_id(wall_instant(1'700'000'000'000'000), 0, 1, 2);
    const TaskId other = make_task_id(wall_instant(1'700'000'000'000'000), 0, 1, 3);
    EXPECT_EQ(step_key(one, "start host in a#1", 0), "baf05a7ab204427293bfcdc75637b2ee");

    const std::set<std::string> keys{step_key(one, "start host in a#1", 0), step_key(one, "start host in a#2", 0),
                                     step_key(one, "start host in a#1", 1), step_key(other, "start host in a#1", 0),
                                     step_key(one, "start host in a#", 10), step_key(one, "", 0)};
    EXPECT_EQ(keys.size(), 6u);
    for (const auto& key : keys) EXPECT_EQ(key.size(), 32u);
}
