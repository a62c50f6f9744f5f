// What names a store: `sqlite:FILE`, or a bare path.
#pragma once

#include <pawl/result.hpp>

#include <string>
#include <string_view>

namespace pawl::cli {

/// The file that the URL names. Errors: bad_input for another scheme or an empty path.
Result<std::string> sqlite_file(std::string_view url);

}  // namespace pawl::cli
