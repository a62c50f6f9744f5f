// POST /v1/tasks/{id}/{cancel|kill|pause|resume|retry|resolve|signal|approve|deny}.
#include "agent/schema_check.hpp"
#include "server/operation.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

using Operate = core::Operate;

void send(const Call& call, const Operate& operate) {
    call.send(operate, [call, id = operate.id](const core::Answer& answer) {
        const auto& done = std::get<core::Operated>(answer);
        JsonText json;
        json.open()
            .field("id", core::to_string(id))
            .field("state", to_string(done.state))
            .field("reason", to_string(done.reason))
            .field("changed", done.changed)
            .close();
        call.answer(std::move(json));
    });
}

// A task that waits for it already has said what it can take.
void send_signal(const Call& call, const Operate& operate, const core::TaskRow& row) {
    const core::OpenWait* wait = core::wait_for_signal(row.memo, operate.signal);
    if (!wait) return send(call, operate);
    auto misfit = std::make_shared<Result<void>>();
    call.port->read(
        [misfit, operate, ref = row.ref, no = wait->no](core::Reader& reader) {
            const auto entries = reader.journal(ref, no - 1, 1);
            if (!entries || entries->empty() || entries->front().result.empty()) return;
            *misfit = agent::check_value(entries->front().result, operate.result);
        },
        [call, misfit, operate] {
            if (*misfit) return send(call, operate);
            call.refuse({Errc::bad_input, "signal " + core::to_string(operate.id) + ": the value does not fit what '" +
                                              operate.signal + "' is waited for with:" + misfit->error().message +
                                              "; nothing was changed"});
        });
}

}  // namespace

void operate(Call call, std::string task, core::Operate::Verb verb) {
    auto body = Body::parse(call.request->body);
    if (!body) return call.malformed(body.error());
    Operate operate = read_operate(*call.request, *body, verb);
    if (auto errors = body->errors(); !errors.empty()) return call.refuse(std::move(errors));

    find_row(call, task, [call, operate](const core::TaskRow& row) mutable {
        operate.id = row.id;
        if (operate.verb == Operate::Verb::signal) return send_signal(call, operate, row);
        send(call, operate);
    });
}

}  // namespace pawl::server
