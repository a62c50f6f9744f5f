// POST /v1/tasks/{id}/{cancel|kill|pause|resume|retry|resolve|signal|approve|deny}.
#include "agent/schema_check.hpp"
#include "core/duration.hpp"
#include "core/limits.hpp"
#include "core/validate.hpp"
#include "server/body.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

namespace pawl::server {
namespace {

namespace limits = core::limits;
using Operate = core::Operate;

constexpr std::size_t note_bytes_max = 1'024;

std::string read_text(Body& body, std::string_view name, std::size_t bytes_max) {
    const auto text = body.text(name);
    if (!text) return {};
    body.check(name, core::check_text({name, *text}, bytes_max));
    return *text;
}

// The header and the body may both carry the request id, but not two different ones.
void read_request_id(const Request& request, Body& body, Operate& operate) {
    operate.request_id = read_text(body, "request_id", limits::key_bytes_max);
    const std::string_view header = request.header("Pawl-Request-Id");
    if (header.empty()) return;
    if (!operate.request_id.empty() && operate.request_id != header) {
        body.refuse("request_id", "differs from the header Pawl-Request-Id");
    }
    body.check("request_id", core::check_key({"request_id", header}));
    operate.request_id = header;
}

void read_deadline(Body& body, Operate& operate) {
    const auto text = body.text("deadline");
    if (!text) return;
    const auto length = core::parse_duration(*text);
    body.check("deadline", length);
    if (!length) return;
    const auto checked = core::check_length("deadline", std::chrono::ceil<Duration>(*length), Duration{1});
    body.check("deadline", checked);
    if (checked) operate.deadline = *checked;
}

void read_resolve(Body& body, Operate& operate) {
    operate.step = body.text("step").value_or("");
    const std::string outcome = body.text("outcome").value_or("");
    if (outcome == "happened") {
        operate.outcome = Operate::Outcome::happened;
    } else if (outcome == "not_happened") {
        operate.outcome = Operate::Outcome::not_happened;
    } else if (outcome == "fail") {
        operate.outcome = Operate::Outcome::fail;
    } else {
        body.refuse("outcome", "expected \"happened\", \"not_happened\" or \"fail\"");
    }
    if (const auto result = body.raw("result")) {
        operate.result = *result;
        body.check("result", core::check_json_field({"result", *result}, limits::result_bytes_max));
        if (operate.outcome != Operate::Outcome::happened) body.refuse("result", "only goes with \"happened\"");
    }
}

void read_signal(Body& body, Operate& operate) {
    operate.signal = body.text("name").value_or("");
    body.check("name", core::check_name({"name", operate.signal}));
    if (const auto value = body.raw("value")) operate.result = *value;
    body.check("value", core::check_json_field({"value", operate.result}, limits::signal_bytes_max));
}

void read_verb(Body& body, Operate& operate) {
    using Verb = Operate::Verb;
    const bool answers = operate.verb == Verb::approve || operate.verb == Verb::deny;
    operate.reason = read_text(body, answers ? "comment" : "reason", note_bytes_max);
    if (answers) operate.step = body.text("step").value_or("");
    if (operate.verb == Verb::retry) read_deadline(body, operate);
    if (operate.verb == Verb::resolve) read_resolve(body, operate);
    if (operate.verb == Verb::signal) read_signal(body, operate);
}

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
    Operate operate;
    operate.verb = verb;
    read_request_id(*call.request, *body, operate);
    operate.who = read_text(*body, "who", limits::key_bytes_max);
    read_verb(*body, operate);
    if (auto errors = body->errors(); !errors.empty()) return call.refuse(std::move(errors));

    find_row(call, task, [call, operate](const core::TaskRow& row) mutable {
        operate.id = row.id;
        if (operate.verb == Operate::Verb::signal) return send_signal(call, operate, row);
        send(call, operate);
    });
}

}  // namespace pawl::server
