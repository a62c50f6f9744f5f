// Listings and the feed over shards: a page of each, put together by time, and a cursor with a place for every shard.
#include "core/journal.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"
#include "server/shards.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace pawl::server {
namespace {

constexpr const char* no_start = "0";
constexpr const char* at_end = "z";
constexpr std::size_t answer_bytes_max = 4u << 20;

// One element of a shard's page. Ours begin with their cursor.
struct Element {
    std::string_view json;
    std::string cursor, time;
};

// `{"cursor":"...",` at the front: where the text of it ends.
constexpr std::string_view lead = "{\"cursor\":\"";

Element element_of(std::string_view json, const char* time) {
    Element element;
    element.json = json;
    if (json.starts_with(lead)) element.cursor = json.substr(lead.size(), json.find('"', lead.size()) - lead.size());
    if (auto body = Body::parse(json, Origin::ours)) element.time = body->text(time).value_or("");
    return element;
}

// What follows the cursor: `,"id":...`.
std::string_view behind_cursor(const Element& element) {
    return element.json.substr(std::min(element.json.size(), lead.size() + element.cursor.size() + 1));
}

struct Page {
    std::vector<Element> elements;
    std::size_t next = 0;
    bool has_more = false;  ///< there may be more behind the last one

    bool is_used_up() const { return next == elements.size(); }
    const Element& head() const { return elements[next]; }
};

Page page_of(const Response& response, const char* list, const char* time) {
    Page page;
    auto body = Body::parse(response.body, Origin::ours);
    if (!body) return page;
    if (const auto raw = body->raw(list))
        if (const auto split = split_array(*raw))
            for (const std::string_view json : *split) page.elements.push_back(element_of(json, time));
    page.has_more = !body->text("next_cursor").value_or("").empty();
    return page;
}

// Takes the best head, again and again, and those of one page in their order; until it is not known which is the best.
void merge(std::vector<Page>& pages, int limit, const std::function<bool(const Element&, const Element&)>& is_before,
           const std::function<bool(std::size_t shard, const Element&)>& take) {
    for (int taken = 0; taken < limit; ++taken) {
        std::optional<std::size_t> best;
        for (std::size_t s = 0; s < pages.size(); ++s) {
            if (pages[s].is_used_up() && pages[s].has_more) return;
            if (!pages[s].is_used_up() && (!best || is_before(pages[s].head(), pages[*best].head()))) best = s;
        }
        if (!best) return;
        const Element& element = pages[*best].elements[pages[*best].next++];
        if (!take(*best, element)) return;
    }
}

Request with_parameter(Request request, const std::string& name, const std::string& value) {
    std::erase_if(request.query, [&](const auto& parameter) { return parameter.first == name; });
    request.query.emplace_back(name, value);
    return request;
}

// How many the whole page may have, and how many each shard is asked for: twice its fair part, so that what many shards
// answer is not far more than what is shown. A limit that is wrong is refused by the shards.
struct Limit {
    Limit(const Request& request, int most, int usual, int shards) {
        whole = static_cast<int>(Parameters(request).integer("limit", 1, most, 0));
        is_wrong = whole == 0 && request.parameter("limit");
        if (whole == 0) whole = usual;
        part = std::min(whole, std::max(16, 2 * whole / shards));
    }
    void put(Request& request) const {
        if (!is_wrong) request = with_parameter(std::move(request), "limit", std::to_string(part));
    }
    int whole = 0, part = 0;
    bool is_wrong = false;
};

Response refuse_cursor(const Request& request, const std::string& name) {
    const std::vector<FieldError> errors{{"?" + name, "not a cursor that this API gave out for this store"}};
    return problem(request, {Errc::bad_input, describe(errors)}, errors);
}

std::vector<Page> pages_of(const ShardAnswers& answers, const char* list, const char* time) {
    std::vector<Page> pages(answers.size());
    for (std::size_t s = 0; s < answers.size(); ++s)
        if (answers[s] && *answers[s]) pages[s] = page_of(**answers[s], list, time);
    return pages;
}

Response whole(JsonText& json, const ShardAnswers& answers) {
    append_missing(json, answers);
    json.close();
    return {200, {{"Content-Type", "application/json"}}, json.take()};
}

}  // namespace

