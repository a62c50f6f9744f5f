// A thousand submits at once with one key: one task, a thousand equal answers, whoever holds the file.
#include "e2e/cli.hpp"

#include <pawl/client.hpp>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <csignal>
#include <set>
#include <thread>

#include <sys/resource.h>

namespace pawl::crash {
namespace {

constexpr int submits = 1'000;

class ParallelSubmit : public e2e::CliTest {
protected:
    ParallelSubmit() : CliTest(InMemory()) {}

    std::unique_ptr<test::Background> start_worker() const {
        auto worker = std::make_unique<test::Background>(words({"worker"}));
        EXPECT_NE(worker->wait_for_line("working"), "");
        return worker;
    }

    /// A thousand processes, so many of them at once.
    std::set<std::string> submit_by_processes(int at_once, std::atomic<int>& done) const {
        std::vector<std::string> answers(submits);
        std::atomic<int> next = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < at_once; i++) {
            threads.emplace_back([&] {
                for (int n = 0; (n = next++) < submits;) {
                    const auto run = pawl({"submit", "echo", "[1]", "--key", "one"});
                    answers[static_cast<std::size_t>(n)] =
                        run.exit == 0 ? run.out : "exit " + std::to_string(run.exit) + ": " + run.err;
                    done++;
                    done.notify_all();
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        return {answers.begin(), answers.end()};
    }
    std::set<std::string> submit_by_processes(int at_once) const {
        std::atomic<int> done = 0;
        return submit_by_processes(at_once, done);
    }

    void expect_one_task(const std::set<std::string>& answers) const {
        EXPECT_EQ(answers.size(), 1u) << *answers.begin() << *answers.rbegin();
        EXPECT_TRUE(answers.begin()->starts_with("t_")) << *answers.begin();
        EXPECT_EQ(tasks(), 1u);
        EXPECT_EQ(pawl({"doctor"}).exit, 0);
    }
};

TEST_F(ParallelSubmit, ByAThousandProcessesBesideAWorkerGivesOneTask) {
    const auto worker = start_worker();
    expect_one_task(submit_by_processes(50));
}

TEST_F(ParallelSubmit, ByAThousandProcessesThatTakeTurnsGivesOneTask) { expect_one_task(submit_by_processes(20)); }

// Whoever was cut asks again with the same key.
TEST_F(ParallelSubmit, GivesOneTaskThoughTheWorkerDiesTwice) {
    auto worker = start_worker();
    std::atomic<int> done = 0;
    std::set<std::string> answers;
    std::thread clients([&] { answers = submit_by_processes(20, done); });
    for (const int until : {submits / 4, submits / 2}) {
        for (int seen = 0; (seen = done) < until;) done.wait(seen);
        worker->signal(SIGKILL);
        worker->wait();
        worker = start_worker();
    }
    clients.join();
    expect_one_task(answers);
}

// All of them ask at the same moment.
TEST_F(ParallelSubmit, ByAThousandThreadsAtOnceGivesOneTask) {
    const auto worker = start_worker();  // with the usual limit of open files
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2 * submits) GTEST_SKIP() << "a process may have " << files.rlim_max << " open files only";
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);

    std::vector<std::string> answers(submits);
    std::barrier start(submits);
    std::vector<std::thread> threads;
    for (std::string& answer : answers) {
        threads.emplace_back([this, &answer, &start] {
            const auto client = Client::open("sqlite:" + file());
            start.arrive_and_wait();
            if (!client) return;
            const auto task = client->submit(TaskType<int, int>("echo"), 1, SubmitOptions().key("one"));
            answer = task ? task->id() : task.error().message;
        });
    }
    for (std::thread& thread : threads) thread.join();
    expect_one_task({answers.begin(), answers.end()});
}

}  // namespace
}  // namespace pawl::crash
