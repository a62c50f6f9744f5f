// The API over three shards, each a store in memory, of which one may be away.
#include "server/shards.hpp"

#include "core/shards.hpp"
#include "core/task_id.hpp"
#include "support/api.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace pawl {
namespace {

using server::Request;
using server::Response;

class ThreeShards final : public server::Shards {
public:
    ThreeShards() {
        for (int s = 0; s < count(); ++s) apis[static_cast<std::size_t>(s)].port.set_shard(s);
    }
    int count() const override { return 3; }
    Result<Response> ask(int shard, const Request& request) override {
        if (away.contains(shard)) return Error{Errc::store_unavailable, "server is down"};
        asked.insert(shard);
        std::optional<Response> response;
        apis[static_cast<std::size_t>(shard)].router.handle(request, [&](Response r) { response = std::move(r); });
        return std::move(*response);
    }
    std::vector<std::optional<Result<Response>>> ask_all(std::vector<std::optional<Request>> requests) override {
        std::vector<std::optional<Result<Response>>> answers;
        for (std::size_t s = 0; s < requests.size(); ++s) {
            answers.emplace_back();
            if (requests[s]) answers.back() = ask(static_cast<int>(s), *requests[s]);
        }
        return answers;
    }
    int draw(int end) override { return static_cast<int>(random.next() >> 33) % end; }

    std::array<test::Api, 3> apis;
    std::set<int> away, asked;
    test::CountingRandom random;
};

class ShardCall : public testing::Test {
protected:
    Result<Response> call(const std::string& method, const std::string& target, std::string body = {}) {
        Request request;
        request.method = method;
        request.body = std::move(body);
        server::parse_target(target, request);
        return server::call_shards(shards, request);
    }
    boost::json::object json(const std::string& method, const std::string& target, std::string body = {}) {
        const auto answer = call(method, target, std::move(body));
        EXPECT_TRUE(answer) << answer.error().message;
        if (!answer) return {};
        EXPECT_TRUE(answer->ok()) << answer->body;
        return boost::json::parse(answer->body).as_object();
    }
    boost::json::object get(const std::string& target) { return json("GET", target); }
    static std::string text(const boost::json::object& object, const char* name) {
        return std::string(object.at(name).as_string());
    }
    std::string submit(const std::string& body) {
        tick();
        return text(json("POST", "/v1/tasks", body), "id");
    }
    std::string keyed(const std::string& key) { return submit(R"({"type":"echo","key":")" + key + "\"}"); }
    static int shard_of(const std::string& id) { return core::parse_task_id(id).value().shard(); }
    /// A millisecond on every server, so that times tell an order.
    void tick() {
        for (auto& api : shards.apis) api.clock.advance(std::chrono::milliseconds(1));
    }

    ThreeShards shards;
};

TEST_F(ShardCall, AKeyDecidesWhereItsTaskLivesAndItsIdSaysSo) {
    for (int i = 0; i < 20; ++i) {
        const std::string key = "k" + std::to_string(i), id = keyed(key);
        EXPECT_EQ(shard_of(id), core::shard_of({"default", "echo", key}, 3));
        EXPECT_EQ(keyed(key), id);
        EXPECT_EQ(text(get("/v1/tasks/" + id), "key"), key);
    }
}

TEST_F(ShardCall, TasksWithoutAKeyLiveAnywhereThatIsThere) {
    std::set<int> seen;
    for (int i = 0; i < 40; ++i) seen.insert(shard_of(submit(R"({"type":"echo"})")));
    EXPECT_EQ(seen.size(), 3u);
    shards.away = {1};
    for (int i = 0; i < 20; ++i) EXPECT_NE(shard_of(submit(R"({"type":"echo"})")), 1);
}

TEST_F(ShardCall, AKeyOfAShardThatIsAwayIsRefusedAndNothingIsStored) {
    std::string key = "k";
    while (core::shard_of({"default", "echo", key}, 3) != 1) key += "k";
    shards.away = {1};
    const auto refused = call("POST", "/v1/tasks", R"({"type":"echo","key":")" + key + "\"}");
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error().code, Errc::store_unavailable);
    EXPECT_NE(refused.error().message.find("shard 1"), std::string::npos);
    EXPECT_NE(refused.error().message.find("nothing was stored"), std::string::npos);
    shards.away.clear();
    EXPECT_EQ(get("/v1/tasks").at("tasks").as_array().size(), 0u);
}

TEST_F(ShardCall, ABulkIsAnsweredInTheOrderOfItsElements) {
    std::string body = "[";
    for (int i = 0; i < 30; ++i)
        body += R"({"type":"echo","input":)" + std::to_string(i) + R"(,"key":"b)" + std::to_string(i) + "\"},";
    body += R"({"type":"no good"},{"type":"echo","input":31},{"type":"echo","input":32}])";
    shards.away = {2};
    const auto answer = json("POST", "/v1/tasks:bulk", body);
    const auto& results = answer.at("results").as_array();
    ASSERT_EQ(results.size(), 33u);
    int refused = 0;
    for (int i = 0; i < 33; ++i) {
        const auto& result = results[static_cast<std::size_t>(i)].as_object();
        const bool is_away = i < 30 && core::shard_of({"default", "echo", "b" + std::to_string(i)}, 3) == 2;
        refused += is_away || i == 30 ? 1 : 0;
        ASSERT_EQ(result.contains("problem"), is_away || i == 30) << i;
        if (is_away || i == 30) continue;
        const std::string id = text(result.at("task").as_object(), "id");
        EXPECT_EQ(get("/v1/tasks/" + id).at("input").as_int64(), i);
    }
    EXPECT_EQ(answer.at("refused").as_int64(), refused);
    EXPECT_EQ(answer.at("submitted").as_int64(), 33 - refused);
}