Result<Response> list_shards(Shards& shards, const Request& request) {
    const std::string* cursor = request.parameter("cursor");
    auto places = split_places(cursor ? *cursor : "", shards.count(), no_start);
    if (!places) return refuse_cursor(request, "cursor");
    const Limit limit(request, 1'000, 100, shards.count());
    std::vector<std::optional<Request>> requests(places->size());
    for (std::size_t s = 0; s < places->size(); ++s) {
        const std::string& place = (*places)[s];
        if (place == at_end) continue;
        requests[s] = request;
        std::erase_if(requests[s]->query, [](const auto& parameter) { return parameter.first == "cursor"; });
        if (place != no_start) requests[s]->query.emplace_back("cursor", place);
        requests[s]->headers.emplace_back(row_cursors, "1");
        limit.put(*requests[s]);
    }
    const ShardAnswers answers = shards.ask_all(std::move(requests));
    if (auto refused = first_refusal(answers)) return *refused;

    std::vector<Page> pages = pages_of(answers, "tasks", "created_at");
    JsonText json;
    json.open().name("tasks").open('[');
    merge(
        pages, limit.whole, [](const Element& a, const Element& b) { return a.time > b.time; },
        [&](std::size_t shard, const Element& element) {
            json.raw("{" + std::string(behind_cursor(element).substr(1)));
            (*places)[shard] = element.cursor;
            return true;
        });
    bool has_more = false;
    for (std::size_t s = 0; s < pages.size(); ++s) {
        if (!answers[s] || !*answers[s]) continue;
        if (pages[s].is_used_up() && !pages[s].has_more) (*places)[s] = at_end;
        else has_more = true;
    }
    json.close(']').text_or_null("next_cursor", has_more ? join_places(*places) : std::string());
    return whole(json, answers);
}

// A page of each shard at once: there is no order between them to be kept.
Result<Response> operate_on_shards(Shards& shards, const Request& request) {
    const std::string* cursor = request.parameter("cursor");
    auto places = split_places(cursor ? *cursor : "", shards.count(), no_start);
    if (!places) return refuse_cursor(request, "cursor");
    std::vector<std::optional<Request>> requests(places->size());
    for (std::size_t s = 0; s < places->size(); ++s) {
        const std::string& place = (*places)[s];
        if (place == at_end) continue;
        requests[s] = request;
        std::erase_if(requests[s]->query, [](const auto& parameter) { return parameter.first == "cursor"; });
        if (place != no_start) requests[s]->query.emplace_back("cursor", place);
    }
    const ShardAnswers answers = shards.ask_all(std::move(requests));
    if (auto refused = first_refusal(answers)) return *refused;

    JsonText json;
    json.open().name("results").open('[');
    std::int64_t matched = 0, changed = 0, refused = 0;
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    for (std::size_t s = 0; s < answers.size(); ++s) {
        (*places)[s] = at_end;  // of one that is away, too: whoever asks is told, and asks again
        if (!answers[s] || !*answers[s]) continue;
        auto body = Body::parse((*answers[s])->body, Origin::ours);
        if (!body) continue;
        if (const auto raw = body->raw("results"))
            if (const auto split = split_array(*raw))
                for (const std::string_view element : *split) json.raw(element);
        matched += body->integer("matched", 0, most).value_or(0);
        changed += body->integer("changed", 0, most).value_or(0);
        refused += body->integer("refused", 0, most).value_or(0);
        if (auto next = body->text("next_cursor")) (*places)[s] = *next;
    }
    const bool has_more = std::ranges::any_of(*places, [](const std::string& place) { return place != at_end; });
    json.close(']').field("matched", matched).field("changed", changed).field("refused", refused);
    json.text_or_null("next_cursor", has_more ? join_places(*places) : std::string());
    return whole(json, answers);
}

Result<Response> events_of_shards(Shards& shards, const Request& request) {
    const std::string* after = request.parameter("after");
    auto places = split_places(after ? *after : "", shards.count(), no_start);
    const auto is_place = [](const std::string& place) { return core::parse_feed_cursor(place).has_value(); };
    if (!places || !std::ranges::all_of(*places, is_place)) return refuse_cursor(request, "after");
    const Limit limit(request, 1'000, 256, shards.count());
    std::vector<std::optional<Request>> requests(places->size());
    for (std::size_t s = 0; s < places->size(); ++s) {
        requests[s] = with_parameter(request, "after", (*places)[s]);
        limit.put(*requests[s]);
    }
    const ShardAnswers answers = shards.ask_all(std::move(requests));
    if (auto refused = first_refusal(answers)) return *refused;

    std::vector<Page> pages = pages_of(answers, "events", "at");
    for (Page& page : pages) page.has_more = std::ssize(page.elements) >= limit.part;
    JsonText json;
    json.open().name("events").open('[');
    merge(
        pages, limit.whole, [](const Element& a, const Element& b) { return a.time < b.time; },
        [&](std::size_t shard, const Element& element) {
            (*places)[shard] = element.cursor;
            std::string text(lead);
            text += join_places(*places) + "\"";
            text += behind_cursor(element);
            json.raw(text);
            return json.str().size() < answer_bytes_max;
        });
    json.close(']').field("next_after", join_places(*places));
    return whole(json, answers);
}

}  // namespace pawl::server
