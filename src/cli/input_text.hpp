// JSON given on the command line: the text itself, `@FILE`, or `-` for stdin.
#pragma once

#include <pawl/result.hpp>

#include <string>

namespace pawl::cli {

/// Not checked beyond the size (at most `bytes_max`, else too_large). Errors: not_found (no such file), bad_input.
Result<std::string> read_input(const std::string& argument, std::size_t bytes_max);

/// Stored values end at core::limits; a file may hold white space around them.
constexpr std::size_t input_file_bytes_max = 4u << 20;

}  // namespace pawl::cli
