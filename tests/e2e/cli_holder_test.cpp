// One file, several processes: the verbs talk to the one that holds it, and take turns when nobody works it.
#include "core/time.hpp"
#include "e2e/cli.hpp"
#include "runtime/asio_loop.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <csignal>
#include <thread>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pawl::e2e {
namespace {

class CliHolder : public CliTest {
protected:
    int connect_to_holder() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string socket = file() + ".sock";
        socket.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }
    /// A worker on the file, up and listening.
    std::unique_ptr<test::Background> start_worker() const {
        auto worker = std::make_unique<test::Background>(words({"worker"}));
        EXPECT_NE(worker->wait_for_line("working"), "");
        return worker;
    }
};

TEST_F(CliHolder, AWorkerServesTheOtherVerbs) {
    const std::string before = submit({"echo", "\"before\""});
    const auto worker = start_worker();
    EXPECT_EQ(pawl({"result", "--wait", before}).out, "\"before\"\n");
    const std::string id = submit({"echo", R"({"n":10000000000000000000000001})"});
    const auto result = pawl({"result", "--wait", id});
    EXPECT_EQ(result.exit, 0);
    EXPECT_EQ(result.out, "{\"n\":10000000000000000000000001}\n");
    EXPECT_EQ(json({"get", id}).at("state").as_string(), "completed");
    EXPECT_NE(pawl({"list"}).out.find(id), std::string::npos);
    EXPECT_FALSE(json({"doctor"}).at("worker").is_null());
    EXPECT_EQ(pawl({"backup", path("copy.db")}).exit, 0);
    const auto feed = pawl({"events"});
    EXPECT_NE(feed.out.find(id), std::string::npos);
}

TEST_F(CliHolder, EventsAreFollowedUntilTheTaskIsFinal) {
    const std::string id = submit({"sleep", R"({"seconds": 0.2})"});
    test::Background follow(words({"events", "-f", id}));
    EXPECT_NE(follow.wait_for_line("submitted"), "");
    EXPECT_NE(follow.wait_for_line("nobody works"), "") << "it says why nothing happens";
    const auto worker = start_worker();
    EXPECT_NE(follow.wait_for_line("timer_set"), "");
    EXPECT_NE(follow.wait_for_line("completed"), "");
    EXPECT_EQ(follow.wait().exit, 0);
}

TEST_F(CliHolder, AWaitGoesOnOverAWorkerThatDies) {
    const std::string id = submit({"sleep", R"({"seconds": 0.5})"});
    auto worker = start_worker();
    test::Background wait(words({"result", "--wait", id}));
    test::Background follow(words({"events", "-f", id}));
    ASSERT_NE(follow.wait_for_line("timer_set"), "");
    worker->signal(SIGKILL);
    worker->wait();
    worker = start_worker();
    const auto result = wait.wait();
    EXPECT_EQ(result.exit, 0) << result.out;
    EXPECT_NE(follow.wait_for_line("completed"), "");
}

TEST_F(CliHolder, AWaitThatEndsFirstLeavesTheTaskAlone) {
    const std::string id = submit({"sleep", R"({"seconds": 60})"});
    const auto worker = start_worker();
    const auto done = pawl({"result", id, "--wait", "--timeout", "100ms"});
    EXPECT_EQ(done.exit, 6) << done.err;
    expect_refused(pawl({"result", id, "--wait", "--timeout", "soon"}), 2, "--timeout");
    EXPECT_EQ(pawl({"cancel", id}).exit, 0);
    EXPECT_EQ(pawl({"result", id, "--wait"}).exit, 7);
}

TEST_F(CliHolder, AWorkerHandsTheFileOverOnSigterm) {
    auto worker = start_worker();
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
    EXPECT_EQ(json({"doctor"}).at("worker").is_null(), true);
    EXPECT_EQ(pawl({"submit", "echo"}).exit, 0);
}

