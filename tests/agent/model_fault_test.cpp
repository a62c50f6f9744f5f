// Endpoints that misbehave.
#include "agent_world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;
using core::EntryKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ModelScript answers() { return script_of({ScriptedTurn::says("done")}); }

std::string error_of(const core::TaskRow& row) { return core::decode_failure(row.error).message; }

TEST(ModelFault, ARateLimitIsADurableWaitThatHoldsNoWorker) {
    AgentWorld w(answers());
    w.model.fault(0, ModelFault::rate_limited);
    w.world.start();
    w.submit();

    ASSERT_TRUE(w.world.run_until([&] { return w.world.row(w.id).reason == Reason::retry; }));
    const auto parked = w.world.row(w.id);
    EXPECT_EQ(parked.state, TaskState::pending);
    ASSERT_TRUE(parked.due);
    EXPECT_GE(*parked.due - parked.updated, 20s);
    w.world.settle();
    EXPECT_EQ(w.world.process().engine().held(), 0u) << "no slot is held";
    w.world.crash();  // the wait survives its process
    w.world.start();

    EXPECT_EQ(w.world.run_to_end(w.id).state, TaskState::completed);
    EXPECT_EQ(w.model.requests().size(), 2u);
    EXPECT_EQ(w.count(EntryKind::step_attempt_failed), 1);
}

TEST(ModelFault, AnErrorAnAnswerThatIsNoneAndACutOneAreTriedAgain) {
    AgentWorld w(answers());
    w.model.fault(0, ModelFault::broken);
    w.model.fault(0, ModelFault::garbage);
    w.model.fault(0, ModelFault::cut);

    EXPECT_EQ(w.run().state, TaskState::completed);
    const auto errors = w.attempt_errors();
    ASSERT_EQ(errors.size(), 3u);
    EXPECT_THAT(errors[0], HasSubstr("answered 500: the model fell over"));
    EXPECT_THAT(errors[1], HasSubstr("502 Bad Gateway"));
    EXPECT_THAT(errors[2], HasSubstr("gave no answer"));
    EXPECT_EQ(w.answer().model_calls, 1) << "only what gave an answer is counted";
}

TEST(ModelFault, SilenceEndsAtTheTimeLimitOfTheCall) {
    AgentWorld w(answers());
    w.agent.model_timeout_ms = 120'000;
    w.model.fault(0, ModelFault::hang);
    BridgedNet::patience = 200ms;
    w.world.start();
    const auto begin = w.world.clock.boot();

    const auto row = w.run();
    BridgedNet::patience = 10s;

    EXPECT_EQ(row.state, TaskState::completed);
    ASSERT_GE(w.attempt_errors().size(), 1u);
    EXPECT_GE(w.world.clock.boot() - begin, 120s);
}

TEST(ModelFault, AnEndpointThatIsDownIsTriedAgainUntilTheAttemptsAreUsedUp) {
    AgentWorld w(answers());
    w.agent.endpoint = "http://127.0.0.1:1/v1";

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(row.reason, Reason::error);
    EXPECT_THAT(error_of(row), HasSubstr("gave no answer"));
    EXPECT_THAT(error_of(row), HasSubstr("no attempt is left"));
    EXPECT_EQ(w.attempt_errors().size(), 7u) << "eight attempts in all";
}

TEST(ModelFault, ASpentQuotaIsFinal) {
    AgentWorld w(answers());
    w.model.fault(0, ModelFault::quota, 9);

    EXPECT_EQ(w.run().state, TaskState::failed);
    EXPECT_EQ(w.model.requests().size(), 1u);
}

TEST(ModelFault, AnAnswerOfTenMegabytesFailsTheTaskWithAClearError) {
    AgentWorld w(answers());
    w.model.fault(0, ModelFault::huge, 9);

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(w.model.requests().size(), 1u) << "a second one would be as long";
    EXPECT_THAT(error_of(row), HasSubstr("model"));
    EXPECT_LT(row.error.size(), 2'000u);
}

TEST(ModelFault, AnAnswerOverTheLimitOfAResultFailsTheTaskWithAClearError) {
    AgentWorld w(script_of({ScriptedTurn::says(std::string(1'500'000, 'x'))}));

    const auto row = w.run();

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_THAT(error_of(row), HasSubstr("the limit is 1 MiB"));
}

TEST(ModelFault, ARefusedKeyIsFinalAndIsShownNowhere) {
    std::ostringstream logged;
    const auto before = spdlog::default_logger();
    AgentWorld w(answers());
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(logged)));
    spdlog::set_level(spdlog::level::trace);
    w.model.fault(0, ModelFault::unauthorized, 9);

    const auto row = w.run();
    spdlog::set_default_logger(before);
    spdlog::set_level(spdlog::level::off);

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(w.model.requests().size(), 1u);
    EXPECT_THAT(error_of(row), HasSubstr("answered 401: this key is not known"));
    EXPECT_THAT(error_of(row), HasSubstr("check the API key"));
    std::string everything = row.error + row.output + logged.str();
    for (const auto& entry : w.world.journal(w.id)) everything += entry.result + entry.error + entry.path;
    EXPECT_THAT(everything, Not(HasSubstr("0123456789abcdef")));
    EXPECT_THAT(everything, Not(HasSubstr("sk-live")));
}

