#include "server/problem.hpp"

#include "server/json_text.hpp"

#include <boost/json.hpp>

namespace pawl::server {
namespace {

struct CodeStatus {
    Errc code;
    int status;
    const char* title;
};

// The whole mapping. A client reads `code`; the status is for those who only know HTTP.
constexpr CodeStatus table[] = {
    {Errc::bad_input, 422, "The request was refused"},
    {Errc::not_found, 404, "There is no such thing"},
    {Errc::ambiguous_id, 409, "The id fits several tasks"},
    {Errc::idempotency_key_reused, 422, "The idempotency key belongs to a task with other input"},
    {Errc::key_exists, 409, "The idempotency key is taken"},
    {Errc::queue_full, 429, "The queue is full"},
    {Errc::refused, 409, "The task's state does not allow this"},
    {Errc::too_large, 413, "Over a limit of size"},
    {Errc::store_locked, 503, "Another process holds the file"},
    {Errc::store_newer, 503, "The file was written by a newer Pawl"},
    {Errc::store_corrupt, 503, "The file is damaged"},
    {Errc::store_readonly, 503, "The file cannot be written"},
    {Errc::disk_full, 507, "No space is left"},
    {Errc::unreachable, 503, "No connection to the process that holds the file"},
    {Errc::unauthorized, 403, "Not allowed"},
    {Errc::already_final, 409, "The task has ended"},
    {Errc::lease_lost, 409, "A newer claim exists"},
    {Errc::store_unavailable, 503, "The store failed; it may have happened"},
    {Errc::timed_out, 504, "The wait ended before an answer"},
    {Errc::outcome_unknown, 409, "It may or may not have happened"},
    {Errc::task_failed, 409, "The task failed"},
    {Errc::task_cancelled, 409, "The task was cancelled"},
    {Errc::task_paused, 409, "The task waits for a person"},
    {Errc::step_failed, 409, "A step failed"},
    {Errc::diverged, 409, "The history does not fit the code"},
    {Errc::stopping, 409, "The task is being ended"},
};

const CodeStatus& entry_of(Errc code) {
    for (const CodeStatus& entry : table) {
        if (entry.code == code) return entry;
    }
    return table[0];
}

std::string member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* found = object.if_contains(name);
    if (!found || !found->is_string()) return {};
    return std::string(found->get_string().data(), found->get_string().size());
}

// For an answer that is not ours (a proxy's, an older version's): what the status alone says.
Errc code_of(int status) {
    switch (status) {
        case 401:
        case 403:
            return Errc::unauthorized;
        case 404:
            return Errc::not_found;
        case 413:
            return Errc::too_large;
        default:
            return status < 500 ? Errc::bad_input : Errc::store_unavailable;
    }
}

}  // namespace

int status_of(Errc code) { return entry_of(code).status; }

Response problem(const Request& request, const Error& error, std::vector<FieldError> errors, int status) {
    const CodeStatus& entry = entry_of(error.code);
    if (status == 0) status = entry.status;
    JsonText json;
    json.open()
        .field("type", "urn:pawl:error:" + std::string(to_string(error.code)))
        .field("title", entry.title)
        .field("status", status)
        .field("detail", error.message)
        .field("instance", request.path)
        .field("code", to_string(error.code));
    if (!errors.empty()) {
        json.name("errors").open('[');
        for (const FieldError& e : errors) json.open().field("field", e.field).field("detail", e.detail).close();
        json.close(']');
    }
    json.close();

    Response response{status, {{"Content-Type", "application/problem+json"}}, json.take()};
    if (status == 429) response.headers.emplace_back("Retry-After", "1");
    return response;
}

Error error_of(const Response& response) {
    boost::system::error_code failed;
    const boost::json::value parsed = boost::json::parse(response.body, failed);
    if (!failed && parsed.is_object()) {
        const std::string code = member(parsed.get_object(), "code");
        const std::string detail = member(parsed.get_object(), "detail");
        if (!code.empty()) return {errc_from_string(code), detail};
    }
    return {code_of(response.status), "the answer was HTTP status " + std::to_string(response.status)};
}

}  // namespace pawl::server
