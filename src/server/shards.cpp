#include "server/shards.hpp"

#include "core/shards.hpp"
#include "core/shown.hpp"
#include "core/task_id.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"

#include <algorithm>

namespace pawl::server {

Error of_shard(int shard, const Error& error) {
    return {error.code, "shard " + std::to_string(shard) + ": " + error.message};
}

Result<Response> as_asked(const Request& request, Result<Response> answer) {
    if (!answer || request.method != "GET" || answer->status != 503) return answer;
    return error_of(*answer);
}

void append_missing(JsonText& json, const ShardAnswers& answers) {
    if (std::ranges::none_of(answers, [](const auto& answer) { return answer && !*answer; })) return;
    json.name("missing").open('[');
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i] || *answers[i]) continue;
        json.open().field("shard", static_cast<int>(i)).field("detail", answers[i]->error().message).close();
    }
    json.close(']');
}

std::optional<Result<Response>> first_refusal(const ShardAnswers& answers) {
    const auto& refused =
        std::ranges::find_if(answers, [](const auto& answer) { return answer && *answer && !(*answer)->ok(); });
    if (refused != answers.end()) return **refused;
    if (std::ranges::any_of(answers, [](const auto& answer) { return answer && *answer; })) return std::nullopt;
    const auto away = std::ranges::find_if(answers, [](const auto& answer) { return answer.has_value(); });
    if (away == answers.end()) return std::nullopt;
    return of_shard(static_cast<int>(away - answers.begin()), (*away)->error());
}

std::optional<std::vector<std::string>> split_places(std::string_view cursor, int shards, std::string_view start) {
    if (cursor.empty() || cursor == "0")
        return std::vector<std::string>(static_cast<std::size_t>(shards), std::string(start));
    std::vector<std::string> places;
    for (bool more = true; more;) {
        const std::size_t end = cursor.find('_');
        more = end != cursor.npos;
        places.emplace_back(cursor.substr(0, end));
        cursor.remove_prefix(more ? end + 1 : cursor.size());
    }
    if (std::ssize(places) != shards) return std::nullopt;
    return places;
}

std::string join_places(const std::vector<std::string>& places) {
    std::string cursor;
    for (const std::string& place : places) cursor += (cursor.empty() ? "" : "_") + place;
    return cursor;
}

namespace {

constexpr std::string_view tasks_path = "/v1/tasks/";

struct TaskPath {
    std::string task, rest;  ///< "t_...", "/journal"
};

std::optional<TaskPath> task_path(const Request& request) {
    if (!request.path.starts_with(tasks_path)) return std::nullopt;
    const std::string_view tail = std::string_view(request.path).substr(tasks_path.size());
    const std::size_t slash = std::min(tail.find('/'), tail.size());
    return TaskPath{std::string(tail.substr(0, slash)), std::string(tail.substr(slash))};
}

Result<Response> ask_shard_of(Shards& shards, const core::TaskId& id, const Request& request) {
    const int shard = id.shard();
    if (shard >= shards.count())
        return problem(request, {Errc::not_found, "no task " + core::to_string(id) + " in this store: it has " +
                                                      std::to_string(shards.count()) +
                                                      " shards, and the id is of shard " + std::to_string(shard)});
    auto answer = shards.ask(shard, request);
    if (!answer) return of_shard(shard, answer.error());
    return answer;
}

std::string id_in(const Response& response) {
    auto body = Body::parse(response.body, Origin::ours);
    return body ? body->text("id").value_or("") : std::string();
}

// A part of an id may fit tasks on several shards; one that is away may have another.
Result<Response> ask_by_part(Shards& shards, const TaskPath& path, const Request& request) {
    Request look;
    look.path = std::string(tasks_path) + path.task;
    const ShardAnswers answers =
        shards.ask_all(std::vector<std::optional<Request>>(static_cast<std::size_t>(shards.count()), look));
    std::vector<std::string> ids;
    std::optional<Error> away;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const Result<Response>& answer = *answers[i];
        if (!answer) away = of_shard(static_cast<int>(i), answer.error());
        else if (answer->ok()) ids.push_back(id_in(*answer));
        else if (answer->status != 404) return answer;
    }
    if (ids.size() > 1) {
        std::string message =
            core::shown(path.task) + " fits " + std::to_string(ids.size()) + " tasks; give more of the id:";
        for (std::size_t i = 0; i < std::min<std::size_t>(ids.size(), 5); ++i)
            message += (i == 0 ? " " : ", ") + ids[i];
        return problem(request, {Errc::ambiguous_id, std::move(message)});
    }
    if (away && (ids.empty() || request.method != "GET"))
        return Error{away->code, core::shown(path.task) +
                                     " is a part of an id, and it is not known whether it fits a "
                                     "task on a shard that is away (" +
                                     away->message + "); give the whole id"};
    if (ids.empty()) return *answers.front();
    Request whole = request;
    whole.path = std::string(tasks_path) + ids.front() + path.rest;
    return ask_shard_of(shards, *core::parse_task_id(ids.front()), whole);
}

Result<Response> ask_any(Shards& shards, const Request& request) {
    const int first = shards.draw(shards.count());
    Result<Response> answer = Error{};
    for (int i = 0; i < shards.count(); ++i) {
        const int shard = (first + i) % shards.count();
        answer = shards.ask(shard, request);
        if (answer) return answer;
        answer = of_shard(shard, answer.error());
    }
    return answer;
}

}  // namespace

Result<Response> call_shards(Shards& shards, const Request& request) {
    if (request.path == "/v1/tasks")
        return request.method == "POST" ? submit_to_shard(shards, request) : list_shards(shards, request);
    if (request.path == "/v1/tasks:bulk") return submit_to_shards(shards, request);
    if (request.path == "/v1/tasks:operate") return operate_on_shards(shards, request);
    if (request.path == "/v1/events") return events_of_shards(shards, request);
    if (request.path == "/v1/queues") return queues_of_shards(shards, request);
    if (request.path.starts_with("/v1/queues/")) return set_queue_on_shards(shards, request);
    if (request.path == "/v1/doctor") return doctor_of_shards(shards, request);
    const auto path = task_path(request);
    if (!path || path->task.empty()) return ask_any(shards, request);
    if (const auto id = core::parse_task_id(path->task)) return ask_shard_of(shards, *id, request);
    return ask_by_part(shards, *path, request);
}

}  // namespace pawl::server
