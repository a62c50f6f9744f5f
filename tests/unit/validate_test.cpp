#include "core/validate.hpp"
#include "core/canonical_json.hpp"
#include "core/fingerprint.hpp"
#include "core/limits.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace pawl;
using namespace pawl::core;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

const WallInstant now = wall_instant(1'772'366'400'000'000);  // 2026-03-01T12:00:00Z

SubmitRequest request(SubmitOptions options = {}) {
    SubmitRequest r;
    r.type = "deploy";
    r.input = "{\"app\": \"web\"}";
    r.options = std::move(options);
    return r;
}

Submit made(SubmitRequest r) {
    auto submit = make_submit(std::move(r), now, {1, 2});
    EXPECT_TRUE(submit) << submit.error().message;
    return submit ? *submit : Submit{};
}

std::string refusal(SubmitRequest r, Errc code = Errc::bad_input) {
    const auto submit = make_submit(std::move(r), now, {1, 2});
    EXPECT_FALSE(submit);
    if (submit) return "";
    EXPECT_EQ(submit.error().code, code);
    return submit.error().message;
}

std::string refusal(SubmitOptions options) { return refusal(request(std::move(options))); }

std::string message(const Result<void>& result) { return result ? "(accepted)" : result.error().message; }

}  // namespace

TEST(MakeSubmit, APlainRequestGetsTheDefaults) {
    const Submit submit = made(request());
    EXPECT_EQ(submit.id, make_task_id(now, 0, 1, 2));
    EXPECT_EQ(submit.lane, (LaneKey{"default", "default", "deploy", 0, ""}));
    EXPECT_EQ(submit.input, "{\"app\": \"web\"}") << "stored as given";
    EXPECT_EQ(submit.fingerprint, Hash{}) << "only a key needs one";
    EXPECT_EQ(submit.priority, 0);
    EXPECT_FALSE(submit.delay || submit.queue_timeout || submit.max_attempts);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(submit.deadline));
}

