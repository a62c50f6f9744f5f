#include "server/listener.hpp"

#include "server/problem.hpp"

namespace pawl::server {
namespace {

net::ServerResponse to_wire(Response response) {
    net::ServerResponse wire;
    wire.status = response.status;
    wire.body = std::move(response.body);
    for (auto& [name, value] : response.headers) {
        if (name == "Content-Type") {
            wire.content_type = std::move(value);
        } else {
            wire.headers.emplace_back(std::move(name), std::move(value));
        }
    }
    return wire;
}

}  // namespace

net::HttpServer::Handler serve(Router& router) {
    return [&router](net::ServerRequest wire, net::HttpServer::Respond respond) {
        Request request;
        request.method = std::move(wire.method);
        request.headers = std::move(wire.headers);
        request.body = std::move(wire.body);
        const bool readable = parse_target(wire.target, request);
        if (!readable) {
            const Error error{Errc::bad_input, "the address has a broken percent code; write a percent sign as %25"};
            return respond(to_wire(problem(request, error, {}, 400)));
        }
        router.handle(std::move(request), [respond](Response response) { respond(to_wire(std::move(response))); });
    };
}

}  // namespace pawl::server
