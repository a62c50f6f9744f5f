// GET /v1/tasks: newest first, a page at a time.
#include "server/list_filter.hpp"
#include "server/resources.hpp"
#include "server/shards.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

constexpr int page_default = 100;

// For who puts pages together: each row begins with the cursor behind it.
void append_with_cursor(JsonText& json, const core::TaskRow& row) {
    JsonText plain;
    append_task(plain, row);
    json.raw("{\"cursor\":\"" + format_cursor(row.ref) + "\"," + plain.str().substr(1));
}

Response page(core::Reader& reader, const core::ListFilter& filter, const Call& call) {
    const auto rows = reader.list(filter);
    if (!rows) return call.refusal(rows.error());
    JsonText json;
    json.open().name("tasks").open('[');
    const bool has_cursors = !call.request->header(row_cursors).empty();
    for (const core::TaskRow& row : *rows) {
        if (has_cursors) append_with_cursor(json, row);
        else append_task(json, row);
    }
    json.close(']');
    const bool full = std::ssize(*rows) >= filter.tasks_max;
    json.text_or_null("next_cursor", full ? format_cursor(rows->back().ref) : std::string()).close();
    return json_response(std::move(json));
}

}  // namespace

void list_tasks(Call call) {
    Parameters parameters(*call.request);
    const core::ListFilter filter = read_list_filter(parameters, page_default);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.read([call, filter](core::Reader& reader) { return page(reader, filter, call); });
}

}  // namespace pawl::server
