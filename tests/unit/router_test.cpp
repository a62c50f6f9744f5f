// The API: every route, its refusals and its JSON.
#include "agent/definition.hpp"
#include "support/api.hpp"

#include <gtest/gtest.h>

namespace pawl {
namespace {

using test::ApiAnswer;
using namespace std::chrono_literals;

core::EntryDraft entry(core::EntryKind kind, std::string path, std::string result = {}) {
    core::EntryDraft draft;
    draft.kind = kind;
    draft.path = std::move(path);
    draft.number = 1;
    draft.result = std::move(result);
    return draft;
}

class RouterTest : public testing::Test {
protected:
    void expect_refused(const ApiAnswer& answer, int status, const std::string& code, const std::string& part) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.text("code"), code) << answer.body;
        EXPECT_NE(answer.text("detail").find(part), std::string::npos) << answer.body;
        EXPECT_EQ(server::find_header(answer.headers, "content-type"), "application/problem+json");
    }
    int tasks() { return static_cast<int>(api.get("/v1/tasks").json.at("tasks").get_array().size()); }

    test::Api api;
};

// ---- submit --------------------------------------------------------------------------------------------------------

TEST_F(RouterTest, SubmitStoresATaskAndNamesIt) {
    const auto answer = api.post("/v1/tasks", R"({"type":"echo","input":{"n":12345678901234567890}})");

    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.text("state"), "pending");
    EXPECT_EQ(answer.text("replayed"), "false");
    const std::string path = "/v1/tasks/" + answer.text("id");
    EXPECT_EQ(server::find_header(answer.headers, "Location"), path);
    const auto task = api.get(path);
    EXPECT_EQ(task.status, 200);
    EXPECT_NE(task.body.find(R"("input":{"n":12345678901234567890})"), std::string::npos)
        << "long integers must come back digit for digit: " << task.body;
}

TEST_F(RouterTest, TheSameKeyGivesTheSameTask) {
    const server::Headers key{{"Idempotency-Key", "k1"}};
    const auto first = api.post("/v1/tasks", R"({"type":"echo","input":[1, 2]})", key);
    const auto again = api.post("/v1/tasks", R"({"input":[1,2],"type":"echo","key":"k1","priority":3})");
    const auto other = api.post("/v1/tasks", R"({"type":"echo","input":[1,3]})", key);

    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(server::find_header(again.headers, "Idempotent-Replayed"), "true");
    EXPECT_EQ(again.text("id"), first.text("id"));
    expect_refused(other, 422, "idempotency_key_reused", first.text("id"));
    EXPECT_EQ(tasks(), 1);
}

TEST_F(RouterTest, AnExistingKeyMayBeRefused) {
    api.submit(R"({"type":"echo","key":"k"})");
    expect_refused(api.post("/v1/tasks", R"({"type":"echo","key":"k","on_existing":"reject"})"), 409, "key_exists",
                   "k");
}

TEST_F(RouterTest, AFullQueueRefusesAndSaysWhenToComeBack) {
    api.call("PUT", "/v1/queues/small", R"({"depth_max":1})");
    EXPECT_EQ(api.post("/v1/tasks", R"({"type":"echo","queue":"small"})").status, 201);
    const auto refused = api.post("/v1/tasks", R"({"type":"echo","queue":"small"})");
    expect_refused(refused, 429, "queue_full", "small");
    EXPECT_EQ(server::find_header(refused.headers, "Retry-After"), "1");
}

struct BadSubmit {
    const char* body;
    int status;
    const char* code;
    const char* part;
};

class BadSubmitTest : public RouterTest, public testing::WithParamInterface<BadSubmit> {};

