// GET /v1/tasks: newest first, a page at a time.
#include "core/shown.hpp"
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

#include <charconv>

namespace pawl::server {
namespace {

constexpr int page_default = 100;
constexpr int page_max = 1'000;

// "failed,cancelled"
void read_states(Parameters& parameters, core::ListFilter& filter) {
    const auto text = parameters.text("state");
    std::string_view rest = text ? std::string_view(*text) : std::string_view();
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (const auto state = task_state_from_string(name)) {
            filter.states.push_back(*state);
        } else {
            parameters.refuse("state",
                              "there is no state " + core::shown(name) +
                                  "; states are pending, running, waiting, paused, completed, failed, cancelled");
        }
    }
}

// Opaque to clients; ours is the number of the last row.
void read_cursor(Parameters& parameters, core::ListFilter& filter) {
    const auto text = parameters.text("cursor");
    if (!text) return;
    core::TaskRef ref = 0;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), ref, 36);
    if (failed != std::errc() || end != text->data() + text->size() || ref <= 0) {
        parameters.refuse("cursor", "not a cursor that this API gave out");
    } else {
        filter.before = ref;
    }
}

std::string format_cursor(core::TaskRef ref) {
    char digits[16];
    const auto [end, failed] = std::to_chars(digits, digits + sizeof digits, ref, 36);
    return std::string(digits, end);
}

Response page(core::Reader& reader, const core::ListFilter& filter, const Call& call) {
    const auto rows = reader.list(filter);
    if (!rows) return call.refusal(rows.error());
    JsonText json;
    json.open().name("tasks").open('[');
    for (const core::TaskRow& row : *rows) append_task(json, row, false);
    json.close(']');
    const bool full = std::ssize(*rows) >= filter.tasks_max;
    json.text_or_null("next_cursor", full ? format_cursor(rows->back().ref) : std::string()).close();
    return json_response(std::move(json));
}

}  // namespace

void list_tasks(Call call) {
    Parameters parameters(*call.request);
    core::ListFilter filter;
    filter.space = core::LaneKey{}.space;
    read_states(parameters, filter);
    filter.type = parameters.text("type");
    filter.queue = parameters.text("queue");
    filter.key = parameters.text("key");
    filter.tag = parameters.text("tag");
    filter.tasks_max = static_cast<int>(parameters.integer("limit", 1, page_max, page_default));
    read_cursor(parameters, filter);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.read([call, filter](core::Reader& reader) { return page(reader, filter, call); });
}

}  // namespace pawl::server