TEST_F(ShardCall, AListIsNewestFirstAndItsPagesMissAndRepeatNothing) {
    std::vector<std::string> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(submit(R"({"type":"echo"})"));
    std::vector<std::string> seen;
    std::string target = "/v1/tasks?limit=7";
    for (;;) {
        const auto page = get(target);
        EXPECT_LE(page.at("tasks").as_array().size(), 7u);
        for (const auto& task : page.at("tasks").as_array()) {
            seen.push_back(text(task.as_object(), "id"));
            EXPECT_FALSE(task.as_object().contains("cursor"));
        }
        submit(R"({"type":"later"})");  // what is new belongs to no later page of a shard that was begun
        if (page.at("next_cursor").is_null()) break;
        target = "/v1/tasks?limit=7&cursor=" + text(page, "next_cursor");
    }
    std::reverse(ids.begin(), ids.end());
    EXPECT_EQ(seen, ids);
}

TEST_F(ShardCall, AShardWithFarMoreThanTheOthersIsListedAndFollowedToItsEnd) {
    std::vector<std::string> ids;
    for (int i = 0; ids.size() < 80; ++i)
        if (core::shard_of({"default", "echo", "s" + std::to_string(i)}, 3) == 1 || i < 6)
            ids.push_back(keyed("s" + std::to_string(i)));
    std::vector<std::string> listed, followed;
    std::string cursor;
    do {
        const auto page = get("/v1/tasks?limit=50" + (cursor.empty() ? "" : "&cursor=" + cursor));
        for (const auto& task : page.at("tasks").as_array()) listed.push_back(text(task.as_object(), "id"));
        cursor = page.at("next_cursor").is_null() ? "" : text(page, "next_cursor");
    } while (!cursor.empty());
    for (std::string after = "0", before; after != before;) {
        const auto page = get("/v1/events?limit=50&after=" + after);
        for (const auto& event : page.at("events").as_array()) followed.push_back(text(event.as_object(), "task"));
        before = std::exchange(after, text(page, "next_after"));
    }
    EXPECT_EQ(followed, ids);
    std::reverse(ids.begin(), ids.end());
    EXPECT_EQ(listed, ids);
}

TEST_F(ShardCall, ALimitThatIsWrongIsRefused) {
    for (const char* target : {"/v1/tasks?limit=0", "/v1/tasks?limit=x", "/v1/events?limit=1001"})
        EXPECT_EQ(call("GET", target)->status, 422) << target;
}

TEST_F(ShardCall, ACursorThatNobodyGaveOutIsRefused) {
    for (const char* target :
         {"/v1/tasks?cursor=abc", "/v1/tasks?cursor=abc_0_0", "/v1/events?after=5", "/v1/events?after=1_x_2"}) {
        const auto answer = call("GET", target);
        ASSERT_TRUE(answer) << target;
        EXPECT_EQ(answer->status, 422) << target;
    }
}

TEST_F(ShardCall, TheFeedGoesOnAfterAnyOfItsEntriesAndMissesAndRepeatsNothing) {
    for (int i = 0; i < 40; ++i) submit(R"({"type":"echo"})");
    std::vector<std::string> seen;
    std::string after = "0";
    for (int i = 0; i < 40; ++i) {
        const auto page = get("/v1/events?limit=3&after=" + after);
        const auto& events = page.at("events").as_array();
        ASSERT_FALSE(events.empty());
        seen.push_back(text(events[0].as_object(), "task"));
        after = text(events[0].as_object(), "cursor");
        if (events.size() == 3u) { EXPECT_EQ(text(events[2].as_object(), "cursor"), text(page, "next_after")); }
    }
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 40u);
    EXPECT_TRUE(get("/v1/events?after=" + after).at("events").as_array().empty());
    EXPECT_EQ(text(get("/v1/events?after=" + after), "next_after"), after);
}

TEST_F(ShardCall, AFeedWaitsForAShardThatIsAwayWhereItWas) {
    for (int i = 0; i < 9; ++i) submit(R"({"type":"echo"})");
    shards.away = {0};
    const auto page = get("/v1/events");
    EXPECT_EQ(page.at("missing").as_array().size(), 1u);
    EXPECT_EQ(page.at("missing").as_array()[0].as_object().at("shard").as_int64(), 0);
    shards.away.clear();
    const auto rest = get("/v1/events?after=" + text(page, "next_after"));
    EXPECT_FALSE(rest.contains("missing"));
    EXPECT_EQ(page.at("events").as_array().size() + rest.at("events").as_array().size(), 9u);
}

