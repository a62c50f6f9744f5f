#include "server/call.hpp"

#include "core/shown.hpp"
#include "server/body.hpp"

#include <algorithm>

namespace pawl::server {
namespace {

constexpr int candidates_max = 5;

// Upper case, without the `t_`; empty when no id can look like that.
std::string id_part(std::string_view text) {
    constexpr std::size_t digits_max = 26;
    if (text.size() >= 2 && (text[0] == 't' || text[0] == 'T') && text[1] == '_') text.remove_prefix(2);
    if (text.size() > digits_max) return {};
    std::string part;
    for (const char c : text) {
        const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        if (std::string_view("0123456789ABCDEFGHJKMNPQRSTVWXYZ").find(upper) == std::string_view::npos) return {};
        part.push_back(upper);
    }
    return part;
}

}  // namespace

Response json_response(JsonText json, int status, Headers headers) {
    headers.emplace_back("Content-Type", "application/json");
    return {status, std::move(headers), json.take()};
}

void Call::answer(JsonText json, int status, Headers headers) const {
    respond(json_response(std::move(json), status, std::move(headers)));
}

void Call::refuse(std::vector<FieldError> errors) const {
    const Error error{Errc::bad_input, describe(errors)};
    respond(problem(*request, error, std::move(errors)));
}

void Call::malformed(const Error& error) const {
    respond(problem(*request, error, {}, error.code == Errc::bad_input ? 400 : 0));
}

void Call::send(core::Command command, std::function<void(const core::Answer&)> then) const {
    std::vector<core::Command> commands;
    commands.push_back(std::move(command));
    port->send(std::move(commands), [call = *this, then = std::move(then)](std::vector<Result<core::Answer>> answers) {
        const Result<core::Answer>& answer = answers.at(0);
        if (!answer) return call.refuse(answer.error());
        then(*answer);
    });
}

void Call::read(std::function<Response(core::Reader&)> work) const {
    auto response = std::make_shared<Response>();
    port->read([work = std::move(work), response](core::Reader& reader) { *response = work(reader); },
               [call = *this, response] { call.respond(std::move(*response)); });
}

void find_row(const Call& call, std::string task, std::function<void(const core::TaskRow&)> then) {
    auto row = std::make_shared<Result<core::TaskRow>>();
    call.port->read(
        [row, task = std::move(task)](core::Reader& reader) {
            const auto id = find_id(reader, task);
            *row = id ? reader.get(*id) : Result<core::TaskRow>(id.error());
        },
        [call, row, then = std::move(then)] {
            if (!*row) return call.refuse(row->error());
            then(**row);
        });
}

Result<core::TaskId> find_id(core::Reader& reader, std::string_view text) {
    if (const auto whole = core::parse_task_id(text)) return *whole;
    const Error missing{Errc::not_found, "no task has the id " + core::shown(text)};
    const std::string part = id_part(text);
    if (part.empty()) return missing;

    auto found = reader.match(part, candidates_max + 1);
    if (!found) return found.error();
    if (found->empty()) return missing;
    if (found->size() == 1) return found->front();

    std::string message = core::shown(text) + " fits ";
    message += found->size() > candidates_max ? "more than " + std::to_string(candidates_max) + " tasks"
                                              : std::to_string(found->size()) + " tasks";
    message += "; give more of the id:";
    for (int i = 0; i < std::min<int>(candidates_max, static_cast<int>(found->size())); ++i) {
        message += (i == 0 ? " " : ", ") + core::to_string((*found)[static_cast<std::size_t>(i)]);
    }
    return Error{Errc::ambiguous_id, std::move(message)};
}

}  // namespace pawl::server
