// GET /v1/tasks/{id}: the whole row.
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {

void get_task(Call call, std::string task) {
    Parameters parameters(*call.request);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.read([call, task](core::Reader& reader) {
        const auto id = find_id(reader, task);
        if (!id) return call.refusal(id.error());
        const auto row = reader.get(*id);
        if (!row) return call.refusal(row.error());
        const auto tags = reader.tags(row->ref);
        if (!tags) return call.refusal(tags.error());
        JsonText json;
        append_whole_task(json, *row, *tags);
        return json_response(std::move(json));
    });
}

}  // namespace pawl::server
