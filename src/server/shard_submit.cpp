// Submits over shards: a key decides where its task lives, and chance where there is none.
#include "core/shards.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"
#include "server/shards.hpp"

#include <algorithm>
#include <numeric>

namespace pawl::server {
namespace {

// What cannot be read is refused by every shard in the same words.
std::optional<int> shard_of_submit(std::string_view json, std::string_view header_key, int shards) {
    auto body = Body::parse(json);
    if (!body) return 0;
    const std::string type = body->text("type").value_or("");
    std::string key = body->text("key").value_or("");
    if (!header_key.empty()) key = header_key;
    if (key.empty()) return std::nullopt;
    return core::shard_of({core::LaneKey{}.space, type, key}, shards);
}

// All of them, each at a random place.
std::vector<int> shuffled(Shards& shards) {
    std::vector<int> order(static_cast<std::size_t>(shards.count()));
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[static_cast<std::size_t>(shards.draw(static_cast<int>(i)))]);
    return order;
}

// The elements that go to one shard.
struct Part {
    std::vector<std::size_t> at;  ///< their numbers in the request
    std::string body = "[";
};

Request part_request(const Request& request, std::string body) {
    Request part = request;
    part.body = std::move(body) + "]";
    return part;
}

std::string refusal_of(const Request& request, const Result<Response>& answer) {
    const Response refused = answer ? *answer : problem(request, answer.error());
    JsonText json;
    json.open().field("status", refused.status).name("problem").raw(refused.body).close();
    return json.take();
}

// The answers to the elements of one part, to their places in `results`.
void take_results(const Request& request, const Part& part, const Result<Response>& answer,
                  std::vector<std::string>& results) {
    std::vector<std::string_view> elements;
    std::string_view raw;
    Result<Body> body = answer ? Body::parse(answer->body, Origin::ours) : Error{};
    if (answer && answer->ok() && body) {
        raw = body->raw("results").value_or("[]");
        if (auto split = split_array(raw)) elements = std::move(*split);
    }
    for (std::size_t i = 0; i < part.at.size(); ++i)
        results[part.at[i]] = i < elements.size() ? std::string(elements[i]) : refusal_of(request, answer);
}

Response put_together(const std::vector<std::string>& results) {
    JsonText json;
    std::int64_t refused = 0;
    json.open().name("results").open('[');
    for (const std::string& result : results) {
        json.raw(result);
        auto body = Body::parse(result, Origin::ours);
        if (!body || !body->has("task")) ++refused;
    }
    json.close(']').field("submitted", std::ssize(results) - refused).field("refused", refused).close();
    return {200, {{"Content-Type", "application/json"}}, json.take()};
}

}  // namespace

Result<Response> submit_to_shard(Shards& shards, const Request& request) {
    if (const auto shard = shard_of_submit(request.body, request.header("Idempotency-Key"), shards.count())) {
        auto answer = shards.ask(*shard, request);
        if (answer) return answer;
        return Error{answer.error().code,
                     "shard " + std::to_string(*shard) +
                         ", where tasks with this key live, cannot be reached; nothing was stored: "
                         "repeat it when it is back (" +
                         answer.error().message + ")"};
    }
    Result<Response> answer = Error{};
    for (const int shard : shuffled(shards)) {
        answer = shards.ask(shard, request);
        if (answer) return answer;
        answer = of_shard(shard, answer.error());
    }
    return answer;
}

Result<Response> submit_to_shards(Shards& shards, const Request& request) {
    const auto elements = split_array(request.body);
    if (!elements) return shards.ask(0, request);
    const auto count = static_cast<std::size_t>(shards.count());
    std::vector<Part> parts(count);
    const auto add = [&](std::size_t shard, std::size_t element) {
        Part& part = parts[shard];
        if (!part.at.empty()) part.body += ",";
        part.body += (*elements)[element];
        part.at.push_back(element);
    };
    std::vector<bool> has_key(elements->size());
    for (std::size_t i = 0; i < elements->size(); ++i) {
        const auto shard = shard_of_submit((*elements)[i], {}, shards.count());
        has_key[i] = shard.has_value();
        add(static_cast<std::size_t>(shard ? *shard : shards.draw(shards.count())), i);
    }
    std::vector<std::optional<Request>> requests(count);
    for (std::size_t s = 0; s < count; ++s)
        if (!parts[s].at.empty()) requests[s] = part_request(request, parts[s].body);
    ShardAnswers answers = shards.ask_all(std::move(requests));

    std::vector<std::string> results(elements->size());
    Part homeless;  // without a key, and drawn for a shard that is away: nothing was asked of it
    for (std::size_t s = 0; s < count; ++s) {
        if (!answers[s]) continue;
        take_results(request, parts[s], *answers[s], results);
        if (*answers[s]) continue;
        for (const std::size_t i : parts[s].at) {
            if (has_key[i]) continue;
            if (!homeless.at.empty()) homeless.body += ",";
            homeless.body += (*elements)[i];
            homeless.at.push_back(i);
        }
    }
    if (!homeless.at.empty()) {
        const Request rest = part_request(request, homeless.body);
        for (const int shard : shuffled(shards)) {
            const auto& before = answers[static_cast<std::size_t>(shard)];
            if (before && !*before) continue;
            const auto answer = shards.ask(shard, rest);
            take_results(request, homeless, answer, results);
            if (answer) break;
        }
    }
    return put_together(results);
}

}  // namespace pawl::server
