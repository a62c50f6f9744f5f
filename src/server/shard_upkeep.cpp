// Queues and the doctor over shards.
#include "core/shards.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"
#include "server/shards.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace pawl::server {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

ShardAnswers ask_all(Shards& shards, const Request& request) {
    return shards.ask_all(std::vector<std::optional<Request>>(static_cast<std::size_t>(shards.count()), request));
}

// The elements of a member of each shard's answer, with the shard's number.
std::vector<std::pair<int, std::string_view>> elements_of(const ShardAnswers& answers, std::string_view list) {
    std::vector<std::pair<int, std::string_view>> all;
    for (std::size_t s = 0; s < answers.size(); ++s) {
        if (!answers[s] || !*answers[s]) continue;
        auto body = Body::parse((*answers[s])->body, Origin::ours);
        const auto raw = body ? body->raw(list) : std::nullopt;
        if (!raw) continue;
        if (const auto split = split_array(*raw))
            for (const std::string_view element : *split) all.emplace_back(static_cast<int>(s), element);
    }
    return all;
}

struct QueueSum {
    std::int64_t concurrency = 0, depth_max = 0, running = 0, pending = 0, waiting = 0;
    bool paused = false;
};

void add(QueueSum& sum, Body& queue) {
    const auto number = [&](const char* name) { return queue.integer(name, 0, most).value_or(0); };
    sum.concurrency += number("concurrency");
    sum.depth_max += number("depth_max");
    sum.running += number("running");
    sum.pending += number("pending");
    sum.waiting += number("waiting");
    sum.paused = sum.paused || queue.boolean("paused").value_or(false);
}

// Leaves the object open.
void open_queue(JsonText& json, const std::string& name, const QueueSum& sum) {
    json.open()
        .field("name", name)
        .field("concurrency", sum.concurrency)
        .field("depth_max", sum.depth_max)
        .field("paused", sum.paused)
        .field("running", sum.running)
        .field("pending", sum.pending)
        .field("waiting", sum.waiting);
}

Response answer(JsonText& json) { return {200, {{"Content-Type", "application/json"}}, json.take()}; }

// What each shard gets of the limits; what is not understood goes on as it is, and is refused there.
std::optional<Request> part_of(const Request& request, int shard, int shards) {
    auto body = Body::parse(request.body);
    if (!body) return request;
    constexpr std::int64_t int_max = std::numeric_limits<int>::max();
    const core::ShardPlace place{shard, shards, "all"};
    JsonText json;
    json.open();
    for (const char* limit : {"concurrency", "depth_max"})
        if (const auto n = body->integer(limit, 0, int_max))
            json.field(limit, core::shard_limit(static_cast<int>(*n), place));
    if (const auto paused = body->boolean("paused")) json.field("paused", *paused);
    if (!body->errors().empty()) return request;
    Request part = request;
    part.body = json.close().take();
    return part;
}

Error not_everywhere(const ShardAnswers& answers) {
    std::string away, why;
    for (std::size_t s = 0; s < answers.size(); ++s) {
        if (*answers[s]) continue;
        away += (away.empty() ? "" : ", ") + std::to_string(s);
        why = answers[s]->error().message;
    }
    return {Errc::store_unavailable, "it was set on all shards but " + away + ", which cannot be reached (" + why +
                                         "); repeat it when they are back"};
}

// A worker has a row on every shard that it works.
struct WorkerSum {
    std::string_view first;
    std::int64_t slots = 0, busy = 0, shards = 0;
    std::string seen_at;
};

using WorkerKey = std::vector<std::string>;

std::map<WorkerKey, WorkerSum> sum_workers(const std::vector<std::pair<int, std::string_view>>& rows) {
    std::map<WorkerKey, WorkerSum> workers;
    for (const auto& [shard, json] : rows) {
        auto row = Body::parse(json, Origin::ours);
        if (!row) continue;
        const auto number = [&](const char* name) { return row->integer(name, 0, most).value_or(0); };
        WorkerSum& sum = workers[{row->text("host").value_or(""), std::to_string(number("pid")),
                                  row->text("program").value_or(""), row->text("version").value_or("")}];
        if (sum.first.empty()) sum.first = json;
        sum.slots = std::max(sum.slots, number("slots"));
        sum.busy += number("busy");
        ++sum.shards;
        sum.seen_at = std::max(sum.seen_at, row->text("seen_at").value_or(""));
    }
    return workers;
}