TEST(MakeSubmit, EveryOptionArrives) {
    SubmitRequest r = request(SubmitOptions()
                                  .key("web-7")
                                  .queue("deploys")
                                  .priority(-100)
                                  .deadline(15min)
                                  .delay(30s)
                                  .queue_timeout(1h)
                                  .max_attempts(0)
                                  .on_existing(OnExisting::replace)
                                  .tags({"b", "a", "b"}));
    r.space = "team/a";
    r.flow_key = "user 7";
    r.shard = 3;
    r.definition = "{}";
    const Submit submit = made(r);
    EXPECT_EQ(submit.lane, (LaneKey{"team/a", "deploys", "deploy", 0, "user 7"}));
    EXPECT_EQ(submit.key, "web-7");
    EXPECT_EQ(submit.fingerprint, fingerprint({"team/a", "deploy", "{\"app\":\"web\"}"}));
    EXPECT_EQ(submit.priority, -100);
    EXPECT_EQ(std::get<Micros>(submit.deadline), 15min);
    EXPECT_EQ(submit.delay, Micros{30s});
    EXPECT_EQ(submit.queue_timeout, Micros{1h});
    EXPECT_EQ(submit.max_attempts, 0);
    EXPECT_EQ(submit.on_existing, OnExisting::replace);
    EXPECT_EQ(submit.tags, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(submit.id.shard(), 3);
    EXPECT_EQ(submit.definition, "{}");
}

TEST(MakeSubmit, OptionsTakeNoPartInTheFingerprintButTypeInputAndNamespaceDo) {
    const auto of = [](SubmitRequest r, std::string type, std::string space, std::string input) {
        r.type = std::move(type), r.space = std::move(space), r.input = std::move(input);
        return made(std::move(r)).fingerprint;
    };
    const SubmitOptions plain = SubmitOptions().key("k");
    const SubmitOptions busy =
        SubmitOptions().key("other").queue("q").priority(9).deadline(1h).max_attempts(3).tags({"t"});
    const Hash first = of(request(plain), "deploy", "default", "{\"a\":1,\"b\":2}");
    EXPECT_EQ(of(request(busy), "deploy", "default", " {\"b\":2.0, \"a\":1e0} "), first);
    EXPECT_NE(of(request(plain), "deploy2", "default", "{\"a\":1,\"b\":2}"), first);
    EXPECT_NE(of(request(plain), "deploy", "other", "{\"a\":1,\"b\":2}"), first);
    EXPECT_NE(of(request(plain), "deploy", "default", "{\"a\":1,\"b\":3}"), first);
}

TEST(MakeSubmit, AMalformedTypeIsRefusedAtItsCharacter) {
    const auto of = [](std::string type) {
        SubmitRequest r = request();
        r.type = std::move(type);
        return refusal(std::move(r));
    };
    EXPECT_EQ(of(""), "type is empty; give it a name");
    EXPECT_EQ(of("my type"),
              "type \"my type\" is malformed at character 3 (\" \"); use letters, digits and _ . : / -, "
              "and start with a letter or digit");
    EXPECT_NE(of("-x").find("at character 1"), std::string::npos);
    EXPECT_NE(of(".").find("at character 1"), std::string::npos);
    EXPECT_NE(of("a\0b"s).find("\"a\\u0000b\" is malformed at character 2"), std::string::npos);
    EXPECT_NE(of("größe").find("at character 3 (\"ö\")"), std::string::npos);
    EXPECT_NE(of("a\xff").find("(\"\\xff\")"), std::string::npos);
    EXPECT_NE(of("x'; drop table task; --").find("at character 2"), std::string::npos);
    EXPECT_NE(of(std::string(129, 'a')).find("at most 128"), std::string::npos);
    EXPECT_LT(of(std::string(1'000'000, ' ')).size(), 400u) << "a message is never as long as its cause";
}

TEST(MakeSubmit, WellFormedTypesThatNobodyServesAreAccepted) {
    for (const std::string& type : {"a"s, "9"s, "disk-doctor"s, "team/a.b:c_d"s, std::string(128, 'z')}) {
        SubmitRequest r = request();
        r.type = type;
        EXPECT_EQ(made(r).lane.type, type);
    }
}

TEST(MakeSubmit, QueueAndNamespaceFollowTheSameRule) {
    EXPECT_NE(refusal(SubmitOptions().queue("no spaces")).find("queue \"no spaces\""), std::string::npos);
    SubmitRequest r = request();
    r.space = "";
    EXPECT_EQ(refusal(r), "namespace is empty; give it a name");
}

TEST(MakeSubmit, KeysAreUtf8WithoutControlCharactersUpTo255Bytes) {
    made(request(SubmitOptions().key(std::string(255, 'k'))));
    made(request(SubmitOptions().key("order 7 / größe \"x\"")));
    EXPECT_NE(refusal(SubmitOptions().key(std::string(256, 'k'))).find("at most 255 bytes"), std::string::npos);
    EXPECT_LT(refusal(SubmitOptions().key(std::string(1'000'000, 'k'))).size(), 200u);
    EXPECT_NE(refusal(SubmitOptions().key("a\nb")).find("key \"a\\u000ab\" has a control character at byte 1"),
              std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().key("a\0b"s)).find("control character"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().key("\u0085")).find("control character"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().key("\x7f")).find("control character"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().key("ab\xff")).find("not UTF-8 at byte 2"), std::string::npos);
    EXPECT_EQ(message(check_key({"--key", ""})), "--key is empty; give 1 to 255 bytes");
}

