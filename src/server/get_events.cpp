// GET /v1/events: the feed of all tasks after a cursor; waits for news.
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

constexpr int events_default = 256;
constexpr int events_max = 1'000;
constexpr int read_at_once = 32;
constexpr std::size_t answer_bytes_max = 4u << 20;

struct EventsRequest {
    core::FeedCursor after;
    int limit = events_default;
};

core::FeedCursor read_cursor(Parameters& parameters) {
    const auto text = parameters.text("after");
    if (!text) return {};
    if (const auto cursor = core::parse_feed_cursor(*text)) return *cursor;
    parameters.refuse("after", "not a cursor that this API gave out");
    return {};
}

std::optional<Response> look(core::Reader& reader, const EventsRequest& asked, bool last, const Call& call) {
    JsonText json;
    json.open().name("events").open('[');
    core::FeedCursor after = asked.after;
    int left = asked.limit;
    while (left > 0 && json.str().size() < answer_bytes_max) {
        const auto events = reader.feed(after, std::min(left, read_at_once));
        if (!events) return call.refusal(events.error());
        for (const auto& [entry, task] : *events) append_entry(json, entry, &task);
        if (events->empty()) break;
        after = events->back().first.cursor;
        left -= static_cast<int>(events->size());
    }
    if (after == asked.after && !last) return std::nullopt;
    json.close(']').field("next_after", core::to_string(after)).close();
    return json_response(std::move(json));
}

}  // namespace

void get_events(Call call) {
    Parameters parameters(*call.request);
    EventsRequest asked;
    asked.after = read_cursor(parameters);
    asked.limit = static_cast<int>(parameters.integer("limit", 1, events_max, events_default));
    const core::Micros wait = parameters.wait();
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.polls->start({std::nullopt, Change::entry, wait,
                       [call, asked](core::Reader& reader, bool last) { return look(reader, asked, last, call); },
                       call.respond});
}

}  // namespace pawl::server