TEST(ModelFault, AKeyThatAToolOrTheModelRepeatsIsMasked) {
    AgentWorld w([](int turn, const std::vector<Message>&) {
        if (turn == 0) return ScriptedTurn::asks("print_environment", "{}");
        return ScriptedTurn::says(std::string("your key is ") + AgentWorld::key);
    });
    w.tool("print_environment", "read",
           [](const std::string&, const Attempt&) { return std::string("KEY=") + AgentWorld::key; });

    EXPECT_EQ(w.run().state, TaskState::completed);
    EXPECT_THAT(w.told(), ElementsAre("KEY=***"));
    EXPECT_EQ(w.answer().text, "your key is ***");
    for (const auto& entry : w.world.journal(w.id)) EXPECT_THAT(entry.result, Not(HasSubstr("sk-live")));
}

// An endpoint that quotes the key as PHP writes JSON, and worse.
struct QuotingEndpoint {
    static constexpr const char* key = "sk-AbCd/EfGh12345";

    explicit QuotingEndpoint(std::function<void(core::HttpResponse&)> rewrite) {
        BridgedNet::rewrite = std::move(rewrite);
    }
    ~QuotingEndpoint() { BridgedNet::rewrite = nullptr; }

    // All that is recorded of the task.
    static std::string all_of(AgentWorld& w) {
        const auto row = w.world.row(w.id);
        std::string everything = row.error + row.output;
        for (const auto& entry : w.world.journal(w.id)) everything += entry.result + entry.error + entry.path;
        return everything;
    }
    static void expect_clean(AgentWorld& w) {
        for (const char* part : {"EfGh12345", "fGh12345", "sk-AbCd"}) EXPECT_THAT(all_of(w), Not(HasSubstr(part)));
    }
};

void replace_all(std::string& text, const std::string& what, const std::string& with) {
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

TEST(ModelFault, AKeyBehindJsonEscapesIsMaskedInAnswersArgumentsAndIds) {
    for (const char* quoted :
         {R"(sk-AbCd\/EfGh12345)", R"(sk\u002dAbCd\u002FEfGh1234\u0035)", R"(sk-AbCd/EfGh12345)"}) {
        AgentWorld w([](int turn, const std::vector<Message>&) {
            if (turn == 0) return ScriptedTurn::asks("note", R"({"a":"KEY","b":"ARGUMENT"})");
            return ScriptedTurn::says("your key is KEY");
        });
        ::setenv("PAWL_TEST_MODEL_KEY", QuotingEndpoint::key, 1);
        const QuotingEndpoint endpoint([quoted](core::HttpResponse& response) {
            replace_all(response.body, "KEY", quoted);
            // JSON in JSON, whose inner backslash is an escape of the outer one.
            replace_all(response.body, "ARGUMENT", R"(sk-AbCd\u005c/EfGh12345)");
            response.headers.emplace_back("x-request-id", std::string("req-") + QuotingEndpoint::key);
        });
        w.tool("note", "once", [](const std::string& arguments, const Attempt&) { return arguments; });

        ASSERT_EQ(w.run().state, TaskState::completed) << QuotingEndpoint::all_of(w);
        EXPECT_EQ(w.answer().text, "your key is ***") << quoted;
        EXPECT_THAT(w.deeds.arguments, ElementsAre(R"({"a":"***","b":"***"})"));
        EXPECT_THAT(QuotingEndpoint::all_of(w), HasSubstr("req-***"));
        QuotingEndpoint::expect_clean(w);
    }
}

TEST(ModelFault, AKeyBehindJsonEscapesIsMaskedInErrors) {
    const std::string quoted = R"(sk-AbCd\/EfGh1234\u0035)";
    for (const std::string& body : {R"({"error":{"message":"unknown key )" + quoted + "\"}}",
                                    "<pre>" + std::string(190, '.') + quoted, R"({"error":")" + quoted + "\"}"}) {
        AgentWorld w(answers());
        ::setenv("PAWL_TEST_MODEL_KEY", QuotingEndpoint::key, 1);
        const QuotingEndpoint endpoint([&](core::HttpResponse& response) {
            response.status = 401;
            response.body = body;
        });

        EXPECT_EQ(w.run().state, TaskState::failed);
        EXPECT_THAT(QuotingEndpoint::all_of(w), HasSubstr("***"));
        QuotingEndpoint::expect_clean(w);
    }
}