void append_workers(JsonText& json, const std::map<WorkerKey, WorkerSum>& workers) {
    json.name("workers").open('[');
    for (const auto& [key, sum] : workers) {
        auto row = Body::parse(sum.first, Origin::ours);
        if (!row) continue;
        json.open();
        for (const char* name : {"id", "host", "pid", "program", "version", "types", "queues"})
            json.raw_field(name, row->raw(name).value_or("null"));
        json.field("slots", sum.slots).field("busy", sum.busy);
        json.raw_field("registered_at", row->raw("registered_at").value_or("null"));
        json.field("seen_at", sum.seen_at).field("shards", sum.shards).close();
    }
    json.close(']');
}

}  // namespace

Result<Response> queues_of_shards(Shards& shards, const Request& request) {
    const ShardAnswers answers = ask_all(shards, request);
    if (auto refused = first_refusal(answers)) return *refused;
    std::map<std::string, QueueSum> queues;
    for (const auto& [shard, element] : elements_of(answers, "queues"))
        if (auto queue = Body::parse(element, Origin::ours)) add(queues[queue->text("name").value_or("")], *queue);
    JsonText json;
    json.open().name("queues").open('[');
    for (const auto& [name, sum] : queues) {
        open_queue(json, name, sum);
        json.close();
    }
    json.close(']');
    append_missing(json, answers);
    json.close();
    return answer(json);
}

Result<Response> set_queue_on_shards(Shards& shards, const Request& request) {
    std::vector<std::optional<Request>> requests;
    for (int s = 0; s < shards.count(); ++s) requests.push_back(part_of(request, s, shards.count()));
    const ShardAnswers answers = shards.ask_all(std::move(requests));
    if (auto refused = first_refusal(answers)) return *refused;
    if (std::ranges::any_of(answers, [](const auto& a) { return a && !*a; })) return not_everywhere(answers);
    QueueSum sum;
    std::string name;
    for (const auto& a : answers) {
        auto queue = Body::parse((*a)->body, Origin::ours);
        if (!queue) continue;
        name = queue->text("name").value_or("");
        add(sum, *queue);
    }
    JsonText json;
    open_queue(json, name, sum);
    json.close();
    return answer(json);
}

Result<Response> doctor_of_shards(Shards& shards, const Request& request) {
    const ShardAnswers answers = ask_all(shards, request);
    if (auto refused = first_refusal(answers)) return *refused;
    bool is_sound = true;
    std::vector<std::pair<std::string, std::int64_t>> tasks;
    JsonText findings, parts;
    findings.open('[');
    parts.open('[');
    for (std::size_t s = 0; s < answers.size(); ++s) {
        auto body = *answers[s] ? Body::parse((*answers[s])->body, Origin::ours) : Result<Body>(answers[s]->error());
        const bool ok = body && body->boolean("ok").value_or(false);
        is_sound = is_sound && ok;
        parts.open().field("shard", static_cast<int>(s)).field("ok", ok);
        if (!body) {
            parts.field("detail", body.error().message).close();
            continue;
        }
        parts.field("store", body->text("store").value_or("")).close();
        for (const std::string& finding : body->texts("findings").value_or(std::vector<std::string>{}))
            findings.text("shard " + std::to_string(s) + ": " + finding);
        auto counts = Body::parse(body->raw("tasks").value_or("{}"), Origin::ours);
        if (!counts) continue;
        for (int state = 0; state <= static_cast<int>(TaskState::cancelled); ++state) {
            const std::string name(to_string(static_cast<TaskState>(state)));
            const auto n = counts->integer(name, 0, most).value_or(0);
            if (static_cast<std::size_t>(state) >= tasks.size()) tasks.emplace_back(name, 0);
            tasks[static_cast<std::size_t>(state)].second += n;
        }
    }
    findings.close(']');
    parts.close(']');
    JsonText json;
    json.open().field("ok", is_sound).field("store", std::to_string(shards.count()) + " shards");
    json.name("findings").raw(findings.str()).name("tasks").open();
    for (const auto& [name, n] : tasks) json.field(name, n);
    json.close().name("worker").null();
    append_workers(json, sum_workers(elements_of(answers, "workers")));
    json.name("shards").raw(parts.str());
    append_missing(json, answers);
    json.close();
    return answer(json);
}

}  // namespace pawl::server
