#include "server/submission.hpp"

#include "agent/agent_loop.hpp"
#include "core/duration.hpp"
#include "core/limits.hpp"
#include "core/validate.hpp"

#include <limits>

namespace pawl::server {
namespace {

std::optional<Duration> read_length(Body& body, std::string_view name) {
    const auto text = body.text(name);
    if (!text) return std::nullopt;
    const auto length = core::parse_duration(*text);
    body.check(name, length);
    if (!length) return std::nullopt;
    return std::chrono::ceil<Duration>(*length);
}

void read_deadline(Body& body, SubmitOptions& options) {
    const auto text = body.text("deadline");
    if (!text) return;
    const auto deadline = core::parse_deadline(*text);
    body.check("deadline", deadline);
    if (!deadline) return;
    if (const auto* length = std::get_if<core::Micros>(&*deadline)) {
        options.deadline(std::chrono::ceil<Duration>(*length));
    } else {
        options.deadline(TimePoint(std::get<core::WallInstant>(*deadline)));
    }
}

void read_on_existing(Body& body, SubmitOptions& options) {
    constexpr std::pair<std::string_view, OnExisting> words[] = {{"attach", OnExisting::attach},
                                                                 {"reject", OnExisting::reject},
                                                                 {"retry_if_failed", OnExisting::retry_if_failed},
                                                                 {"replace", OnExisting::replace}};
    const auto text = body.text("on_existing");
    if (!text) return;
    for (const auto& [word, meaning] : words) {
        if (word != *text) continue;
        options.on_existing(meaning);
        return;
    }
    body.refuse("on_existing", "expected \"attach\", \"reject\", \"retry_if_failed\" or \"replace\"");
}

void read_key(Body& body, std::string_view header_key, SubmitOptions& options) {
    auto key = body.text("key");
    if (!header_key.empty()) {
        if (key && *key != header_key) body.refuse("key", "differs from the header Idempotency-Key");
        key = header_key;
    }
    if (!key) return;
    // An empty key that was given is a mistake of the caller's, not "no key".
    body.check("key", core::check_key({"key", *key}));
    options.key(*key);
}

SubmitOptions read_options(Body& body, std::string_view header_key) {
    // The limits proper are core/validate.hpp's; here only what fits an int.
    constexpr std::int64_t least = std::numeric_limits<int>::min(), most = std::numeric_limits<int>::max();
    SubmitOptions options;
    read_key(body, header_key, options);
    if (const auto queue = body.text("queue")) {
        body.check("queue", core::check_name({"queue", *queue}));
        options.queue(*queue);
    }
    if (const auto priority = body.integer("priority", least, most)) options.priority(static_cast<int>(*priority));
    if (const auto n = body.integer("max_attempts", least, most)) options.max_attempts(static_cast<int>(*n));
    read_deadline(body, options);
    if (const auto delay = read_length(body, "delay")) options.delay(*delay);
    if (const auto timeout = read_length(body, "queue_timeout")) options.queue_timeout(*timeout);
    read_on_existing(body, options);
    if (auto tags = body.texts("tags")) options.tags(std::move(*tags));
    return options;
}

// As where the file was read: a schema that cannot be used is found here, not at the first tool call.
Result<void> check_usable(const std::string& json) {
    auto definition = agent::decode_definition(json);
    if (!definition) return definition.error();
    return agent::complete_definition(*definition);
}

// A task of this type does what its definition says: without one it could only fail.
void check_agent(const core::SubmitRequest& request, Submission& submission) {
    if (request.type != agent::agent_type_name) return;
    if (request.definition.empty()) {
        submission.errors.push_back({"definition", "missing; an agent is described in a file: --agent FILE"});
    } else if (const auto usable = check_usable(request.definition); !usable) {
        submission.errors.push_back({"definition", usable.error().message});
    }
}

}  // namespace

Submission read_submission(std::string_view json, std::string_view header_key, Port& port) {
    Submission submission;
    auto body = Body::parse(json);
    if (!body) {
        submission.error = body.error();
        submission.status = body.error().code == Errc::bad_input ? 400 : 0;
        return submission;
    }
    core::SubmitRequest request;
    const auto type = body->text("type");
    if (type) request.type = *type;
    if (!type) body->refuse("type", "missing; name the type that runs, for example \"echo\"");
    request.input = body->raw("input").value_or("null");
    request.options = read_options(*body, header_key);
    request.flow_key = body->text("flow_key").value_or("");
    request.definition = body->text("definition").value_or("");
    submission.errors = body->errors();
    check_agent(request, submission);
    if (!submission.errors.empty()) {
        submission.error = {Errc::bad_input, describe(submission.errors)};
        return submission;
    }
    port.set_defaults(request);
    request.shard = static_cast<std::uint8_t>(port.shard());
    const core::IdChance chance{port.random().next(), port.random().next()};
    auto command = core::make_submit(std::move(request), port.clock().wall(), chance);
    if (command) {
        submission.command = std::move(*command);
    } else {
        submission.error = command.error();
    }
    return submission;
}

int status_of(const core::Submitted& submitted) { return submitted.replayed ? 200 : 201; }

void append_submitted(JsonText& json, const core::Submitted& submitted) {
    json.open()
        .field("id", core::to_string(submitted.id))
        .field("state", to_string(submitted.state))
        .field("replayed", submitted.replayed)
        .close();
}

}  // namespace pawl::server
