// GET /v1/queues, PUT /v1/queues/{name}.
#include "core/validate.hpp"
#include "server/body.hpp"
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

#include <algorithm>
#include <limits>

namespace pawl::server {
namespace {

void answer_queue(const Call& call, const std::string& name) {
    call.read([call, name](core::Reader& reader) {
        const auto queues = reader.queues();
        if (!queues) return call.refusal(queues.error());
        const auto found =
            std::find_if(queues->begin(), queues->end(), [&](const core::QueueStatus& q) { return q.name == name; });
        JsonText json;
        append_queue(json, found == queues->end() ? core::QueueStatus{} : *found);
        return json_response(std::move(json));
    });
}

}  // namespace

void list_queues(Call call) {
    Parameters parameters(*call.request);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));
    call.read([call](core::Reader& reader) {
        const auto queues = reader.queues();
        if (!queues) return call.refusal(queues.error());
        JsonText json;
        json.open().name("queues").open('[');
        for (const core::QueueStatus& queue : *queues) append_queue(json, queue);
        json.close(']').close();
        return json_response(std::move(json));
    });
}

void set_queue(Call call, std::string name) {
    auto body = Body::parse(call.request->body);
    if (!body) return call.malformed(body.error());
    constexpr std::int64_t most = std::numeric_limits<int>::max();
    core::SetQueue set;
    set.name = name;
    const auto concurrency = body->integer("concurrency", 0, most);
    const auto depth_max = body->integer("depth_max", 0, most);
    set.paused = body->boolean("paused");
    if (concurrency) set.concurrency = static_cast<int>(*concurrency);
    if (depth_max) set.depth_max = static_cast<int>(*depth_max);
    body->check("name", core::check_name({"name", name}));
    if (auto errors = body->errors(); !errors.empty()) return call.refuse(std::move(errors));

    call.send(set, [call, name](const core::Answer&) { answer_queue(call, name); });
}

}  // namespace pawl::server
