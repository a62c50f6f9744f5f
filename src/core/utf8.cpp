#include "core/utf8.hpp"

#include "core/assert.hpp"

#include <cstdint>

namespace pawl::core {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
    PAWL_ASSERT(at < text.size());
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return {first, 1};

    std::size_t bytes = 0;
    char32_t value = 0;
    char32_t least = 0;  // smaller values have a shorter form: this one would be overlong
    if ((first & 0xE0) == 0xC0) {
        bytes = 2, value = first & 0x1Fu, least = 0x80;
    } else if ((first & 0xF0) == 0xE0) {
        bytes = 3, value = first & 0x0Fu, least = 0x800;
    } else if ((first & 0xF8) == 0xF0) {
        bytes = 4, value = first & 0x07u, least = 0x10000;
    } else {
        return {};
    }
    if (text.size() - at < bytes) return {};
    for (std::size_t i = 1; i < bytes; ++i) {
        if (!is_continuation(byte(i))) return {};
        value = (value << 6) | (byte(i) & 0x3Fu);
    }
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (value < least || surrogate || value > 0x10FFFF) return {};
    return {value, bytes};
}

std::size_t first_invalid_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {  // most of every text: on the way of each recorded result
            ++at;
            continue;
        }
        const CodePoint point = code_point_at(text, at);
        if (point.bytes == 0) return at;
        at += point.bytes;
    }
    return at;
}

void append_utf8(std::string& out, char32_t c) {
    PAWL_ASSERT(c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF));
    const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
    }
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    std::size_t end = bytes_max;
    // At most 3 steps back: in text that is not UTF-8 there is nothing to keep whole.
    for (int back = 0; back < 3 && end > 0 && is_continuation(static_cast<unsigned char>(text[end])); ++back) --end;
    return text.substr(0, end);
}

std::string valid_utf8(std::string_view text) {
    constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        if (point.bytes > 0) {
            out.append(text.substr(at, point.bytes));
            at += point.bytes;
            continue;
        }
        const auto byte = static_cast<unsigned char>(text[at++]);
        out.append({'\\', 'x', hex[byte >> 4], hex[byte & 15]});
    }
    return out;
}

}  // namespace pawl::core