TEST_F(ShardCall, APartOfAnIdIsLookedForEverywhere) {
    const std::string id = submit(R"({"type":"echo"})"), other = submit(R"({"type":"echo"})");
    EXPECT_EQ(text(get("/v1/tasks/" + id.substr(10)), "id"), id);
    EXPECT_EQ(call("GET", "/v1/tasks/ZZZZZZ")->status, 404);
    const auto ambiguous = call("POST", "/v1/tasks/" + id.substr(0, 5) + "/cancel", "{}");
    EXPECT_EQ(ambiguous->status, 409);
    EXPECT_NE(ambiguous->body.find(other), std::string::npos);
    shards.away = {(shard_of(id) + 1) % 3};
    EXPECT_EQ(text(get("/v1/tasks/" + id.substr(10)), "id"), id);
    EXPECT_TRUE(call("POST", "/v1/tasks/" + id.substr(10) + "/cancel", "{}").has_error())
        << "the part may fit a task that nobody can see";
    EXPECT_TRUE(call("POST", "/v1/tasks/" + id + "/cancel", "{}")->ok());
}

TEST_F(ShardCall, AnIdOfAShardThatTheStoreHasNotIsOfNoTask) {
    const std::string id = core::to_string(core::make_task_id(core::wall_instant(1), 77, 1, 2));
    EXPECT_EQ(call("GET", "/v1/tasks/" + id)->status, 404);
}

TEST_F(ShardCall, AQueuesLimitIsSplitAndShownWhole) {
    EXPECT_EQ(json("PUT", "/v1/queues/q", R"({"concurrency":10,"depth_max":7})").at("concurrency").as_int64(), 10);
    EXPECT_EQ(shards.apis[0].get("/v1/queues").json.at("queues").as_array()[0].as_object().at("concurrency").as_int64(),
              4);
    for (int i = 0; i < 6; ++i) submit(R"({"type":"echo","queue":"default"})");
    const auto queues = get("/v1/queues").at("queues").as_array();
    ASSERT_EQ(queues.size(), 2u);
    EXPECT_EQ(queues[0].as_object().at("pending").as_int64(), 6);
    EXPECT_EQ(queues[1].as_object().at("concurrency").as_int64(), 10);
    EXPECT_EQ(queues[1].as_object().at("depth_max").as_int64(), 7);
    EXPECT_EQ(call("PUT", "/v1/queues/q", R"({"concurency":10})")->status, 422);
    shards.away = {1};
    const auto partly = call("PUT", "/v1/queues/q", R"({"paused":true})");
    ASSERT_TRUE(partly.has_error());
    EXPECT_NE(partly.error().message.find("all shards but 1"), std::string::npos);
}

TEST_F(ShardCall, TheDoctorSeesAllAndSaysWhichIsAway) {
    for (int i = 0; i < 6; ++i) submit(R"({"type":"echo"})");
    auto doctor = get("/v1/doctor");
    EXPECT_TRUE(doctor.at("ok").as_bool());
    EXPECT_EQ(doctor.at("tasks").as_object().at("pending").as_int64(), 6);
    EXPECT_EQ(doctor.at("shards").as_array().size(), 3u);
    shards.away = {2};
    doctor = get("/v1/doctor");
    EXPECT_FALSE(doctor.at("ok").as_bool());
    EXPECT_EQ(doctor.at("missing").as_array()[0].as_object().at("detail").as_string(), "server is down");
}

TEST_F(ShardCall, NothingIsListedWhenNobodyAnswers) {
    shards.away = {0, 1, 2};
    for (const char* target : {"/v1/tasks", "/v1/events", "/v1/queues", "/v1/doctor"})
        EXPECT_TRUE(call("GET", target).has_error()) << target;
}

TEST_F(ShardCall, AVerbForManyReachesThoseOfEveryShardThatIsThere) {
    std::set<std::string> here, away;
    for (int i = 0; i < 30; ++i) {
        const std::string id = submit(R"({"type":"echo"})");
        (shard_of(id) == 1 ? away : here).insert(id);
    }
    shards.away = {1};
    std::string target = "/v1/tasks:operate?limit=4", cursor;
    std::size_t changed = 0;
    do {
        const auto page = json("POST", target + cursor, R"({"verb":"cancel"})");
        changed += static_cast<std::size_t>(page.at("changed").as_int64());
        for (const auto& result : page.at("results").as_array())
            EXPECT_TRUE(here.erase(text(result.as_object(), "id")));
        EXPECT_EQ(page.contains("missing"), cursor.empty()) << "told once, by the page that asked it";
        const auto& next = page.at("next_cursor");
        cursor = next.is_null() ? "" : "&cursor=" + std::string(next.as_string());
    } while (!cursor.empty());
    EXPECT_TRUE(here.empty());
    EXPECT_EQ(changed + away.size(), 30u);
    shards.away.clear();
    EXPECT_EQ(get("/v1/tasks?state=pending").at("tasks").as_array().size(), away.size());
}

}  // namespace
}  // namespace pawl
