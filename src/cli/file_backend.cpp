#include "cli/file_backend.hpp"

#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/operate.hpp"
#include "cli/store_url.hpp"
#include "core/duration.hpp"
#include "core/shown.hpp"
#include "core/task_id.hpp"
#include "core/utf8.hpp"
#include "runtime/wait_answer.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"
#include "server/problem.hpp"

#include <algorithm>
#include <chrono>

namespace pawl::cli {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using Submitted = detail::Backend::Submitted;

// Of one request of submit_many: the server takes bodies of 4 MiB.
constexpr std::size_t bulk_bytes_max = 3u << 20;
constexpr std::size_t bulk_tasks_max = 2'000;
// How long the server holds one question; then it is asked again.
constexpr core::Micros turn = 60s;

// JSON cannot carry other bytes, and a key must not be stored as something else than was given.
Result<void> check_encoding(std::string_view type, const SubmitOptions& options) {
    std::vector<std::pair<const char*, std::string_view>> given{
        {"type", type}, {"key", options.key()}, {"queue", options.queue()}};
    for (const std::string& tag : options.tags()) given.emplace_back("tag", tag);
    for (const auto& [name, text] : given) {
        if (core::first_invalid_utf8(text) == text.size()) continue;
        return Error{Errc::bad_input, std::string(name) + " " + core::shown(text) +
                                          " is not UTF-8; encode it as UTF-8; nothing was stored"};
    }
    return {};
}

std::string milliseconds(Duration length) { return std::to_string(length.count()) + "ms"; }

std::string_view name_of(OnExisting choice) {
    switch (choice) {
        case OnExisting::attach:
            return "attach";
        case OnExisting::reject:
            return "reject";
        case OnExisting::retry_if_failed:
            return "retry_if_failed";
        case OnExisting::replace:
            return "replace";
    }
    return "attach";
}

void add_options(server::JsonText& body, const SubmitOptions& options) {
    if (!options.key().empty()) body.field("key", options.key());
    if (!options.queue().empty()) body.field("queue", options.queue());
    if (options.priority()) body.field("priority", *options.priority());
    if (const auto* length = std::get_if<Duration>(&options.deadline())) body.field("deadline", milliseconds(*length));
    if (const auto* at = std::get_if<TimePoint>(&options.deadline())) {
        body.field("deadline", core::format_instant(std::chrono::time_point_cast<core::Micros>(*at)));
    }
    if (options.delay()) body.field("delay", milliseconds(*options.delay()));
    if (options.queue_timeout()) body.field("queue_timeout", milliseconds(*options.queue_timeout()));
    if (options.max_attempts()) body.field("max_attempts", *options.max_attempts());
    if (options.on_existing() != OnExisting::attach) body.field("on_existing", name_of(options.on_existing()));
    if (options.tags().empty()) return;
    body.name("tags").open('[');
    for (const std::string& tag : options.tags()) body.text(tag);
    body.close(']');
}

std::string body_of(std::string_view type, const std::string& input, const SubmitOptions& options) {
    server::JsonText body;
    body.open().field("type", type).raw_field("input", input);
    add_options(body, options);
    body.close();
    return body.take();
}

Submitted submitted_of(const Answer& answer) { return {answer.text("id"), answer.flag("replayed")}; }

Answer answer_of(std::string_view json) {
    server::Response part;
    part.body = json;
    return Answer(part);
}

// One element of a bulk's results.
Result<Submitted> element_of(std::string_view json) {
    const Answer answer = answer_of(json);
    if (answer.has("task")) return submitted_of(answer.object("task"));
    const Answer problem = answer.object("problem");
    return Error{errc_from_string(problem.text("code")), problem.text("detail")};
}

// A part of an id would do for the verbs of people; a program that passes one has a mistake.
Result<void> check_id(const std::string& id) {
    if (core::parse_task_id(id)) return {};
    return Error{Errc::not_found, "no task " + core::shown(id) + ": that is not a task id (t_ and 26 characters)"};
}

}  // namespace

Result<server::Response> FileBackend::ask(Access access, const server::Request& request) const {
    Connection connection(store_);
    auto response = connection.call(access, request);
    if (!response) return response.error();
    if (!response->ok()) return server::error_of(*response);
    return response;
}

Result<Submitted> FileBackend::submit(std::string_view type, std::string input, const SubmitOptions& options) {
    if (auto encoded = check_encoding(type, options); !encoded) return encoded.error();
    server::Request request = Console::post("/v1/tasks", body_of(type, input, options));
    // A key in the header as well: the connection may then repeat the request after a cut.
    if (!options.key().empty() && Console::fits_header(options.key())) {
        request.headers.emplace_back("Idempotency-Key", options.key());
    }
    const auto response = ask(Access::create, request);
    if (!response) return response.error();
    return submitted_of(Answer(*response));
}