TEST(MakeSubmit, PrioritiesAndAttemptsKeepTheirLimits) {
    EXPECT_EQ(made(request(SubmitOptions().priority(100))).priority, 100);
    EXPECT_NE(refusal(SubmitOptions().priority(101)).find("priority 101 is outside -100 to 100"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().priority(-101)).find("priority -101"), std::string::npos);
    EXPECT_EQ(made(request(SubmitOptions().max_attempts(1'000))).max_attempts, 1'000);
    EXPECT_NE(refusal(SubmitOptions().max_attempts(1'001)).find("max_attempts 1001 is outside 0 to 1,000"),
              std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().max_attempts(-1)).find("max_attempts -1"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().max_attempts(0)).find("needs a deadline"), std::string::npos);
    EXPECT_EQ(made(request(SubmitOptions().max_attempts(0).deadline(TimePoint(now) + 1h))).max_attempts, 0);
}

TEST(MakeSubmit, ADeadlineThatHasPassedIsRefused) {
    EXPECT_EQ(
        refusal(SubmitOptions().deadline(TimePoint(now))),
        "deadline 2026-03-01T12:00:00.000Z is in the past (it is 2026-03-01T12:00:00.000Z); give one that is still "
        "to come");
    EXPECT_NE(refusal(SubmitOptions().deadline(TimePoint(now) - 24h)).find("is in the past"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().deadline(0s)).find("deadline 0 s from now is in the past"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().deadline(-5s)).find("deadline -5 s from now"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().deadline(Duration::min())).find("in the past"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().deadline(TimePoint::min())).find("in the past"), std::string::npos);
    EXPECT_EQ(std::get<WallInstant>(made(request(SubmitOptions().deadline(TimePoint(now) + 1ms))).deadline), now + 1ms);
}

TEST(MakeSubmit, LengthsBeyondTenYearsAreRefusedWithoutOverflow) {
    for (const Duration length : {Duration(24h * 3'653), Duration::max(), Duration::max() / 1'000}) {
        EXPECT_NE(refusal(SubmitOptions().deadline(length)).find("10 years"), std::string::npos);
        EXPECT_NE(refusal(SubmitOptions().delay(length)).find("10 years"), std::string::npos);
        EXPECT_NE(refusal(SubmitOptions().queue_timeout(length)).find("10 years"), std::string::npos);
    }
    EXPECT_NE(refusal(SubmitOptions().deadline(TimePoint::max())).find("more than 10 years ahead"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().delay(-1ms)).find("delay of -1 ms"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().queue_timeout(0ms)).find("queue_timeout of 0 ms"), std::string::npos);
    EXPECT_EQ(made(request(SubmitOptions().delay(0s))).delay, Micros{0});
    EXPECT_EQ(made(request(SubmitOptions().delay(24h * 3'652))).delay, limits::delay_max);
}

TEST(MakeSubmit, AnInputThatIsNotJsonOrTooLargeIsRefusedByField) {
    SubmitRequest r = request();
    r.input = "{\"a\":1,}";
    EXPECT_EQ(refusal(r), "input: invalid JSON at byte 7: expected a key in double quotes, found \"}\"");
    r.input = std::string(65, '[') + std::string(65, ']');
    EXPECT_NE(refusal(r).find("input: invalid JSON at byte 64: more than 64 levels"), std::string::npos);
    r.input = "\"" + std::string(limits::input_bytes_max, 'x') + "\"";
    EXPECT_NE(refusal(r, Errc::too_large).find("input: JSON of 1048578 bytes"), std::string::npos);
    r.input = R"("\u0000")";
    EXPECT_EQ(made(r).input, R"("\u0000")");
}

TEST(MakeSubmit, TagsAreFewShortTexts) {
    EXPECT_NE(refusal(SubmitOptions().tags({"ok", ""})).find("tag is empty"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().tags({"a\tb"})).find("control character"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().tags({std::string(129, 't')})).find("at most 128 bytes"), std::string::npos);
    EXPECT_NE(refusal(SubmitOptions().tags(std::vector<std::string>(33, "t"))).find("33 given, at most 32"),
              std::string::npos);
}

TEST(Validate, RandomBytesNeverPassAsNamesUnlessTheyMatchTheRule) {
    std::mt19937 random(4);
    for (int i = 0; i < 20'000; ++i) {
        std::string name(random() % 6, '\0');
        for (char& c : name) c = static_cast<char>(random());
        const bool ok = !name.empty() && std::isalnum(static_cast<unsigned char>(name[0])) &&
                        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-") ==
                            std::string::npos;
        ASSERT_EQ(check_name({"type", name}).has_value(), ok);
        ASSERT_LT(message(check_name({"type", name})).size(), 300u);
        ASSERT_LT(message(check_key({"key", name})).size(), 300u);
    }
}

TEST(Validate, JsonFieldsAreNamedInTheirRefusals) {
    EXPECT_EQ(message(check_json_field({"--result", "{"}, 100)),
              "--result: invalid JSON at byte 1: expected a key in double quotes, the text ends");
    EXPECT_EQ(check_json_field({"--result", "\"" + std::string(100, 'x') + "\""}, 100).error().code, Errc::too_large);
    EXPECT_TRUE(check_json_field({"--result", " null "}, 100));
}
