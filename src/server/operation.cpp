#include "server/operation.hpp"

#include "core/duration.hpp"
#include "core/limits.hpp"
#include "core/validate.hpp"

#include <array>

namespace pawl::server {

namespace limits = core::limits;
using core::Operate;

namespace {

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

}  // namespace

Operate read_operate(const Request& request, Body& body, Operate::Verb asked) {
    Operate operate;
    operate.verb = asked;
    read_request_id(request, body, operate);
    operate.who = read_text(body, "who", limits::key_bytes_max);
    using Verb = Operate::Verb;
    const bool answers = operate.verb == Verb::approve || operate.verb == Verb::deny;
    operate.reason = read_text(body, answers ? "comment" : "reason", limits::note_bytes_max);
    if (answers) operate.step = body.text("step").value_or("");
    if (operate.verb == Verb::retry) read_deadline(body, operate);
    if (operate.verb == Verb::resolve) read_resolve(body, operate);
    if (operate.verb == Verb::signal) read_signal(body, operate);
    return operate;
}

std::optional<Operate::Verb> verb_of(std::string_view name) {
    using Verb = Operate::Verb;
    constexpr std::pair<std::string_view, Verb> verbs[] = {
        {"cancel", Verb::cancel}, {"kill", Verb::kill},       {"pause", Verb::pause},
        {"resume", Verb::resume}, {"retry", Verb::retry},     {"resolve", Verb::resolve},
        {"signal", Verb::signal}, {"approve", Verb::approve}, {"deny", Verb::deny},
    };
    for (const auto& [known, verb] : verbs) {
        if (known == name) return verb;
    }
    return std::nullopt;
}

}  // namespace pawl::server