TEST_F(CliHolder, AHolderWithoutASocketIsNamedAfterFiveSeconds) {
    submit({"echo"});
    const runtime::MachineClock clock;
    store::SqliteOptions options;
    options.program = "a test";
    auto store = store::open_sqlite(file(), clock, options);
    ASSERT_TRUE(store) << store.error().message;
    expect_refused(pawl({"submit", "echo"}), 9, "a test (pid " + std::to_string(::getpid()) + ")");
    EXPECT_EQ(pawl({"list"}).exit, 0) << "reading needs no lock";
    ASSERT_TRUE((*store)->close());
    store->reset();
    EXPECT_EQ(pawl({"submit", "echo"}).exit, 0);
    EXPECT_EQ(tasks(), 2u);
}

TEST_F(CliHolder, AHolderThatHangsIsNamedToEveryVerbAndNothingHappened) {
    const std::string id = submit({"sleep", R"({"seconds": 600})"});
    const auto worker = start_worker();
    worker->signal(SIGSTOP);
    std::vector<std::vector<std::string>> verbs{
        {"list"}, {"submit", "echo"}, {"doctor"}, {"backup", path("copy.db")}, {"cancel", id}, {"run", "--task", id}};
    std::vector<test::ProcessResult> answers(verbs.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < verbs.size(); ++i) threads.emplace_back([&, i] { answers[i] = pawl(verbs[i]); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& done : answers) {
        expect_refused(done, 5, "(pid " + std::to_string(worker->pid()) + ") holds it and does not answer");
        EXPECT_NE(done.err.find("nothing happened"), std::string::npos) << done.err;
    }
    worker->signal(SIGCONT);
    EXPECT_EQ(tasks(), 1u);
    EXPECT_NE(json({"get", id}).at("state").as_string(), "cancelled");
}

TEST_F(CliHolder, AHolderThatTakesNoMoreConnectionsIsNamedAndNothingHappened) {
    const std::string id = submit({"sleep", R"({"seconds": 600})"});
    const auto worker = start_worker();
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2'000) GTEST_SKIP() << "needs many open files";
    const rlimit many{files.rlim_max, files.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &many), 0);
    std::vector<int> idle;
    for (int i = 0; i < 1'100; ++i) idle.push_back(connect_to_holder());
    for (const auto& verb : std::vector<std::vector<std::string>>{{"submit", "echo"}, {"list"}})
        expect_refused(pawl(verb), 5, "has as many connections as it takes; nothing was asked");
    for (const int fd : idle) ::close(fd);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliHolder, ParallelSubmitsWithOneKeyGiveOneTask) {
    const auto submit_all = [this](std::vector<std::string>& answers) {
        std::vector<std::thread> threads;
        for (std::string& answer : answers) {
            threads.emplace_back([this, &answer] {
                const auto done = pawl({"submit", "echo", "[1]", "--key", "one"});
                answer = done.exit == 0 ? done.out : "exit " + std::to_string(done.exit) + ": " + done.err;
            });
        }
        for (std::thread& thread : threads) thread.join();
    };
    std::vector<std::string> alone(16), beside_a_worker(16);
    submit_all(alone);
    const auto worker = start_worker();
    submit_all(beside_a_worker);
    for (const std::string& answer : alone) EXPECT_EQ(answer, alone.front());
    for (const std::string& answer : beside_a_worker) EXPECT_EQ(answer, alone.front());
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliHolder, AStaleSocketOfADeadWorkerIsNoObstacle) {
    auto worker = start_worker();
    worker->signal(SIGKILL);
    worker->wait();
    ASSERT_TRUE(std::ifstream(file() + ".lock").good());
    EXPECT_EQ(pawl({"submit", "echo"}).exit, 0);
    worker = start_worker();
    EXPECT_FALSE(json({"doctor"}).at("worker").is_null());
}

}  // namespace
}  // namespace pawl::e2e
