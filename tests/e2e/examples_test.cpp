// The examples as a user runs them: through their own command line, on a file, killed and started again.
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pawl::test {
namespace {

const std::vector<std::string> park_everywhere{"PAWL_PARK_EVERYWHERE=1"};

std::string example(const std::string& name) { return PAWL_BUILD_DIR "/examples/example_" + name; }

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) n++;
    return n;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// One folder with one example's file in it.
class Example {
public:
    explicit Example(std::string name) : program_(example(name)) {}

    ProcessResult run(std::vector<std::string> words, const std::vector<std::string>& environment = {}) const {
        words.insert(words.begin(), program_);
        return pawl::test::run(words, {}, {environment, folder_.path()});
    }
    Background start(std::vector<std::string> words) const {
        words.insert(words.begin(), program_);
        return Background(words, {{}, folder_.path()});
    }
    /// The worker, killed when it is about to flush for the n-th time.
    ProcessResult work_killed_at_flush(int n) const {
        const std::string inject = "inject=fdatasync:signal=SIGKILL:when=" + std::to_string(n);
        return pawl::test::run(
            {"strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject, program_, "worker",
             "--until-idle"},
            {}, {{"ASAN_OPTIONS=detect_leaks=0"}, folder_.path()});  // leaks cannot be told under a tracer
    }
    /// Submits, and gives the id.
    std::string submit(std::vector<std::string> words) const {
        words.insert(words.begin(), "submit");
        const ProcessResult submitted = run(std::move(words));
        EXPECT_EQ(submitted.exit, 0) << submitted.err;
        return first_line(submitted.out);
    }
    void work(const std::vector<std::string>& environment = {}) const {
        const ProcessResult worked = run({"worker", "--until-idle"}, environment);
        EXPECT_EQ(worked.exit, 0) << worked.err;
    }
    std::string result(const std::string& task) const { return first_line(run({"result", task}).out); }
    std::string journal(const std::string& task) const { return run({"events", task, "--json"}).out; }
    std::size_t payments() const {
        const auto folder = std::filesystem::path(folder_.path()) / "payments";
        if (!std::filesystem::exists(folder)) return 0;
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
    }

private:
    TempFolder folder_;
    std::string program_;
};

constexpr const char* reserved_twice_failed = R"({"id": "A-1", "failures": 2})";
constexpr const char* shipped = R"({"reservation":"R-A-1","courier":"by mail: no express courier today"})";

// ---- each runs -----------------------------------------------------------------------------------------------------

TEST(ExampleHello, GreetsWhoWasNamed) {
    const Example hello("01_hello");
    const std::string task = hello.submit({"hello", R"({"name": "Ann"})"});
    hello.work();
    EXPECT_EQ(hello.result(task), R"("Hello, Ann!")");
}

TEST(ExampleHello, GreetsWhenEveryWaitReplays) {
    const Example hello("01_hello");
    const std::string task = hello.submit({"hello", R"({"name": "Ann"})"});
    hello.work(park_everywhere);
    EXPECT_EQ(hello.result(task), R"("Hello, Ann!")");
}

TEST(ExampleRetries, CompletesWithItsThirdAttempt) {
    const Example retries("02_retries_and_deadlines");
    const std::string task = retries.submit({"order", reserved_twice_failed});
    retries.work();
    EXPECT_EQ(retries.result(task), shipped);
    EXPECT_EQ(count(retries.journal(task), "step_attempt_failed"), 2u);
}

TEST(ExampleRetries, CompletesWhenEveryWaitReplays) {
    const Example retries("02_retries_and_deadlines");
    const std::string task = retries.submit({"order", reserved_twice_failed});
    retries.work(park_everywhere);
    EXPECT_EQ(retries.result(task), shipped);
}

TEST(ExampleRetries, FailsAtOnceWhenItsDeadlineLeavesNoTimeForTheNextAttempt) {
    const Example retries("02_retries_and_deadlines");
    const std::string task = retries.submit({"order", reserved_twice_failed, "--deadline", "300ms"});
    retries.work();
    const ProcessResult result = retries.run({"result", task});
    EXPECT_EQ(result.exit, 1);
    EXPECT_NE(result.err.find("are left"), std::string::npos) << result.err;
}

TEST(ExampleSubmit, OneKeyIsOneTaskAndOnePayment) {
    const Example shop("03_idempotent_submit");
    const ProcessResult first = shop.run({"buy", "order-17", "1250"});
    const ProcessResult again = shop.run({"buy", "order-17", "1250"});
    const ProcessResult other = shop.run({"buy", "order-17", "9999"});
    shop.work(park_everywhere);
    const ProcessResult late = shop.run({"buy", "order-17", "1250"});

    EXPECT_EQ(first.exit, 0) << first.err;
    EXPECT_EQ(again.out, first_line(first.out) + " (as before)\n");
    EXPECT_EQ(late.out, again.out);
    EXPECT_EQ(other.exit, 2);
    EXPECT_NE(other.err.find(first_line(first.out)), std::string::npos) << other.err;
    EXPECT_EQ(shop.payments(), 1u);
}

// ---- killed --------------------------------------------------------------------------------------------------------

// The wait between two attempts is in the file, not in the process.
TEST(ExampleRetries, KilledBetweenTwoAttemptsGoesOnWithTheNext) {
    const Example retries("02_retries_and_deadlines");
    const std::string task = retries.submit({"order", reserved_twice_failed});
    {
        const Background worker = retries.start({"worker"});
        Background events = retries.start({"events", task, "--follow"});
        ASSERT_NE(events.wait_for_line("step_attempt_failed"), "");
    }
    retries.work();
    EXPECT_EQ(retries.result(task), shipped);
    const std::string journal = retries.journal(task);
    EXPECT_EQ(count(journal, "step_attempt_failed"), 2u) << journal;
    EXPECT_EQ(count(journal, "step_completed"), 1u) << journal;
}

struct KilledCase {
    const char* name;
    std::vector<std::string> task;
    const char* result;  // how it begins
    std::size_t completed_steps;
};

class ExamplesKilled : public testing::TestWithParam<KilledCase> {};

// Every flush that the worker makes, one after the other, until one run needs fewer.
TEST_P(ExamplesKilled, AtAnyFlushGoOnAndRepeatNoRecordedStep) {
    if (!is_installed("strace")) GTEST_SKIP() << "strace is not installed";
    const KilledCase& c = GetParam();
    bool was_killed = true;
    int flush = 1;
    for (; was_killed && flush < 100; flush++) {
        const Example program(c.name);
        const std::string task = program.submit(c.task);
        const int exit_code = program.work_killed_at_flush(flush).exit;
        was_killed = exit_code == 128 + 9;
        ASSERT_TRUE(was_killed || exit_code == 0) << "flush " << flush << ": exit code " << exit_code;
        program.work();

        EXPECT_TRUE(program.result(task).starts_with(c.result)) << "flush " << flush << ": " << program.result(task);
        const std::string journal = program.journal(task);
        EXPECT_EQ(count(journal, "step_completed"), c.completed_steps) << "flush " << flush << ": " << journal;
        EXPECT_LE(program.payments(), 1u) << "flush " << flush;
    }
    EXPECT_GT(flush, 3) << "the worker was not killed in the middle";
    EXPECT_FALSE(was_killed);
}

INSTANTIATE_TEST_SUITE_P(
    All, ExamplesKilled,
    testing::Values(KilledCase{"01_hello", {"hello", R"({"name": "Ann"})"}, R"("Hello, Ann!")", 1},
                    KilledCase{"02_retries_and_deadlines", {"order", R"({"id": "A-1", "failures": 1})"}, shipped, 1},
                    KilledCase{
                        "03_idempotent_submit", {"purchase", R"({"order": "17", "cents": 5})"}, "\"payment ", 1}),
    [](const auto& case_) {
        std::string name = case_.param.name;
        std::erase(name, '_');
        return "Example" + name;
    });

// ---- signals and approvals ---------------------------------------------------------------------------------------

constexpr const char* server_wanted = R"({"what": "server", "cents": 90000})";

class ExamplePeople : public testing::Test {
protected:
    // Each time with a worker of its own: what it waits for is in the file alone.
    void SetUp() override {
        task = people.submit({"purchase", server_wanted});
        people.work();
    }
    ProcessResult say(std::vector<std::string> words) const {
        words.insert(words.begin() + 1, task);
        return people.run(std::move(words));
    }
    void tell(std::vector<std::string> words) const {
        const ProcessResult told = say(std::move(words));
        EXPECT_EQ(told.exit, 0) << told.err;
    }
    bool shows(const std::string& verb, const std::string& part) const {
        const std::string shown = say({verb}).out;
        EXPECT_NE(shown.find(part), std::string::npos) << shown;
        return shown.find(part) != std::string::npos;
    }

    const Example people{"04_signals_and_approvals"};
    std::string task;
};

TEST_F(ExamplePeople, AnOfferAYesAndADeliveryEndIt) {
    EXPECT_TRUE(shows("why", "offer"));
    EXPECT_TRUE(shows("get", "waits for an offer"));
    tell({"signal", "offer", R"({"shop": "Bob", "cents": 99000})"});  // too dear
    tell({"signal", "offer", R"({"shop": "Ann", "cents": 85000})"});
    tell({"signal", "delivered", R"("the cellar")"});  // early: it is kept
    people.work(park_everywhere);
    EXPECT_TRUE(shows("why", "Buy server at Ann?"));
    EXPECT_TRUE(shows("get", "latest offer"));
    tell({"approve", "--comment", "within the budget"});
    people.work(park_everywhere);
    const std::string result = people.result(task);
    EXPECT_NE(result.find("ordered at Ann"), std::string::npos) << result;
    EXPECT_NE(result.find("delivered to the cellar"), std::string::npos) << result;
    EXPECT_EQ(count(people.journal(task), "\"step_completed\""), 1u);
}

TEST_F(ExamplePeople, ANoEndsItAndASecondAnswerIsRefused) {
    tell({"signal", "offer", R"({"shop": "Ann", "cents": 85000})"});
    people.work();
    tell({"deny", "--comment", "too much"});
    const ProcessResult again = say({"approve"});
    EXPECT_EQ(again.exit, 2) << again.err;
    EXPECT_NE(again.err.find("waits for no approval"), std::string::npos) << again.err;
    people.work();
    EXPECT_EQ(people.result(task), R"("not bought: too much")");
    EXPECT_EQ(say({"signal", "delivered"}).exit, 2) << "it is final";
}

TEST_F(ExamplePeople, WhatDoesNotFitIsRefusedAndStoresNothing) {
    const std::string before = people.journal(task);
    const ProcessResult wrong = say({"signal", "offer", R"({"shop": "Ann", "cents": "many"})"});
    EXPECT_EQ(wrong.exit, 2) << wrong.err;
    EXPECT_NE(wrong.err.find("/cents"), std::string::npos) << wrong.err;
    EXPECT_EQ(say({"signal", "offer", "{not json"}).exit, 2);
    EXPECT_EQ(say({"signal", "a name\n", "1"}).exit, 2);
    EXPECT_EQ(say({"approve"}).exit, 2);
    EXPECT_EQ(people.run({"signal", "t_01HZZZZZZZZZZZZZZZZZZZZZZZ", "offer"}).exit, 3);
    EXPECT_EQ(people.journal(task), before);
}

TEST_F(ExamplePeople, TheSameRequestIdIsOneSignal) {
    for (int i = 0; i < 3; i++) tell({"signal", "offer", R"({"shop": "Ann", "cents": 85000})", "--request-id", "r-1"});
    EXPECT_EQ(count(people.journal(task), "\"signalled\""), 1u);
}

}  // namespace
}  // namespace pawl::test
