// Addresses, misspelt names, and the mapping of error codes.
#include "server/message.hpp"
#include "cli/exit_code.hpp"
#include "server/closest.hpp"
#include "server/problem.hpp"

#include <gtest/gtest.h>

namespace pawl::server {
namespace {

TEST(Target, PathAndQueryAreDecoded) {
    Request request;
    ASSERT_TRUE(parse_target("/v1/tasks/a%20b?state=failed%2Cpending&q=x+y&flag&=&wait=1.5", request));
    EXPECT_EQ(request.path, "/v1/tasks/a b");
    EXPECT_EQ(*request.parameter("state"), "failed,pending");
    EXPECT_EQ(*request.parameter("q"), "x y");
    EXPECT_EQ(*request.parameter("flag"), "");
    EXPECT_EQ(request.parameter("none"), nullptr);
}

TEST(Target, ABrokenPercentCodeIsRefused) {
    Request request;
    for (const char* target : {"/a%", "/a%4", "/a%zz", "/a?b=%g0", "/a?%"})
        EXPECT_FALSE(parse_target(target, request)) << target;
}

TEST(Target, FormatAndParseAreInverse) {
    Request request, back;
    request.path = "/v1/tasks:bulk/ü ?&=%#+";
    request.query = {{"a b", "c&d=é+%"}, {"e", ""}};
    ASSERT_TRUE(parse_target(format_target(request), back));
    EXPECT_EQ(back.path, request.path);
    EXPECT_EQ(back.query, request.query);
}

TEST(Headers, CaseDoesNotMatter) {
    Request request;
    request.headers = {{"idempotency-key", "k"}};
    EXPECT_EQ(request.header("Idempotency-Key"), "k");
    EXPECT_EQ(request.header("Idempotency"), "");
}

TEST(Closest, ASlipOfTheFingersIsFound) {
    const std::vector<std::string> verbs{"submit", "list", "get", "result", "resume", "retry"};
    EXPECT_EQ(closest("sumbit", verbs), "submit");
    EXPECT_EQ(closest("lst", verbs), "list");
    EXPECT_EQ(closest("resutl", verbs), "result");
    EXPECT_EQ(closest("elephant", verbs), std::nullopt);
    EXPECT_EQ(closest(std::string(100'000, 'x'), verbs), std::nullopt);
}

TEST(Problem, CarriesItsCodeToTheClient) {
    for (int i = 0; i <= static_cast<int>(Errc::stopping); ++i) {
        const Error error{static_cast<Errc>(i), "what \"happened\"\n\x1b"};
        const Response response = problem(Request{}, error);
        EXPECT_EQ(error_of(response), error);
        EXPECT_GE(response.status, 400);
        EXPECT_LT(response.status, 600);
    }
}

TEST(Problem, AForeignAnswerIsReadByItsStatus) {
    EXPECT_EQ(error_of({404, {}, "<html>"}).code, Errc::not_found);
    EXPECT_EQ(error_of({502, {}, ""}).code, Errc::store_unavailable);
    EXPECT_EQ(error_of({400, {}, "{}"}).code, Errc::bad_input);
}

TEST(ExitCode, FollowsTheCodeAndTheState) {
    EXPECT_EQ(cli::exit_of(Errc::bad_input), 2);
    EXPECT_EQ(cli::exit_of(Errc::idempotency_key_reused), 2);
    EXPECT_EQ(cli::exit_of(Errc::not_found), 3);
    EXPECT_EQ(cli::exit_of(Errc::unauthorized), 4);
    EXPECT_EQ(cli::exit_of(Errc::unreachable), 5);
    EXPECT_EQ(cli::exit_of(Errc::timed_out), 6);
    for (const Errc store : {Errc::store_locked, Errc::store_corrupt, Errc::store_newer, Errc::store_readonly,
                             Errc::disk_full, Errc::store_unavailable}) {
        EXPECT_EQ(cli::exit_of(store), 9);
    }
    EXPECT_EQ(cli::exit_of(TaskState::completed, false), 0);
    EXPECT_EQ(cli::exit_of(TaskState::failed, false), 1);
    EXPECT_EQ(cli::exit_of(TaskState::running, false), 6);
    EXPECT_EQ(cli::exit_of(TaskState::cancelled, false), 7);
    EXPECT_EQ(cli::exit_of(TaskState::paused, true), 8);
}

}  // namespace
}  // namespace pawl::server
