// POST /v1/backup, GET /v1/doctor, GET /v1/version.
#include "server/body.hpp"
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

void append_counts(JsonText& json, const std::vector<std::int64_t>& counts) {
    json.open();
    for (std::size_t i = 0; i < counts.size(); ++i) json.field(to_string(static_cast<TaskState>(i)), counts[i]);
    json.close();
}

Response doctor(core::Reader& reader, const Call& call, const std::optional<WorkerStatus>& worker) {
    const auto findings = reader.check();
    if (!findings) return call.refusal(findings.error());
    const auto counts = reader.counts();
    if (!counts) return call.refusal(counts.error());
    JsonText json;
    json.open().field("ok", findings->empty()).field("store", call.port->store_name()).name("findings").open('[');
    for (const std::string& finding : *findings) json.text(finding);
    json.close(']').name("tasks");
    append_counts(json, *counts);
    json.name("worker");
    append_worker(json, worker);
    const auto workers = reader.workers();
    if (!workers) return call.refusal(workers.error());
    json.name("workers").open('[');
    for (const core::WorkerRow& row : *workers) append_worker(json, row);
    json.close(']').close();
    return json_response(std::move(json));
}

}  // namespace

void make_backup(Call call) {
    auto body = Body::parse(call.request->body);
    if (!body) return call.malformed(body.error());
    const std::string file = body->text("file").value_or("");
    if (file.empty() || file.front() != '/') body->refuse("file", "expected an absolute path");
    if (file.find('\0') != std::string::npos) body->refuse("file", "a path holds no NUL");
    if (auto errors = body->errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.read([call, file](core::Reader& reader) {
        if (auto done = reader.backup(file); !done) return call.refusal(done.error());
        JsonText json;
        json.open().field("file", file).close();
        return json_response(std::move(json), 201);
    });
}

void get_doctor(Call call) {
    Parameters parameters(*call.request);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));
    const auto worker = call.port->worker();
    call.read([call, worker](core::Reader& reader) { return doctor(reader, call, worker); });
}

void get_version(Call call) {
    JsonText json;
    call.answer(std::move(json.open().field("version", PAWL_VERSION).field("api", "v1").close()));
}

}  // namespace pawl::server
