// The scripted endpoint over real HTTP, read by the same codec that reads the real ones.
#include "agent/stand_in_model.hpp"

#include "agent/secret.hpp"
#include "net/http_client.hpp"
#include "support/net_loop.hpp"

#include <gtest/gtest.h>

namespace pawl::agent {
namespace {

using core::HttpResponse;
using core::NetError;

struct StandIn : ::testing::Test {
    boost::asio::io_context loop{1};
    net::HttpClient client{loop};
    StandInModel model{script_of({ScriptedTurn::asks("check_disk", R"({"path":"/"})"), ScriptedTurn::says("done")})};
    AgentDefinition agent;
    std::vector<Message> messages{{"user", "I'm out of disk space.", {}, {}}};

    void SetUp() override {
        ASSERT_TRUE(model.start());
        agent.model = "any";
    }
    testing::Answer ask(core::Micros timeout = std::chrono::seconds(10)) {
        core::HttpRequest request;
        request.url = model.base_url() + "/chat/completions";
        request.headers = {{"Idempotency-Key", "k" + std::to_string(messages.size())},
                           {"Authorization", "Bearer sk-1234567890"}};
        request.body = chat_request(agent, messages);
        request.timeout = timeout;
        return testing::exchange(loop, client, std::move(request));
    }
    ChatAnswer answer() {
        const auto got = ask();
        const auto* response = std::get_if<HttpResponse>(&got);
        EXPECT_TRUE(response && response->status == 200);
        return response ? parse_chat_answer(response->body).value() : ChatAnswer{};
    }
    HttpResponse response() {
        auto got = ask();
        EXPECT_TRUE(std::holds_alternative<HttpResponse>(got));
        return std::holds_alternative<HttpResponse>(got) ? std::get<HttpResponse>(std::move(got)) : HttpResponse{};
    }
    NetError::Kind error(core::Micros timeout = std::chrono::seconds(10)) {
        const auto got = ask(timeout);
        EXPECT_TRUE(std::holds_alternative<NetError>(got));
        return std::holds_alternative<NetError>(got) ? std::get<NetError>(got).kind : NetError::Kind::cancelled;
    }
};

TEST_F(StandIn, TurnsFollowTheConversationAndRepeatForARepeatedRequest) {
    const ChatAnswer first = answer();
    ASSERT_EQ(first.message.tool_calls.size(), 1u);
    EXPECT_EQ(first.message.tool_calls[0].name, "check_disk");
    EXPECT_EQ(first.message.tool_calls[0].arguments, R"({"path":"/"})");
    EXPECT_EQ(answer().message.tool_calls[0].id, first.message.tool_calls[0].id);
    EXPECT_GT(first.usage.total_tokens, 0);

    messages.push_back(first.message);
    messages.push_back({"tool", "93 %", {}, first.message.tool_calls[0].id});
    EXPECT_EQ(answer().message.content, "done");
    EXPECT_EQ(answer().finish_reason, "stop");

    const auto seen = model.requests();
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0].key, "k1");
    EXPECT_EQ(seen[0].turn, 0);
    EXPECT_EQ(seen[3].key, "k3");
    EXPECT_EQ(seen[3].turn, 1);
    EXPECT_LE(seen[0].at_us, seen[3].at_us);
}

TEST_F(StandIn, AScriptMayAnswerByWhatTheToolsFound) {
    StandInModel echo([](int, const std::vector<Message>& all) {
        return ScriptedTurn::says("you said: " + all.back().content.value_or(""));
    });
    ASSERT_TRUE(echo.start());
    core::HttpRequest request;
    request.url = echo.base_url() + "/chat/completions";
    request.body = chat_request(agent, messages);
    const auto got = testing::exchange(loop, client, request);
    EXPECT_EQ(parse_chat_answer(std::get<HttpResponse>(got).body)->message.content, "you said: I'm out of disk space.");
}

TEST_F(StandIn, AConversationWithAnUnansweredCallIsRefused) {
    core::HttpRequest request;
    request.url = model.base_url() + "/chat/completions";
    for (
        const char* body :
        {R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"x","arguments":"{}"}}]}]})",
         R"({"messages":[{"role":"tool","tool_call_id":"a","content":""}]})", R"({"messages":[]})", R"({})", "[",
         "7"}) {
        request.body = body;
        const auto got = testing::exchange(loop, client, request);
        EXPECT_EQ(std::get<HttpResponse>(got).status, 400) << body;
    }
    request.url = model.base_url() + "/other";
    EXPECT_EQ(std::get<HttpResponse>(testing::exchange(loop, client, request)).status, 404);
}

TEST_F(StandIn, FaultsComeAsOftenAsAskedThenTheAnswer) {
    model.fault(0, ModelFault::rate_limited);
    model.fault(0, ModelFault::broken, 2);
    const HttpResponse limited = response();
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(retry_after(limited, {}), std::chrono::seconds(20));
    EXPECT_EQ(response().status, 500);
    EXPECT_EQ(response().status, 500);
    EXPECT_EQ(answer().message.tool_calls.size(), 1u);
}

TEST_F(StandIn, EveryFaultIsClassifiedByTheCodec) {
    model.fault(0, ModelFault::unauthorized);
    const auto refused = classify(response(), {});
    EXPECT_EQ(refused.failure.cls, ErrorClass::final);
    EXPECT_EQ(refused.failure.code, Errc::unauthorized);
    EXPECT_EQ(without_secret(refused.failure.message, "sk-1234567890").find("sk-1234567890"), std::string::npos);

    model.fault(0, ModelFault::quota);
    EXPECT_EQ(classify(response(), {}).failure.cls, ErrorClass::final);
    model.fault(0, ModelFault::garbage);
    EXPECT_TRUE(parse_chat_answer(response().body).has_error());
    model.fault(0, ModelFault::cut);
    EXPECT_EQ(error(), NetError::Kind::reset);
    model.fault(0, ModelFault::huge);
    EXPECT_EQ(error(), NetError::Kind::too_large);
    model.fault(0, ModelFault::hang);
    EXPECT_EQ(error(std::chrono::milliseconds(50)), NetError::Kind::timeout);
    model.fault(0, ModelFault::twin_ids);
    const auto twins = answer().message.tool_calls;
    ASSERT_EQ(twins.size(), 2u);
    EXPECT_NE(twins[0].id, twins[1].id);
}

TEST_F(StandIn, ItStopsWithRequestsThatHang) {
    model.fault(0, ModelFault::hang, 3);
    std::vector<std::unique_ptr<core::HttpExchange>> open;
    for (int i = 0; i < 3; ++i) {
        core::HttpRequest request;
        request.url = model.base_url() + "/chat/completions";
        request.body = chat_request(agent, messages);
        open.push_back(client.send(request, [](testing::Answer) {}));
    }
    EXPECT_TRUE(testing::run_until(loop, [&] { return model.requests().size() == 3; }));
}

}  // namespace
}  // namespace pawl::agent
