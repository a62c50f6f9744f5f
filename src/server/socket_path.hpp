// Where the process that holds a file listens.
#pragma once

#include <pawl/result.hpp>

#include <string>

namespace pawl::server {

/// Beside the real path of the file ("/data/pawl.db.sock"), so that every name of one file leads to one socket. When
/// that is too long for a socket: by hash under $XDG_RUNTIME_DIR, or else under /tmp/pawl-UID, which is made (0700).
///
/// The file need not exist, its folder must. Errors: not_found (the folder), refused (a /tmp folder of another user).
Result<std::string> socket_path(const std::string& file);

}  // namespace pawl::server
