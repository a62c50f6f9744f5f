// POST /v1/tasks:operate: one verb for all tasks of a filter, a page at a time.
#include "core/shown.hpp"
#include "server/list_filter.hpp"
#include "server/operation.hpp"
#include "server/resources.hpp"

namespace pawl::server {
namespace {

constexpr int page_default = 1'000;
using Operate = core::Operate;

// Where no state is asked for: those in which the verb can change anything.
std::vector<TaskState> states_for(Operate::Verb verb) {
    using enum TaskState;
    if (verb == Operate::Verb::resume) return {paused};
    if (verb == Operate::Verb::retry) return {failed, cancelled};
    return {pending, running, waiting, paused};
}

std::optional<Operate::Verb> read_verb_for_many(Body& body) {
    using enum Operate::Verb;
    const std::string name = body.text("verb").value_or("");
    const auto verb = verb_of(name);
    if (verb && (*verb == cancel || *verb == kill || *verb == pause || *verb == resume || *verb == retry)) return verb;
    body.refuse("verb", core::shown(name) + " is not for many tasks; cancel, kill, pause, resume and retry are");
    return std::nullopt;
}

struct Many {
    Operate operate;
    bool is_dry = false;
    core::ListFilter filter;
    Result<std::vector<core::TaskRow>> rows = std::vector<core::TaskRow>{};
};

void append_state(JsonText& json, TaskState state, Reason reason, bool changed) {
    json.field("state", to_string(state)).field("reason", to_string(reason)).field("changed", changed);
}

// `answers` is empty when nothing was to be changed.
void answer_many(const Call& call, const Many& many, const std::vector<Result<core::Answer>>& answers) {
    std::int64_t changed = 0, refused = 0;
    JsonText json;
    json.open().name("results").open('[');
    for (std::size_t i = 0; i < many.rows->size(); ++i) {
        const core::TaskRow& row = (*many.rows)[i];
        json.open().field("id", core::to_string(row.id));
        if (answers.empty()) {
            append_state(json, row.state, row.reason, false);
        } else if (!answers[i]) {
            ++refused;
            json.name("problem").raw(problem(*call.request, answers[i].error()).body);
        } else {
            const auto& done = std::get<core::Operated>(*answers[i]);
            changed += done.changed ? 1 : 0;
            append_state(json, done.state, done.reason, done.changed);
        }
        json.close();
    }
    const bool is_full = std::ssize(*many.rows) >= many.filter.tasks_max;
    json.close(']').field("matched", std::ssize(*many.rows)).field("changed", changed).field("refused", refused);
    json.text_or_null("next_cursor", is_full ? format_cursor(many.rows->back().ref) : std::string()).close();
    call.answer(std::move(json));
}

void send_many(const Call& call, const std::shared_ptr<Many>& many) {
    if (!many->rows) return call.refuse(many->rows.error());
    if (many->is_dry || many->rows->empty()) return answer_many(call, *many, {});
    std::vector<core::Command> commands;
    commands.reserve(many->rows->size());
    for (const core::TaskRow& row : *many->rows) {
        Operate operate = many->operate;
        operate.id = row.id;
        commands.emplace_back(std::move(operate));
    }
    call.port->send(std::move(commands), [call, many](const std::vector<Result<core::Answer>>& answers) {
        answer_many(call, *many, answers);
    });
}

}  // namespace

void operate_on_many(Call call) {
    auto body = Body::parse(call.request->body);
    if (!body) return call.malformed(body.error());
    Parameters parameters(*call.request);
    auto many = std::make_shared<Many>();
    const auto verb = read_verb_for_many(*body);
    if (verb) many->operate = read_operate(*call.request, *body, *verb);
    many->is_dry = body->boolean("dry_run").value_or(false);
    many->filter = read_list_filter(parameters, page_default);
    if (verb && many->filter.states.empty()) many->filter.states = states_for(*verb);
    auto errors = body->errors();
    for (FieldError& error : parameters.errors()) errors.push_back(std::move(error));
    if (!errors.empty()) return call.refuse(std::move(errors));

    call.port->read([many](core::Reader& reader) { many->rows = reader.list(many->filter); },
                    [call, many] { send_many(call, many); });
}

}  // namespace pawl::server
