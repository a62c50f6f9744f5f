// The command line on a store of several shards: every verb over all of them, and what is said of one that is away.
#include "core/shards.hpp"
#include "core/task_id.hpp"
#include "e2e/cli.hpp"
#include "support/postgres.hpp"

#include <pawl/pawl.hpp>

#include <csignal>
#include <map>
#include <set>
#include <thread>

namespace pawl::e2e {
namespace {

class ShardsCli : public CliTest {
protected:
    std::vector<std::string> on(std::vector<std::string> verb) const {
        std::vector<std::string> all{PAWL_BINARY};
        for (const std::string& url : urls) all.insert(all.end(), {"--store", url});
        all.insert(all.end(), verb.begin(), verb.end());
        return all;
    }
    test::ProcessResult run(std::vector<std::string> verb) const { return test::run(on(std::move(verb))); }
    std::string submitted(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "submit");
        const auto done = run(std::move(arguments));
        EXPECT_EQ(done.exit, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    }
    boost::json::object answer(std::vector<std::string> verb, int exit = 0) const {
        verb.emplace_back("--json");
        const auto done = run(std::move(verb));
        EXPECT_EQ(done.exit, exit) << done.out << done.err;
        return parse(done.out);
    }
    std::unique_ptr<test::Background> start_worker(std::vector<std::string> options = {}) const {
        options.insert(options.begin(), "worker");
        auto worker = std::make_unique<test::Background>(on(std::move(options)));
        EXPECT_NE(worker->wait_for_line("worker: working"), "");
        return worker;
    }
    static int shard_of(const std::string& id) { return core::parse_task_id(id).value().shard(); }
    /// A key whose task lives there.
    std::string key_of(int shard, const std::string& type, int from = 0) const {
        for (int i = from;; ++i)
            if (core::shard_of({"default", type, "k" + std::to_string(i)}, static_cast<int>(urls.size())) == shard)
                return "k" + std::to_string(i);
    }
    std::string wait_for_state(const std::string& id, const std::string& state) const {
        while (answer({"get", id}).at("state").as_string() != state) {}
        return id;
    }

