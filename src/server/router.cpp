#include "server/router.hpp"

#include "core/shown.hpp"
#include "server/operation.hpp"
#include "server/resources.hpp"

#include <optional>

namespace pawl::server {
namespace {

std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const std::string_view part = path.substr(0, path.find('/'));
        parts.push_back(part);
        path.remove_prefix(part.size());
    }
    return parts;
}

void no_such_path(const Call& call) {
    call.refuse({Errc::not_found, "there is no " + core::shown(call.request->path) +
                                      " here; docs/reference/api.md "
                                      "lists the paths"});
}

void wrong_method(const Call& call, const char* allowed) {
    Response response = problem(
        *call.request, {Errc::bad_input, core::shown(call.request->method) + " is not possible here; use " + allowed},
        {}, 405);
    response.headers.emplace_back("Allow", allowed);
    call.respond(std::move(response));
}

template <class Handler, class... Args>
void only(const char* method, Handler handler, Call call, Args... args) {
    if (call.request->method != method) return wrong_method(call, method);
    handler(std::move(call), std::move(args)...);
}

void route_task(Call call, const std::vector<std::string_view>& parts) {
    std::string task(parts[2]);
    if (parts.size() == 3) return only("GET", get_task, std::move(call), std::move(task));
    if (parts.size() != 4) return no_such_path(call);
    if (parts[3] == "journal") return only("GET", get_journal, std::move(call), std::move(task));
    if (parts[3] == "result") return only("GET", get_result, std::move(call), std::move(task));
    if (parts[3] == "why") return only("GET", get_why, std::move(call), std::move(task));
    if (const auto verb = verb_of(parts[3])) return only("POST", operate, std::move(call), std::move(task), *verb);
    no_such_path(call);
}

void route_tasks(Call call) {
    if (call.request->method == "GET") return list_tasks(std::move(call));
    if (call.request->method == "POST") return submit_task(std::move(call));
    wrong_method(call, "GET, POST");
}

void route(Call call) {
    const std::string path = call.request->path;
    const auto parts = segments(path);
    if (path.empty() || path[0] != '/' || parts.size() < 2 || parts[0] != "v1") return no_such_path(call);
    const std::string_view resource = parts[1];
    if (resource == "tasks" && parts.size() > 2) return route_task(std::move(call), parts);
    if (resource == "queues" && parts.size() == 3)
        return only("PUT", set_queue, std::move(call), std::string(parts[2]));
    if (parts.size() != 2) return no_such_path(call);
    if (resource == "tasks") return route_tasks(std::move(call));
    if (resource == "tasks:bulk") return only("POST", submit_bulk, std::move(call));
    if (resource == "tasks:operate") return only("POST", operate_on_many, std::move(call));
    if (resource == "events") return only("GET", get_events, std::move(call));
    if (resource == "queues") return only("GET", list_queues, std::move(call));
    if (resource == "backup") return only("POST", make_backup, std::move(call));
    if (resource == "doctor") return only("GET", get_doctor, std::move(call));
    if (resource == "version") return only("GET", get_version, std::move(call));
    no_such_path(call);
}

}  // namespace

void Router::handle(Request request, Respond respond) {
    route({port_, &polls_, std::make_shared<const Request>(std::move(request)), std::move(respond)});
}

}  // namespace pawl::server