TEST_P(BadSubmitTest, IsRefusedByNameAndNothingIsStored) {
    expect_refused(api.post("/v1/tasks", GetParam().body), GetParam().status, GetParam().code, GetParam().part);
    EXPECT_EQ(tasks(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSubmitTest,
    testing::Values(BadSubmit{"", 422, "bad_input", "type: missing"}, BadSubmit{"nonsense", 400, "bad_input", "byte 0"},
                    BadSubmit{R"(["type"])", 400, "bad_input", "object"},
                    BadSubmit{R"({"type":"echo"} x)", 400, "bad_input", "byte 16"},
                    BadSubmit{R"({"type":"echo")", 400, "bad_input", "byte 14"},
                    BadSubmit{R"({"type":"echo","type":"echo"})", 400, "bad_input", "twice"},
                    BadSubmit{R"({"type":"echo","input":{"a":tru}})", 400, "bad_input", "\"input\""},
                    BadSubmit{R"({"type":"echo","input":{"a":1,"a":2}})", 400, "bad_input", "\"input\""},
                    BadSubmit{R"({"type":"echo","input":1e999})", 400, "bad_input", "\"input\""},
                    BadSubmit{"{\"type\":\"echo\",\"input\":\"\xff\"}", 400, "bad_input", "\"input\""},
                    BadSubmit{R"({"typ":"echo"})", 422, "bad_input", "did you mean \"type\"?"},
                    BadSubmit{R"({"type":"echo","prioritty":5})", 422, "bad_input", "did you mean \"priority\"?"},
                    BadSubmit{R"({"type":"no good"})", 422, "bad_input", "type"},
                    BadSubmit{R"({"type":"echo","queue":"a b"})", 422, "bad_input", "queue"},
                    BadSubmit{R"({"type":"echo","queue":""})", 422, "bad_input", "queue"},
                    BadSubmit{R"({"type":"echo","key":""})", 422, "bad_input", "key"},
                    BadSubmit{R"({"type":"echo","key":"a\u0000b"})", 422, "bad_input", "control character"},
                    BadSubmit{R"({"type":"echo","priority":101})", 422, "bad_input", "-100 to 100"},
                    BadSubmit{R"({"type":"echo","priority":1.5})", 422, "bad_input", "integer"},
                    BadSubmit{R"({"type":"echo","max_attempts":1001})", 422, "bad_input", "0 to 1,000"},
                    BadSubmit{R"({"type":"echo","max_attempts":0})", 422, "bad_input", "deadline"},
                    BadSubmit{R"({"type":"echo","deadline":"2001-01-01T00:00:00Z"})", 422, "bad_input", "past"},
                    BadSubmit{R"({"type":"echo","deadline":"0s"})", 422, "bad_input", "past"},
                    BadSubmit{R"({"type":"echo","deadline":"soon"})", 422, "bad_input", "deadline"},
                    BadSubmit{R"({"type":"echo","delay":"-5s"})", 422, "bad_input", "delay"},
                    BadSubmit{R"({"type":"echo","delay":5})", 422, "bad_input", "expected a string"},
                    BadSubmit{R"({"type":"echo","on_existing":"keep"})", 422, "bad_input", "attach"},
                    BadSubmit{R"({"type":"echo","tags":["a",1]})", 422, "bad_input", "array of strings"}));

TEST_F(RouterTest, EveryBadFieldIsListed) {
    const auto answer = api.post("/v1/tasks", R"({"type":"echo","delay":5,"colour":"red"})");
    ASSERT_EQ(answer.json.at("errors").get_array().size(), 2u) << answer.body;
    EXPECT_EQ(answer.json.at("errors").at(0).at("field").as_string(), "delay");
    EXPECT_EQ(answer.json.at("errors").at(1).at("field").as_string(), "colour");
}

TEST_F(RouterTest, DepthIsBounded) {
    const auto nested = [](int depth) {
        return R"({"type":"echo","input":)" + std::string(static_cast<std::size_t>(depth), '[') +
               std::string(static_cast<std::size_t>(depth), ']') + "}";
    };
    EXPECT_EQ(api.post("/v1/tasks", nested(64)).status, 201);
    EXPECT_EQ(api.post("/v1/tasks", nested(65)).status, 400);
    EXPECT_EQ(api.post("/v1/tasks", nested(100'000)).status, 400);
}

TEST_F(RouterTest, AnInputOverTheLimitIsTooLarge) {
    const std::string body = R"({"type":"echo","input":")" + std::string(1u << 20, 'x') + "\"}";
    expect_refused(api.post("/v1/tasks", body), 413, "too_large", "input");
}

TEST_F(RouterTest, AnEscapedNulInTheInputIsData) {
    const std::string id = api.submit(R"({"type":"echo","input":"a\u0000b"})");
    EXPECT_NE(api.get("/v1/tasks/" + id).body.find(R"("input":"a\u0000b")"), std::string::npos);
}

TEST_F(RouterTest, ABulkAnswersEveryElement) {
    const auto answer = api.post("/v1/tasks:bulk", R"([{"type":"echo","key":"a"}, {"type":"no good"},
                                                      {"type":"echo","key":"a"}, {"typ":1}])");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.text("submitted"), "2");
    EXPECT_EQ(answer.text("refused"), "2");
    const auto& results = answer.json.at("results").get_array();
    ASSERT_EQ(results.size(), 4u);
    EXPECT_EQ(results[0].at("status").as_int64(), 201);
    EXPECT_EQ(results[1].at("problem").at("code").as_string(), "bad_input");
    EXPECT_EQ(results[2].at("status").as_int64(), 200);
    EXPECT_EQ(results[2].at("task").at("id"), results[0].at("task").at("id"));
    EXPECT_EQ(results[3].at("status").as_int64(), 422);
    EXPECT_EQ(tasks(), 1);
}

// ---- ids -----------------------------------------------------------------------------------------------------------

TEST_F(RouterTest, ATaskIsFoundByAUniquePart) {
    const std::string id = api.submit(R"({"type":"echo"})");
    EXPECT_EQ(api.get("/v1/tasks/" + id.substr(0, 12)).text("id"), id);
    EXPECT_EQ(api.get("/v1/tasks/" + id.substr(20)).text("id"), id);
    EXPECT_EQ(api.get("/v1/tasks/t_" + id.substr(2, 4)).text("id"), id);
}

TEST_F(RouterTest, APartOfSeveralIdsListsFiveOfThem) {
    std::vector<std::string> ids;
    for (int i = 0; i < 6; ++i) ids.push_back(api.submit(R"({"type":"echo"})"));
    const auto answer = api.get("/v1/tasks/" + ids[0].substr(0, 8));
    expect_refused(answer, 409, "ambiguous_id", "more than 5 tasks");
    int named = 0;
    for (const auto& id : ids) named += answer.text("detail").find(id) != std::string::npos;
    EXPECT_EQ(named, 5);
}

TEST_F(RouterTest, AnUnknownIdIsNotFoundWhateverItLooksLike) {
    api.submit(R"({"type":"echo"})");
    for (const char* id : {"t_00000000000000000000000000", "..%2f..", "%2e%2e", "%00", "x'%20OR%201=1", "ILOU", ""}) {
        EXPECT_EQ(api.get(std::string("/v1/tasks/") + id).status, 404) << id;
        EXPECT_EQ(api.get(std::string("/v1/tasks/") + id + "/why").status, 404) << id;
    }
    EXPECT_EQ(api.get("/v1/tasks/" + std::string(10'000, 'A')).status, 404);
}

// ---- listings ------------------------------------------------------------------------------------------------------

TEST_F(RouterTest, AListIsPagedAndFiltered) {
    for (int i = 0; i < 5; ++i) api.submit(R"({"type":"echo"})");
    api.submit(R"({"type":"mail","queue":"mails","tags":["red"]})");

    const auto first = api.get("/v1/tasks?limit=4");
    EXPECT_EQ(first.json.at("tasks").get_array().size(), 4u);
    const auto rest = api.get("/v1/tasks?limit=4&cursor=" + first.text("next_cursor"));
    EXPECT_EQ(rest.json.at("tasks").get_array().size(), 2u);
    EXPECT_EQ(rest.text("next_cursor"), "null");
    for (const char* filter : {"type=mail", "queue=mails", "tag=red"}) {
        const auto found = api.get(std::string("/v1/tasks?") + filter);
        EXPECT_EQ(found.json.at("tasks").get_array().size(), 1u) << filter;
    }
    EXPECT_EQ(api.get("/v1/tasks?state=failed,completed").json.at("tasks").get_array().size(), 0u);
    EXPECT_EQ(api.get("/v1/tasks?key='%20OR%201=1").json.at("tasks").get_array().size(), 0u);
}

TEST_F(RouterTest, ABadQueryIsRefusedByName) {
    expect_refused(api.get("/v1/tasks?state=done"), 422, "bad_input", "?state: there is no state \"done\"");
    expect_refused(api.get("/v1/tasks?limit=0"), 422, "bad_input", "?limit: expected an integer from 1 to 1000");
    expect_refused(api.get("/v1/tasks?sort=x"), 422, "bad_input", "?sort: unknown parameter");
    expect_refused(api.get("/v1/tasks?stat=failed"), 422, "bad_input", "did you mean \"state\"?");
    for (const char* cursor : {"!", "", "z", "zz", "zzz", "1", "-1"})
        expect_refused(api.get(std::string("/v1/tasks?cursor=") + cursor), 422, "bad_input", "?cursor");
    expect_refused(api.get("/v1/tasks?type='%20OR%201=1"), 422, "bad_input", "?type: \"' OR 1=1\" is malformed");
    expect_refused(api.get("/v1/tasks?queue=a%20b"), 422, "bad_input", "?queue: \"a b\" is malformed");
    expect_refused(api.get("/v1/events?after=-1"), 422, "bad_input", "?after");
    expect_refused(api.get("/v1/events?wait=x"), 422, "bad_input", "?wait");
}

TEST_F(RouterTest, AnAgentWithoutADefinitionIsRefused) {
    expect_refused(api.post("/v1/tasks", R"({"type":"agent","input":{"text":"x"}})"), 422, "bad_input",
                   "definition: missing");
    expect_refused(api.post("/v1/tasks", R"({"type":"agent","input":{"text":"x"},"definition":"{}"})"), 422,
                   "bad_input", "definition: ");
    EXPECT_EQ(api.get("/v1/tasks").json.at("tasks").get_array().size(), 0u);
}

TEST_F(RouterTest, AnAgentWhoseSchemaCannotBeUsedIsRefused) {
    agent::AgentDefinition doctor;
    doctor.name = "doctor";
    doctor.model = "any";
    doctor.tools.resize(1);
    doctor.tools[0].name = "look";
    doctor.tools[0].description = "looks";
    doctor.tools[0].kind = "function";
    for (const bool usable : {false, true}) {
        doctor.tools[0].parameters.text = usable ? R"({"pattern":"^/var"})" : R"({"pattern":"^(?!/etc)/"})";
        const std::string body =
            R"({"type":"agent","input":{"text":"x"},"definition":)" + to_json(agent::encode(doctor)) + "}";
        if (usable) EXPECT_EQ(api.post("/v1/tasks", body).status, 201);
        else expect_refused(api.post("/v1/tasks", body), 422, "bad_input", "tool look: parameters");
    }
}

TEST_F(RouterTest, AJournalIsReadOnFromANumber) {
    const std::string id = api.submit(R"({"type":"echo"})");
    const auto claimed = api.claim("echo");
    api.record(claimed, {entry(core::EntryKind::step_completed, "/a#1", "[1.50]")}, core::Complete{"\"done\""});

    const auto all = api.get("/v1/tasks/" + id + "/journal");
    EXPECT_EQ(all.text("state"), "completed");
    EXPECT_EQ(all.text("more"), "false");
    const auto& entries = all.json.at("entries").get_array();
    ASSERT_EQ(entries.size(), 4u) << all.body;
    EXPECT_EQ(entries[0].at("kind").as_string(), "submitted");
    EXPECT_EQ(entries[1].at("version").as_int64(), 1);
    EXPECT_EQ(entries[2].at("attempt").as_int64(), 1);
    EXPECT_NE(all.body.find(R"("result":[1.50])"), std::string::npos) << "results are shown as they were recorded";
    EXPECT_EQ(entries[3].at("kind").as_string(), "completed");

    const auto two = api.get("/v1/tasks/" + id + "/journal?after=1&limit=2");
    EXPECT_EQ(two.json.at("entries").get_array().size(), 2u);
    EXPECT_EQ(two.text("next_after"), "3");
    EXPECT_EQ(two.text("more"), "true");
    EXPECT_EQ(api.get("/v1/tasks/" + id + "/journal?after=99&wait=5").json.at("entries").get_array().size(), 0u);
}

TEST_F(RouterTest, TheFeedHoldsEveryTasksEntriesOnce) {
    const std::string a = api.submit(R"({"type":"echo"})");
    const std::string b = api.submit(R"({"type":"echo"})");
    const auto first = api.get("/v1/events?limit=1");
    const auto second = api.get("/v1/events?after=" + first.text("next_after"));
    EXPECT_EQ(first.json.at("events").at(0).at("task").as_string(), a);
    ASSERT_EQ(second.json.at("events").get_array().size(), 1u);
    EXPECT_EQ(second.json.at("events").at(0).at("task").as_string(), b);
    const auto none = api.get("/v1/events?after=" + second.text("next_after"));
    EXPECT_EQ(none.json.at("events").get_array().size(), 0u);
    EXPECT_EQ(none.text("next_after"), second.text("next_after"));
}

// ---- results and verbs ---------------------------------------------------------------------------------------------

TEST_F(RouterTest, AResultSaysHowTheTaskStands) {
    const std::string id = api.submit(R"({"type":"echo"})");
    const auto pending = api.get("/v1/tasks/" + id + "/result?wait=5");
    EXPECT_EQ(pending.status, 202);
    EXPECT_EQ(pending.text("final"), "false");

    api.record(api.claim("echo"), {}, core::Complete{R"({"n":10000000000000000000000001})"});
    const auto done = api.get("/v1/tasks/" + id + "/result");
    EXPECT_EQ(done.status, 200);
    EXPECT_EQ(done.text("state"), "completed");
    EXPECT_NE(done.body.find(R"("output":{"n":10000000000000000000000001})"), std::string::npos) << done.body;
}

TEST_F(RouterTest, AFailedTaskTellsItsError) {
    const std::string id = api.submit(R"({"type":"echo"})");
    api.record(api.claim("echo"), {},
               core::Fail{Reason::error, {ErrorClass::final, Errc::step_failed, "boom"}, "/a#1"});
    const auto failed = api.get("/v1/tasks/" + id + "/result");
    EXPECT_EQ(failed.status, 200);
    EXPECT_EQ(failed.text("state"), "failed");
    EXPECT_EQ(failed.json.at("error").at("message").as_string(), "boom");
    const auto why = api.get("/v1/tasks/" + id + "/why");
    EXPECT_EQ(why.text("reason"), "failed");
    EXPECT_EQ(why.text("step"), "/a#1");
}

TEST_F(RouterTest, VerbsChangeTheStateOnceForEachRequestId) {
    const std::string id = api.submit(R"({"type":"echo"})");
    const std::string path = "/v1/tasks/" + id;
    const auto paused = api.post(path + "/pause", R"({"reason":"audit","who":"ann"})", {{"Pawl-Request-Id", "r1"}});
    EXPECT_EQ(paused.status, 200);
    EXPECT_EQ(paused.text("state"), "paused");
    EXPECT_EQ(paused.text("changed"), "true");
    const auto why = api.get(path + "/why");
    EXPECT_EQ(why.text("reason"), "paused_by_operator");
    EXPECT_NE(why.text("text").find("ann"), std::string::npos) << why.body;
    EXPECT_NE(why.text("text").find("audit"), std::string::npos) << why.body;

    EXPECT_EQ(api.post(path + "/resume", "", {{"Pawl-Request-Id", "r2"}}).text("state"), "pending");
    const auto again = api.post(path + "/pause", R"({"reason":"audit","who":"ann"})", {{"Pawl-Request-Id", "r1"}});
    EXPECT_EQ(again.text("state"), "paused") << "the first answer is given again";
    EXPECT_EQ(api.get(path).text("state"), "pending") << "and nothing was changed";

    EXPECT_EQ(api.post(path + "/cancel", "").text("state"), "cancelled");
    EXPECT_EQ(api.post(path + "/cancel", "").text("changed"), "false");
    expect_refused(api.post(path + "/pause", ""), 409, "already_final", id);
    EXPECT_EQ(api.post(path + "/retry", R"({"deadline":"1h"})").text("state"), "pending");
}

TEST_F(RouterTest, AnUnknownStepIsResolvedOnlyByName) {
    const std::string id = api.submit(R"({"type":"echo"})");
    const std::string path = "/v1/tasks/" + id;
    const auto task = api.claim("echo");
    api.record(task, {entry(core::EntryKind::step_started, "/pay#1"), entry(core::EntryKind::step_unknown, "/pay#1")},
               core::Pause{Reason::outcome_unknown, "cut"});
    EXPECT_EQ(api.get(path + "/result").text("needs_person"), "true");
    const auto why = api.get(path + "/why");
    EXPECT_EQ(why.text("reason"), "outcome_unknown");
    EXPECT_EQ(why.text("step"), "/pay#1");
    expect_refused(api.post(path + "/resume", ""), 409, "refused", "resolve");
    expect_refused(api.post(path + "/resolve", ""), 422, "bad_input", "outcome: expected");
    expect_refused(api.post(path + "/resolve", R"({"outcome":"fail","result":1})"), 422, "bad_input", "only goes with");
    const auto done = api.post(path + "/resolve", R"({"step":"/pay#1","outcome":"happened","result":{"id":7}})");
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(done.text("state"), "pending");
}

TEST_F(RouterTest, AnEntrySaysWhoAskedInFieldsOfItsOwnAndItsErrorIsAnObject) {
    const std::string path = "/v1/tasks/" + api.submit(R"({"type":"echo"})");
    const std::string ann = R"({"who":"ann","request_id":"R","reason":"full"})";
    for (const char* verb : {"pause", "resume", "cancel", "retry"}) {
        std::string body = ann;
        body.replace(body.find('R'), 1, verb);  // each verb its own request
        ASSERT_EQ(api.post(path + "/" + verb, body).status, 200) << verb;
    }
    const std::string who = R"("by":"ann","request":")";

    const std::string journal = api.get(path + "/journal").body;

    EXPECT_NE(journal.find(R"("reason":"operator",)" + who + R"(pause","note":"full"})"), std::string::npos) << journal;
    EXPECT_NE(journal.find(R"("reason":"operator",)" + who + R"(resume","note":"full"})"), std::string::npos)
        << journal;
    EXPECT_NE(journal.find(R"("message":"by ann (request cancel): full"},)" + who + R"(cancel","note":"full"})"),
              std::string::npos)
        << journal;
    EXPECT_NE(journal.find(who + R"(retry","note":"full"})"), std::string::npos) << journal;
    EXPECT_EQ(journal.find(R"("error":")"), std::string::npos) << "no text where an object is documented";
}

TEST_F(RouterTest, AVerbTakesOnlyItsOwnFields) {
    const std::string path = "/v1/tasks/" + api.submit(R"({"type":"echo"})");
    expect_refused(api.post(path + "/cancel", R"({"outcome":"fail"})"), 422, "bad_input", "outcome: unknown field");
    expect_refused(api.post(path + "/cancel", R"({"request_id":"a"})", {{"Pawl-Request-Id", "b"}}), 422, "bad_input",
                   "differs");
    expect_refused(api.post(path + "/retry", R"({"deadline":"0s"})"), 422, "bad_input", "deadline");
    expect_refused(api.post("/v1/tasks/t_00000000000000000000000000/cancel", ""), 404, "not_found", "t_0000");
    EXPECT_EQ(api.get(path).text("state"), "pending");
}

// ---- why, queues, upkeep -------------------------------------------------------------------------------------------

TEST_F(RouterTest, WhySaysNoWorkerAndWhatToDo) {
    const std::string id = api.submit(R"({"type":"nobody-knows-it"})");
    const auto why = api.get("/v1/tasks/" + id + "/why");
    EXPECT_EQ(why.status, 200);
    EXPECT_EQ(why.text("reason"), "no_worker");
    EXPECT_EQ(why.json.at("next").at(0).as_string(), "pawl worker");
}

TEST_F(RouterTest, AQueueIsSetAndShown) {
    const auto set = api.call("PUT", "/v1/queues/mails", R"({"concurrency":3,"paused":true})");
    EXPECT_EQ(set.status, 200) << set.body;
    EXPECT_EQ(set.text("name"), "mails");
    EXPECT_EQ(set.text("concurrency"), "3");
    EXPECT_EQ(set.text("paused"), "true");
    const auto list = api.get("/v1/queues");
    EXPECT_NE(list.body.find(R"("name":"mails","concurrency":3)"), std::string::npos) << list.body;

    expect_refused(api.call("PUT", "/v1/queues/a%20b", "{}"), 422, "bad_input", "name");
    expect_refused(api.call("PUT", "/v1/queues/mails", R"({"concurrency":-1})"), 422, "bad_input", "concurrency");
    expect_refused(api.call("PUT", "/v1/queues/mails", R"({"limit":1})"), 422, "bad_input", "unknown field");
}

TEST_F(RouterTest, DoctorCountsTasks) {
    api.submit(R"({"type":"echo"})");
    const auto doctor = api.get("/v1/doctor");
    EXPECT_EQ(doctor.status, 200);
    EXPECT_EQ(doctor.text("ok"), "true");
    EXPECT_EQ(doctor.text("store"), "test.db");
    EXPECT_EQ(doctor.json.at("tasks").at("pending").as_int64(), 1);
    EXPECT_EQ(doctor.text("worker"), "null");
}

TEST_F(RouterTest, ABackupNeedsAnAbsolutePath) {
    expect_refused(api.post("/v1/backup", R"({"file":"copy.db"})"), 422, "bad_input", "absolute");
    expect_refused(api.post("/v1/backup", R"({"file":"/tmp/copy.db"})"), 409, "refused", "");
}

TEST_F(RouterTest, UnknownPathsAndMethodsAreRefused) {
    for (const char* path :
         {"/", "/v1", "/v2/tasks", "/v1/nothing", "/v1/tasks/x/y/z", "//v1/tasks", "/v1/tasks/x/fly"}) {
        EXPECT_EQ(api.get(path).status, 404) << path;
    }
    const auto wrong = api.call("DELETE", "/v1/tasks");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(server::find_header(wrong.headers, "Allow"), "GET, POST");
    EXPECT_EQ(api.get("/v1/tasks/x/cancel").status, 405);
    EXPECT_EQ(api.get("/v1/version").text("api"), "v1");
}

// ---- a verb for many -----------------------------------------------------------------------------------------------

TEST_F(RouterTest, AVerbForManyChangesWhatTheFilterFitsPageByPage) {
    for (int i = 0; i < 5; ++i) api.submit(R"({"type":"echo","queue":"a"})");
    const std::string other = api.submit(R"({"type":"echo","queue":"b"})");

    const auto dry = api.post("/v1/tasks:operate?queue=a", R"({"verb":"cancel","dry_run":true})");
    EXPECT_EQ(dry.json.at("matched").as_int64(), 5);
    EXPECT_EQ(dry.json.at("changed").as_int64(), 0);
    EXPECT_EQ(api.get("/v1/tasks?state=cancelled").json.at("tasks").get_array().size(), 0u);

    const auto first = api.post("/v1/tasks:operate?queue=a&limit=3", R"({"verb":"cancel"})");
    EXPECT_EQ(first.json.at("changed").as_int64(), 3);
    const auto second =
        api.post("/v1/tasks:operate?queue=a&limit=3&cursor=" + first.text("next_cursor"), R"({"verb":"cancel"})");
    EXPECT_EQ(second.json.at("changed").as_int64(), 2);
    EXPECT_TRUE(second.json.at("next_cursor").is_null());
    EXPECT_EQ(api.get("/v1/tasks/" + other).text("state"), "pending");
    EXPECT_EQ(api.post("/v1/tasks:operate?queue=a", R"({"verb":"cancel"})").json.at("matched").as_int64(), 0)
        << "what is final is not asked";
    EXPECT_EQ(api.post("/v1/tasks:operate?queue=a", R"({"verb":"retry"})").json.at("changed").as_int64(), 5);
}

TEST_F(RouterTest, AVerbForManyTellsWhatItWasRefused) {
    const std::string id = api.submit(R"({"type":"echo"})");
    const auto answer = api.post("/v1/tasks:operate?state=pending", R"({"verb":"retry"})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.json.at("refused").as_int64(), 1);
    const auto& result = answer.json.at("results").get_array().at(0).get_object();
    EXPECT_EQ(result.at("id").as_string(), id);
    EXPECT_TRUE(result.contains("problem"));
}

TEST_F(RouterTest, AVerbForManyIsCheckedBeforeAnythingIsChanged) {
    api.submit(R"({"type":"echo"})");
    expect_refused(api.post("/v1/tasks:operate", R"({"verb":"signal"})"), 422, "bad_input", "not for many");
    expect_refused(api.post("/v1/tasks:operate", "{}"), 422, "bad_input", "verb");
    expect_refused(api.post("/v1/tasks:operate?state=gone", R"({"verb":"kill"})"), 422, "bad_input", "no state");
    expect_refused(api.post("/v1/tasks:operate?queue=a", R"({"verb":"kill","sure":true})"), 422, "bad_input", "sure");
    EXPECT_EQ(api.get("/v1/tasks?state=pending").json.at("tasks").get_array().size(), 1u);
}

}  // namespace
}  // namespace pawl
