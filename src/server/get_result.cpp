// GET /v1/tasks/{id}/result: how the task ended; waits for the end.
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

struct ResultRequest {
    core::TaskId id;
    bool through = false;  ///< wait on while only a person can move the task
};

std::optional<Response> look(core::Reader& reader, const ResultRequest& asked, bool last, const Call& call) {
    const auto row = reader.get(asked.id);
    if (!row) return call.refusal(row.error());
    const bool person = needs_person(row->state, row->reason);
    const bool done = is_final(row->state) || (person && !asked.through);
    if (!done && !last) return std::nullopt;

    JsonText json;
    json.open()
        .field("id", core::to_string(row->id))
        .field("type", row->lane.type)
        .field("state", to_string(row->state))
        .field("reason", to_string(row->reason))
        .field("final", is_final(row->state))
        .field("needs_person", person)
        .raw_field("output", row->state == TaskState::completed ? row->output : std::string())
        .raw_field("error", row->error)
        .close();
    return json_response(std::move(json), is_final(row->state) ? 200 : 202);
}

}  // namespace

void get_result(Call call, std::string task) {
    Parameters parameters(*call.request);
    ResultRequest asked;
    asked.through = parameters.boolean("through");
    const core::Micros wait = parameters.wait();
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    find_row(call, task, [call, asked, wait](const core::TaskRow& row) mutable {
        asked.id = row.id;
        call.polls->start({row.id, Change::state, wait,
                           [call, asked](core::Reader& reader, bool last) { return look(reader, asked, last, call); },
                           call.respond});
    });
}

}  // namespace pawl::server
