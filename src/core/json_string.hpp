// A string as JSON text, in the one form that RFC 8785 allows.
#pragma once

#include <string>
#include <string_view>

namespace pawl::core {

/// Appends `text` quoted and escaped. Requires valid UTF-8 (core/utf8.hpp); NUL and control characters are fine.
void append_json_string(std::string& out, std::string_view text);

}  // namespace pawl::core
