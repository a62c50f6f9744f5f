// Chat Completions on the wire: request texts, answers, failures and how long to wait.
#include "agent/chat.hpp"
#include "agent/secret.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

AgentDefinition agent_with_tool() {
    AgentDefinition agent;
    agent.model = "gpt-5-mini";
    ToolDefinition tool;
    tool.name = "df";
    tool.description = "disk usage";
    agent.tools.push_back(tool);
    return agent;
}

TEST(ChatRequest, ItHoldsModelMessagesAndTools) {
    const std::vector<Message> messages{{"system", "Be brief.", {}, {}},
                                        {"user", "Clean \"it\"\n", {}, {}},
                                        {"assistant", std::nullopt, {{"c1", "df", "{\"a\":1"}}, {}},
                                        {"tool", "93 %", {}, "c1"}};
    const auto body = boost::json::parse(chat_request(agent_with_tool(), messages));

    EXPECT_EQ(body.at("model").as_string(), "gpt-5-mini");
    const auto& sent = body.at("messages").as_array();
    ASSERT_EQ(sent.size(), 4u);
    EXPECT_EQ(sent[1].at("content").as_string(), "Clean \"it\"\n");
    EXPECT_TRUE(sent[2].at("content").is_null());
    EXPECT_EQ(sent[2].at("tool_calls").at(0).at("function").at("arguments").as_string(), "{\"a\":1") << "as it came";
    EXPECT_EQ(sent[3].at("tool_call_id").as_string(), "c1");
    EXPECT_EQ(body.at("tools").at(0).at("function").at("name").as_string(), "df");
    EXPECT_EQ(body.at("tools").at(0).at("function").at("parameters").at("type").as_string(), "object");
    EXPECT_TRUE(body.at("parallel_tool_calls").as_bool());
}

TEST(ChatRequest, WithoutToolsNothingIsSaidAboutThem) {
    AgentDefinition agent;
    agent.model = "m";
    const auto body = boost::json::parse(chat_request(agent, {{"user", "hello", {}, {}}}));
    EXPECT_FALSE(body.as_object().contains("tools"));
    EXPECT_FALSE(body.as_object().contains("parallel_tool_calls"));
}

std::string answer_with(const std::string& message, const std::string& rest = "") {
    return R"({"model":"m-1","choices":[{"finish_reason":"stop","message":)" + message + "}]" + rest + "}";
}

TEST(ChatAnswer, TextUsageAndModelAreRead) {
    const auto chat = parse_chat_answer(answer_with(
        R"({"role":"assistant","content":"hi"})",
        R"(,"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,)"
        R"("prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}})"));
    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->message.content, "hi");
    EXPECT_EQ(chat->model, "m-1");
    EXPECT_EQ(chat->finish_reason, "stop");
    EXPECT_EQ(chat->usage.total_tokens, 15);
    EXPECT_EQ(chat->usage.cached_tokens, 4);
    EXPECT_EQ(chat->usage.reasoning_tokens, 3);
}

TEST(ChatAnswer, ToolCallsAreReadHoweverTheyAreMissingTheirIds) {
    const auto chat = parse_chat_answer(
        answer_with(R"({"content":null,"tool_calls":[{"id":"x","function":{"name":"a","arguments":" { } "}},)"
                    R"({"id":"x","function":{"name":"b","arguments":""}},{"function":{"name":"c"}}]})"));
    ASSERT_TRUE(chat);
    ASSERT_EQ(chat->message.tool_calls.size(), 3u);
    EXPECT_EQ(chat->message.tool_calls[0].id, "x");
    EXPECT_NE(chat->message.tool_calls[1].id, "x");
    EXPECT_FALSE(chat->message.tool_calls[2].id.empty());
    EXPECT_NE(chat->message.tool_calls[1].id, chat->message.tool_calls[2].id);
    EXPECT_EQ(chat->message.tool_calls[2].arguments, "");
    EXPECT_FALSE(chat->message.content);
}

TEST(ChatAnswer, ArgumentsThatAreAnObjectCountAsTheirText) {
    const auto chat = parse_chat_answer(
        answer_with(R"({"tool_calls":[{"id":"x","function":{"name":"a","arguments":{"path":"/"}}}]})"));
    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->message.tool_calls.at(0).arguments, R"({"path":"/"})");
}