    std::vector<std::string> urls;
};

// Three schemas of one server.
class ThreeShardsCli : public ShardsCli {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        for (auto& schema : schemas_) urls.push_back(schema.emplace().url());
    }
    std::array<std::optional<test::TestSchema>, 3> schemas_;
};

TEST_F(ThreeShardsCli, TasksOfAllShardsAreWorkedByOneWorkerAndSeenByEveryVerb) {
    std::set<std::string> ids;
    std::set<int> shards;
    for (int shard = 0; shard < 3; ++shard) {
        const std::string key = key_of(shard, "echo"), id = submitted({"echo", std::to_string(shard), "--key", key});
        EXPECT_EQ(submitted({"echo", std::to_string(shard), "--key", key}), id);
        EXPECT_EQ(shard_of(id), shard);
        ids.insert(id);
    }
    std::string bulk;
    for (int i = 0; i < 30; ++i) bulk += "{\"type\":\"echo\",\"input\":" + std::to_string(i) + "}\n";
    write("bulk", bulk);
    EXPECT_EQ(run({"submit", "--bulk", path("bulk")}).exit, 0);
    EXPECT_EQ(answer({"why", *ids.begin()}).at("reason").as_string(), "no_worker");
    EXPECT_EQ(run({"worker", "--until-idle", "--concurrency", "2"}).exit, 0);

    const auto tasks = answer({"list", "--state", "completed"}).at("tasks").as_array();
    EXPECT_EQ(tasks.size(), 33u);
    for (const auto& task : tasks) shards.insert(shard_of(std::string(task.at("id").as_string())));
    EXPECT_EQ(shards.size(), 3u);
    for (const std::string& id : ids) {
        EXPECT_EQ(run({"result", id}).out, std::to_string(shard_of(id)) + "\n");
        EXPECT_EQ(answer({"get", id.substr(12)}).at("id").as_string(), id);
        EXPECT_NE(run({"events", id}).out.find("completed"), std::string::npos);
        EXPECT_EQ(run({"cancel", id}).exit, 2) << "it is final";
    }
    const auto doctor = answer({"doctor"});
    EXPECT_TRUE(doctor.at("ok").as_bool());
    EXPECT_EQ(doctor.at("tasks").at("completed").as_int64(), 33);
    EXPECT_NE(run({"doctor"}).out.find("shards  0 sound"), std::string::npos);
    EXPECT_EQ(run({"backup", path("copy")}).exit, 2);
}

TEST_F(ThreeShardsCli, PersonsVerbsReachTheTaskWhereverItLives) {
    const auto worker = start_worker();
    EXPECT_EQ(answer({"doctor"}).at("workers").as_array().size(), 1u) << "it is one, though on three shards";
    EXPECT_EQ(answer({"doctor"}).at("workers").at(0).at("slots").as_int64(), 64);
    for (int shard = 0; shard < 3; ++shard) {
        const std::string id =
            submitted({"command", R"({"argv":["sleep","1000"]})", "--key", key_of(shard, "command")});
        wait_for_state(id, "running");
        EXPECT_EQ(run({shard == 0 ? "kill" : "cancel", id}).exit, 0);
        EXPECT_EQ(run({"result", "--wait", id}).exit, 7);
        EXPECT_EQ(run({"retry", id}).exit, 0);
        EXPECT_EQ(run({"pause", id}).exit, 0);
        EXPECT_EQ(run({"cancel", id}).exit, 0);
    }
    EXPECT_EQ(run({"queue", "set", "default", "--concurrency", "7"}).exit, 0);
    EXPECT_EQ(answer({"queue", "list"}).at("queues").at(0).at("concurrency").as_int64(), 7);
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
    EXPECT_EQ(answer({"doctor"}).at("workers").as_array().size(), 0u);
}

TEST_F(ThreeShardsCli, AKilledWorkersTasksOfAllShardsAreTakenOver) {
    const auto first = start_worker();
    std::vector<std::string> ids;
    for (int shard = 0; shard < 3; ++shard)
        ids.push_back(submitted({"command", R"({"argv":["sleep","1000"]})", "--key", key_of(shard, "command")}));
    for (const std::string& id : ids) wait_for_state(id, "running");
    const auto second = start_worker();
    first->signal(SIGKILL);
    for (const std::string& id : ids) {
        EXPECT_EQ(run({"result", "--wait", id}).exit, 8) << "its command is not repeated by itself";
        EXPECT_NE(run({"events", id}).out.find("taken_over"), std::string::npos);
        EXPECT_EQ(run({"resolve", id, "--happened"}).exit, 0);
        EXPECT_EQ(run({"result", "--wait", id}).exit, 0);
    }
}

TEST_F(ThreeShardsCli, AFollowerMissesAndRepeatsNothingWhileWorkersWrite) {
    submitted({"echo", "0"});
    const auto first = start_worker();
    const auto second = start_worker();
    std::jthread writer([&] {
        std::string bulk;
        for (int i = 0; i < 100; ++i) bulk += "{\"type\":\"echo\",\"input\":" + std::to_string(i) + "}\n";
        write("bulk", bulk);
        for (int i = 0; i < 3; ++i) EXPECT_EQ(run({"submit", "--bulk", path("bulk")}).exit, 0);
    });
    std::map<std::string, std::int64_t> next;  // entry that is to come, by task
    std::size_t completed = 0;
    std::string after = "0";
    while (completed < 301) {
        const auto page = run({"events", "--json", "--after", after});
        std::istringstream lines(page.out);
        for (std::string line; std::getline(lines, line);) {
            const auto entry = parse(line);
            const std::string task(entry.at("task").as_string());
            const std::int64_t no = entry.at("no").as_int64();
            ASSERT_EQ(no, next.emplace(task, 1).first->second) << line;
            ++next[task];
            completed += entry.at("kind").as_string() == "completed" ? 1u : 0u;
            after = entry.at("cursor").as_string();
        }
    }
    EXPECT_EQ(next.size(), 301u);
}

TEST_F(ThreeShardsCli, OnlyAWholeStoreIsWorked) {
    submitted({"echo", "1"});
    const auto expect_line = [&](const std::vector<std::string>& named, const std::string& part) {
        urls = named;
        for (const char* verb : {"list", "worker"}) expect_refused(run({verb}), 2, part);
        expect_refused(run({"submit", "echo", "1"}), 2, part);
    };
    const std::vector<std::string> all = urls;
    expect_line({all[0]}, "name all of its store");
    expect_line({all[0], all[1]}, "one of 3 shards, and 2 were named");
    expect_line({all[0], all[1], all[1]}, "name each shard once");
    expect_line({all[0], all[1], "sqlite:" + file()}, "must be postgres://");
    urls = {all[2] + "  " + all[0], all[1]};
    EXPECT_EQ(answer({"list"}).at("tasks").as_array().size(), 1u) << "in any order, also several in one value";
}

// The library, on the same.
Workflow<int> twice(Context& ctx, int n) {
    const auto doubled = [n] { return 2 * n; };
    co_return co_await ctx.step("twice", doubled);
}

TEST_F(ThreeShardsCli, AProgramsWorkerAndClientTakeTheListOfUrls) {
    static constexpr TaskType<int, int> type{"twice"};
    const std::string list = urls[0] + " " + urls[1] + "\n" + urls[2];
    Program program;
    program.workflow("twice", twice);
    Worker worker(program, list, WorkerOptions().concurrency(3));
    ASSERT_TRUE(worker.start());
    const Client inside = worker.client();
    const Client outside = Client::open(list).value();
    std::set<int> shards;
    for (int i = 0; i < 20; ++i) {
        const Client& client = i % 2 ? inside : outside;
        const auto task = client.submit(type, i, SubmitOptions().key("k" + std::to_string(i))).value();
        EXPECT_EQ(shard_of(task.id()), core::shard_of({"default", "twice", "k" + std::to_string(i)}, 3));
        EXPECT_EQ((i % 4 < 2 ? outside : inside).find<int>(task.id()).wait().value(), 2 * i);
        shards.insert(shard_of(task.id()));
    }
    EXPECT_EQ(shards.size(), 3u);
    const auto many = inside.submit_many(type, std::vector<int>(50, 4));
    for (const auto& task : many) ASSERT_TRUE(task) << task.error().message;
    worker.wait_until_idle();
    for (const auto& task : many) EXPECT_EQ(task->status().value().state, TaskState::completed);
    EXPECT_EQ(many.front()->why(), "it is done");
    EXPECT_EQ(many.front()->cancel().error().code, Errc::already_final);
    worker.drain();
    EXPECT_EQ(inside.submit(type, 1).error().code, Errc::store_unavailable);
}

// Two servers, one schema on each.
class TwoServersCli : public ShardsCli {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        here_.emplace();
        there_.emplace();
        urls = {here_->url(), there_->url()};
        first_ = submitted({"echo", "1", "--key", key_of(0, "echo")});
        second_ = submitted({"echo", "1", "--key", key_of(1, "echo")});
        // Which of them the server that will be stopped is, chance has decided.
        const auto doctor = answer({"doctor"});
        const std::string port = there_->url().substr(there_->url().rfind(':') + 1, 5);
        for (const auto& shard : doctor.at("shards").as_array())
            if (std::string(shard.at("store").as_string()).find(port) != std::string::npos)
                lost_ = static_cast<int>(shard.at("shard").as_int64());
    }
    const std::string& id(int shard) const { return shard == 0 ? first_ : second_; }

