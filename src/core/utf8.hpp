// Strict UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl::core {

struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 0;  ///< 0 = no valid sequence starts here
};

/// The code point that starts at `at`. Requires: at < text.size().
CodePoint code_point_at(std::string_view text, std::size_t at);

/// Offset of the first byte that is not part of a valid sequence; text.size() when all is valid.
std::size_t first_invalid_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

/// The longest prefix of at most `bytes_max` bytes that does not cut a sequence in two.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

/// `text` with each invalid byte shown as `\xNN`, so that it can stand in JSON and on a terminal.
std::string valid_utf8(std::string_view text);

}  // namespace pawl::core