TEST(ChatAnswer, ARefusalIsTheText) {
    const auto chat = parse_chat_answer(answer_with(R"({"content":null,"refusal":"I cannot help with that."})"));
    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->message.content, "I cannot help with that.");
}

TEST(ChatAnswer, WhatIsNoAnswerIsAnErrorThatShowsItsBeginning) {
    const std::string deep = std::string(1'000, '[');
    for (const std::string& body :
         {std::string(), std::string("<html>502</html>"), std::string("null"), std::string("[]"), std::string("{}"),
          std::string(R"({"choices":[]})"), std::string(R"({"choices":[7]})"), std::string(R"({"choices":[{}]})"),
          std::string(R"({"choices":[{"message":7}]})"), answer_with(R"({"tool_calls":7})"),
          answer_with(R"({"tool_calls":[{"id":"x"}]})"), answer_with(R"({"content":"hi"})") + "}", deep,
          std::string("\xff\xfe")}) {
        const auto chat = parse_chat_answer(body);
        ASSERT_TRUE(chat.has_error()) << body;
        EXPECT_EQ(chat.error().code, Errc::bad_input);
        EXPECT_THAT(chat.error().message, HasSubstr("not a chat completion"));
        EXPECT_LT(chat.error().message.size(), 400u);
    }
    EXPECT_THAT(parse_chat_answer("<html>502</html>").error().message, HasSubstr("<html>502</html>"));
}

TEST(ChatAnswer, OddUsageCountsAsNothing) {
    for (const char* usage : {"null", "7", "{}", R"({"total_tokens":-5})", R"({"total_tokens":"many"})"}) {
        const auto chat = parse_chat_answer(answer_with(R"({"content":"hi"})", std::string(R"(,"usage":)") + usage));
        ASSERT_TRUE(chat) << usage;
        EXPECT_EQ(chat->usage.total_tokens, 0) << usage;
    }
}

core::HttpResponse response(int status, std::vector<std::pair<std::string, std::string>> headers = {},
                            std::string body = "") {
    return {status, std::move(headers), std::move(body)};
}

TEST(ChatFailure, TheStatusSaysWhetherToTryAgain) {
    for (const int status : {408, 409, 425, 429, 500, 502, 503, 504, 529})
        EXPECT_EQ(classify(response(status), {}).failure.cls, ErrorClass::retryable) << status;
    for (const int status : {301, 400, 401, 402, 403, 404, 405, 413, 422})
        EXPECT_EQ(classify(response(status), {}).failure.cls, ErrorClass::final) << status;
    EXPECT_EQ(classify(response(500, {{"x-should-retry", "false"}}), {}).failure.cls, ErrorClass::final);
    EXPECT_EQ(classify(response(400, {{"x-should-retry", "true"}}), {}).failure.cls, ErrorClass::retryable);
    const std::string quota = R"({"error":{"message":"pay","code":"insufficient_quota"}})";
    EXPECT_EQ(classify(response(429, {}, quota), {}).failure.cls, ErrorClass::final);
    EXPECT_THAT(classify(response(429, {}, quota), {}).failure.message, HasSubstr("answered 429: pay"));
}

TEST(ChatFailure, WithoutAnAnswerOnlyWhatCannotChangeIsFinal) {
    using Kind = core::NetError::Kind;
    for (const Kind kind : {Kind::connect, Kind::reset, Kind::timeout, Kind::malformed})
        EXPECT_EQ(classify(core::NetError{kind, "x", false}).failure.cls, ErrorClass::retryable);
    for (const Kind kind : {Kind::bad_url, Kind::too_large})
        EXPECT_EQ(classify(core::NetError{kind, "x", false}).failure.cls, ErrorClass::final);
}

TEST(RetryAfter, EveryFormIsRead) {
    // 1994-11-06 08:49:37 UTC
    const auto now = core::wall_instant(784'111'777'000'000);
    const auto of = [&](const char* name, const char* value) {
        return retry_after(response(429, {{name, value}}), now);
    };
    EXPECT_EQ(of("retry-after-ms", "1500"), 1500ms);
    EXPECT_EQ(of("retry-after", "2"), 2s);
    EXPECT_EQ(of("retry-after", "0.5"), 500ms);
    EXPECT_EQ(of("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), 60s);
    EXPECT_EQ(of("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), 0s) << "already past";
    EXPECT_EQ(of("x-ratelimit-reset-requests", "1m30s"), 90s);
    EXPECT_EQ(of("x-ratelimit-reset-tokens", "120ms"), 120ms);
    for (const char* bad : {"", "soon", "-5", "nan", "1e300", "2 seconds"})
        EXPECT_EQ(of("retry-after", bad), std::nullopt) << bad;
    EXPECT_EQ(of("x-ratelimit-reset-tokens", "7"), std::nullopt) << "no unit";
    EXPECT_EQ(retry_after(response(429), now), std::nullopt);
}

TEST(RetryAfter, TheMostExactHeaderCounts) {
    const auto both =
        response(429, {{"retry-after", "9"}, {"retry-after-ms", "100"}, {"x-ratelimit-reset-tokens", "5m"}});
    EXPECT_EQ(retry_after(both, {}), 100ms);
    const auto resets = response(429, {{"x-ratelimit-reset-requests", "1s"}, {"x-ratelimit-reset-tokens", "2s"}});
    EXPECT_EQ(retry_after(resets, {}), 2s);
}

TEST(Secret, ItIsMaskedWhereverItStands) {
    EXPECT_EQ(without_secret("a sk-12345678 b sk-12345678", "sk-12345678"), "a *** b ***");
    EXPECT_EQ(without_secret("nothing", ""), "nothing");
    EXPECT_EQ(without_secret("ollama runs", "ollama"), "ollama runs") << "a placeholder, not a secret";
    EXPECT_EQ(without_secret(std::string(20, '*'), std::string(8, '*')).find("********"), std::string::npos);
}

TEST(Secret, ItIsMaskedWhereJsonEscapesStandForIt) {
    const std::string key = "sk-AbCd/EfGh\"12";
    for (const std::string text :
         {R"(sk-AbCd/EfGh"12)", R"(sk-AbCd\/EfGh\"12)", R"(sk-AbCd\\\/EfGh\\\"12)", R"(sk\u002dAbCd\u002FEfGh\u002212)",
          R"(\u0073k-AbCd\\\\u002fEfGh\\u002212)", R"(sk-AbCd\u005c/EfGh"12)"})
        EXPECT_EQ(without_secret("a " + text + " b", key),
                  text.find("005c") == text.npos ? "a *** b" : "a " + text + " b")
            << text;
    EXPECT_EQ(without_secret(R"({"a":"C:\\dir","b":"\u00e9\u0073k-AbC"})", key),
              R"({"a":"C:\\dir","b":"\u00e9\u0073k-AbC"})");
    EXPECT_EQ(without_secret(R"(x\\y\z01)", R"(x\y\z01x)"), R"(x\\y\z01)");
    EXPECT_EQ(without_secret(R"(x\\y\\z01x)", R"(x\y\z01x)"), "***");
    EXPECT_EQ(without_secret("sk-AbCd/EfGh\"1", key), "sk-AbCd/EfGh\"1") << "cut: not the key";
    EXPECT_EQ(without_secret("sk-AbCd\\", key), "sk-AbCd\\");
    EXPECT_EQ(without_secret("sk-AbCd\\u00", key), "sk-AbCd\\u00");
    const std::string many(1 << 20, '\\');
    EXPECT_EQ(without_secret(many, key), many);
}

TEST(Price, TokensCostByTheirKind) {
    const ModelPrice price{1'000'000, 100'000, 8'000'000};
    EXPECT_EQ(cost_of(price, Usage{100, 10, 110, 0, 0}), 180);
    EXPECT_EQ(cost_of(price, Usage{100, 10, 110, 100, 0}), 90);
    EXPECT_EQ(cost_of(price, Usage{100, 0, 100, 1'000'000, 0}), 10) << "no more is cached than was sent";
    EXPECT_EQ(cost_of(ModelPrice{1, 1, 1}, Usage{1, 0, 1, 0, 0}), 1) << "rounded up";
    EXPECT_EQ(cost_of(price, Usage{-5, -5, 0, -5, 0}), 0);
    EXPECT_GT(cost_of(ModelPrice{1'000'000'000, 1'000'000'000, 1'000'000'000},
                      Usage{std::int64_t{1} << 62, std::int64_t{1} << 62, 0, 0, 0}),
              0);
}

}  // namespace
}  // namespace pawl::agent
