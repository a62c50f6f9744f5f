// Which tasks a listing shows, or a verb for many is for: a page of a filter, newest first.
#pragma once

#include "core/store.hpp"
#include "server/parameters.hpp"

#include <string>

namespace pawl::server {

/// The parameters `state type queue key tag limit cursor`; what is wrong with them is noted there.
core::ListFilter read_list_filter(Parameters& parameters, int page_default);

/// For `cursor`: the page that begins behind this task. Opaque to clients.
std::string format_cursor(core::TaskRef ref);

}  // namespace pawl::server