std::vector<Result<Submitted>> FileBackend::submit_many(std::string_view type, std::vector<std::string> inputs,
                                                        const SubmitOptions& options) {
    std::vector<Result<Submitted>> all;
    all.reserve(inputs.size());
    const auto refuse_rest = [&](const Error& error) { all.resize(inputs.size(), error); };
    if (!options.key().empty()) refuse_rest({Errc::bad_input, "a key cannot be shared by many tasks"});
    else if (auto encoded = check_encoding(type, options); !encoded) refuse_rest(encoded.error());

    while (all.size() < inputs.size()) {
        std::string body = "[";
        std::size_t end = all.size();
        for (; end < inputs.size() && end - all.size() < bulk_tasks_max; ++end) {
            const std::string one = body_of(type, inputs[end], options);
            if (end > all.size() && body.size() + one.size() > bulk_bytes_max) break;
            if (end > all.size()) body += ",";
            body += one;
        }
        const auto response = ask(Access::create, Console::post("/v1/tasks:bulk", body + "]"));
        const std::string raw = response ? raw_member(*response, "results") : std::string();
        const auto elements = response ? server::split_array(raw) : response.error();
        if (!elements) {
            refuse_rest(elements.error());
            break;
        }
        for (const std::string_view element : *elements) all.push_back(element_of(element));
    }
    return all;
}

Result<std::string> FileBackend::wait(const std::string& id, std::optional<Duration> limit) {
    if (auto ok = check_id(id); !ok) return ok.error();
    const auto end = limit ? std::optional(SteadyClock::now() + *limit) : std::nullopt;
    const auto left = [&] {
        if (!end) return turn;
        return std::clamp(std::chrono::duration_cast<core::Micros>(*end - SteadyClock::now()), core::Micros{0}, turn);
    };
    Connection connection(store_);
    for (;;) {
        server::Request request = Console::get("/v1/tasks/" + id + "/result");
        request.query.emplace_back("wait", wait_seconds(left()));
        const auto response = connection.call(Access::read, request);
        if (!response) return response.error();
        if (!response->ok()) return server::error_of(*response);
        const Answer answer(*response);
        const bool done = answer.flag("final") || answer.flag("needs_person");
        if (done || left() <= core::Micros{0}) {
            const TaskStatus status{task_state_from_string(answer.text("state")).value_or(TaskState::pending),
                                    reason_from_string(answer.text("reason")).value_or(Reason::none)};
            return runtime::wait_answer(id, status, raw_member(*response, "output"),
                                        answer.has("error") ? answer.object("error").text("message") : "");
        }
        if (connection.direct()) connection.wait_for_change(left());
    }
}

Result<TaskStatus> FileBackend::status(const std::string& id) {
    if (auto ok = check_id(id); !ok) return ok.error();
    const auto response = ask(Access::read, Console::get("/v1/tasks/" + id));
    if (!response) return response.error();
    const Answer answer(*response);
    const auto state = task_state_from_string(answer.text("state"));
    if (!state) {
        return Error{Errc::store_newer, "task " + id + " is " + answer.text("state") +
                                            ", a state that this version does not know; use the newer Pawl"};
    }
    return TaskStatus{*state, reason_from_string(answer.text("reason")).value_or(Reason::none)};
}

std::string FileBackend::why(const std::string& id) {
    if (auto ok = check_id(id); !ok) return ok.error().message;
    const auto response = ask(Access::read, Console::get("/v1/tasks/" + id + "/why"));
    return response ? Answer(*response).text("text") : response.error().message;
}

Result<void> FileBackend::change(const std::string& id, std::string_view verb, std::string body,
                                 bool has_request_id) const {
    if (auto ok = check_id(id); !ok) return ok.error();
    server::Request request = Console::post("/v1/tasks/" + id + "/" + std::string(verb), std::move(body));
    if (!has_request_id) request.headers.emplace_back("Pawl-Request-Id", new_request_id());
    const auto response = ask(Access::change, request);
    if (!response) return response.error();
    return {};
}

Result<void> FileBackend::operate(const std::string& id, detail::TaskVerb verb) {
    constexpr std::string_view names[] = {"cancel", "kill", "pause", "resume", "retry"};
    server::JsonText body;
    body.open().field("who", operator_name()).close();
    return change(id, names[static_cast<int>(verb)], body.take());
}

Result<void> FileBackend::resolve(const std::string& id, std::string_view step, std::string_view outcome,
                                  std::string result) {
    server::JsonText body;
    body.open().field("who", operator_name()).field("outcome", outcome);
    if (!step.empty()) body.field("step", step);
    if (outcome == "happened") body.raw_field("result", result);
    body.close();
    return change(id, "resolve", body.take());
}

Result<void> FileBackend::signal(const std::string& id, std::string_view name, std::string value,
                                 std::string_view request_id) {
    server::JsonText body;
    body.open().field("who", operator_name()).field("name", name).raw_field("value", value);
    if (!request_id.empty()) body.field("request_id", request_id);
    body.close();
    return change(id, "signal", body.take(), !request_id.empty());
}

Result<void> FileBackend::answer(const std::string& id, bool approved, std::string_view step, std::string_view comment,
                                 std::string_view request_id) {
    server::JsonText body;
    body.open().field("who", operator_name());
    if (!step.empty()) body.field("step", step);
    if (!comment.empty()) body.field("comment", comment);
    if (!request_id.empty()) body.field("request_id", request_id);
    body.close();
    return change(id, approved ? "approve" : "deny", body.take(), !request_id.empty());
}

}  // namespace pawl::cli

namespace pawl {

Result<Client> Client::open(std::string_view url) {
    auto store = cli::parse_store_url(url);
    if (!store) return store.error();
    return Client(std::make_shared<cli::FileBackend>(std::move(*store)));
}

}  // namespace pawl
