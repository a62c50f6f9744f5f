// Puts a router behind net's HTTP server: the Unix socket of a worker now, TCP later.
#pragma once

#include "net/http_server.hpp"
#include "server/router.hpp"

namespace pawl::server {

/// The handler to give to net::HttpServer. `router` must outlive the server; loop thread only.
net::HttpServer::Handler serve(Router& router);

}  // namespace pawl::server
