// The API under /v1 (docs/reference/api.md), free of any transport. One router serves the Unix socket of a worker,
// the commands of a process that holds the file itself, and later the HTTP server.
#pragma once

#include "server/long_poll.hpp"
#include "server/message.hpp"
#include "server/port.hpp"

namespace pawl::server {

/// Thread safety: none. `handle` is called, and answers come, on the port's thread.
class Router {
public:
    /// `port` must outlive the router.
    explicit Router(Port& port) : port_(&port), polls_(port) {}

    /// Answers once, perhaps before it returns. A refused request changed nothing; every answer with status 4xx or
    /// 5xx is a problem (server/problem.hpp). After a store error (503, store_unavailable) the outcome is unknown.
    void handle(Request request, Respond respond);

    /// The process is about to leave: every waiting request answers with what is so now, later ones do not wait.
    void stop() { polls_.stop(); }

private:
    Port* port_;
    LongPolls polls_;
};

}  // namespace pawl::server