    std::optional<test::TestSchema> here_;
    std::optional<test::TestCluster> there_;
    std::string first_, second_;
    int lost_ = 0;
};

TEST_F(TwoServersCli, OneShardAwayLeavesTheOtherWorkingAndIsNamed) {
    ASSERT_TRUE(there_->stop("fast"));
    const std::string number = "shard " + std::to_string(lost_);
    const auto listed = run({"list", "--json"});
    EXPECT_EQ(listed.exit, 9) << "without what lies on the other";
    EXPECT_EQ(parse(listed.out).at("tasks").as_array().size(), 1u);
    EXPECT_EQ(parse(listed.out).at("missing").at(0).at("shard").as_int64(), lost_);
    EXPECT_NE(listed.err.find(number), std::string::npos) << listed.err;
    for (const char* verb : {"events", "doctor"}) {
        const auto done = run({verb});
        EXPECT_EQ(done.exit, 9) << done.err;
        EXPECT_NE(done.err.find(number), std::string::npos) << done.err;
        EXPECT_NE(done.out, "");
    }
    EXPECT_EQ(run({"queue", "list"}).exit, 9);

    EXPECT_EQ(answer({"get", id(1 - lost_)}).at("state").as_string(), "pending");
    expect_refused(run({"get", id(lost_)}), 9, number);
    expect_refused(run({"cancel", id(lost_)}), 9, number);
    expect_refused(run({"submit", "echo", "1", "--key", key_of(lost_, "echo")}), 9, "nothing was stored");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(shard_of(submitted({"echo", "2"})), 1 - lost_);
    const auto worker = start_worker();
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0) << "it left nothing on a shard that it never saw";
    ASSERT_TRUE(there_->start());
    EXPECT_EQ(submitted({"echo", "1", "--key", key_of(lost_, "echo")}), id(lost_));
    EXPECT_EQ(answer({"list"}).at("tasks").as_array().size(), 6u);
}

TEST_F(TwoServersCli, AWorkerGoesOnWithTheOthersAndComesBackToTheLostOne) {
    ASSERT_TRUE(there_->stop("fast"));
    const auto worker = start_worker();  // begins without it
    EXPECT_EQ(run({"result", "--wait", id(1 - lost_)}).exit, 0);
    ASSERT_TRUE(there_->start());
    EXPECT_EQ(run({"result", "--wait", id(lost_)}).exit, 0);

    const std::string running = submitted({"sleep", R"({"seconds": 0.2})", "--key", key_of(lost_, "sleep")});
    ASSERT_TRUE(there_->stop("immediate"));
    const std::string other = submitted({"echo", "3", "--key", key_of(1 - lost_, "echo", 100)});
    EXPECT_EQ(run({"result", "--wait", other}).exit, 0);
    ASSERT_TRUE(there_->start());
    EXPECT_EQ(run({"result", "--wait", running}).exit, 0);
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait().exit, 0);
}

}  // namespace
}  // namespace pawl::e2e