TEST(ModelFault, AKeyInWhatAToolThrowsIsMasked) {
    const std::string said = std::string("refused for ") + QuotingEndpoint::key;
    const std::vector<std::function<void()>> throwing = {
        [&] { throw final_error(said); },           [&] { throw retryable(said).after(1s); },
        [&] { throw unknown_outcome(said); },       [&] { throw std::runtime_error(said); },
        [&] { throw std::invalid_argument(said); }, [&] { throw JsonError(R"(/a: sk-AbCd\/EfGh12345)"); }};
    for (const char* effect : {"read", "once"})
        for (std::size_t i = 0; i < throwing.size(); i++) {
            AgentWorld w(script_of({ScriptedTurn::asks("pay", "{}"), ScriptedTurn::says("sorry")}));
            ::setenv("PAWL_TEST_MODEL_KEY", QuotingEndpoint::key, 1);
            w.tool("pay", effect, [&](const std::string&, const Attempt&) -> std::string {
                throwing[i]();
                return "";
            });

            ASSERT_EQ(w.run().state, TaskState::completed) << effect << i;
            ASSERT_EQ(w.told().size(), 1u);
            EXPECT_THAT(w.told()[0], HasSubstr("***")) << effect << i;
            EXPECT_THAT(w.told()[0], Not(HasSubstr("EfGh12345")));
            const bool is_final = i == 0 || i >= 4;
            const bool is_unknown = std::string(effect) == "once" && i >= 2;
            if (is_final || is_unknown) {
                EXPECT_EQ(w.deeds.calls["pay"], 1) << effect << i;
            } else EXPECT_GT(w.deeds.calls["pay"], 1) << effect << i;
            EXPECT_THAT(w.told()[0], HasSubstr(is_unknown ? "unknown outcome" : "error:")) << effect << i;
            QuotingEndpoint::expect_clean(w);
        }
}

TEST(ModelFault, AKeyInWhatACheckFindsIsMasked) {
    for (const bool throws : {false, true}) {
        AgentWorld w(script_of({ScriptedTurn::asks("pay", "{}"), ScriptedTurn::says("done")}));
        ::setenv("PAWL_TEST_MODEL_KEY", QuotingEndpoint::key, 1);
        w.tool("pay", "once",
               [](const std::string&, const Attempt&) -> std::string { throw unknown_outcome("cut off"); });
        w.functions["pay"].check = [throws](const std::string&, const Attempt&) -> std::optional<std::string> {
            if (throws) throw unknown_outcome(std::string("no answer for ") + QuotingEndpoint::key);
            return R"({"paid":"sk-AbCd\/EfGh12345"})";
        };

        const auto row = w.run();
        EXPECT_EQ(row.state, throws ? TaskState::paused : TaskState::completed);
        EXPECT_THAT(QuotingEndpoint::all_of(w), HasSubstr("***"));
        QuotingEndpoint::expect_clean(w);
    }
}

TEST(ModelFault, ATaskPastItsDeadlineEndsThoughTheModelIsSilent) {
    AgentWorld w(answers());
    w.model.fault(0, ModelFault::hang, 9);
    BridgedNet::patience = 200ms;

    const auto row = w.run("hello", SubmitOptions().deadline(Duration(60s)));
    BridgedNet::patience = 10s;

    EXPECT_EQ(row.state, TaskState::failed);
    EXPECT_EQ(row.reason, Reason::deadline);
    EXPECT_EQ(w.model.requests().size(), 1u);
}

TEST(ModelFault, ACancelEndsACallThatIsUnderWay) {
    AgentWorld w(answers());
    w.world.start();
    w.submit();
    ASSERT_TRUE(w.world.run_until([&] { return w.model.requests().size() == 1; }));

    ASSERT_TRUE(w.world.operate(w.id, core::Operate::Verb::cancel));
    const auto row = w.world.run_to_end(w.id);

    EXPECT_EQ(row.state, TaskState::cancelled);
    EXPECT_EQ(w.count(EntryKind::step_completed), 0);
}

}  // namespace
}  // namespace pawl::agent
