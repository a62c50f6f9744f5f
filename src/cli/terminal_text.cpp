#include "cli/terminal_text.hpp"

#include <algorithm>

#include "core/utf8.hpp"

#include <cstdio>

namespace pawl::cli {
namespace {

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

// Marks that turn the direction of text around: "exe.gpj" reads as "jpg.exe".
bool turns_direction(char32_t c) {
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x061c;
}

bool is_wide(char32_t c) {
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
}

std::string hex_byte(unsigned value) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\x%02x", value);
    return buffer;
}

std::string json_escape(char32_t value) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(value));
    return buffer;
}

std::string hex_code_point(char32_t value) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u{%04x}", static_cast<unsigned>(value));
    return buffer;
}

}  // namespace

std::string terminal_text(std::string_view text, Lines lines) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const core::CodePoint point = core::code_point_at(text, at);
        if (point.bytes == 0) {
            out += hex_byte(static_cast<unsigned char>(text[at]));
            ++at;
            continue;
        }
        const bool layout = point.value == '\n' || point.value == '\t';
        if (layout && lines == Lines::keep) {
            out.push_back(text[at]);
        } else if (point.value == '\n') {
            out += "\\n";
        } else if (point.value == '\t') {
            out += "\\t";
        } else if (is_control(point.value)) {
            out += hex_byte(static_cast<unsigned>(point.value));
        } else if (turns_direction(point.value)) {
            out += hex_code_point(point.value);
        } else {
            out.append(text.substr(at, point.bytes));
        }
        at += point.bytes;
    }
    return out;
}

std::string terminal_json(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    for (std::size_t at = 0; at < json.size();) {
        const core::CodePoint point = core::code_point_at(json, at);
        const std::size_t bytes = point.bytes == 0 ? 1 : point.bytes;
        // Below 0x20 valid JSON holds white space only; the others stand within strings, where an escape means the
        // same.
        if (point.bytes != 0 && point.value >= 0x20 && (is_control(point.value) || turns_direction(point.value))) {
            out += json_escape(point.value);
        } else {
            out.append(json.substr(at, bytes));
        }
        at += bytes;
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t at = 0; at < text.size();) {
        const core::CodePoint point = core::code_point_at(text, at);
        width += point.bytes != 0 && is_wide(point.value) ? 2 : 1;
        at += point.bytes == 0 ? 1 : point.bytes;
    }
    return width;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
    if (display_width(text) <= columns) return std::string(text);
    std::size_t width = 0, at = 0;
    while (at < text.size()) {
        const core::CodePoint point = core::code_point_at(text, at);
        const std::size_t wide = point.bytes != 0 && is_wide(point.value) ? 2 : 1;
        if (width + wide + 3 > columns) break;
        width += wide;
        at += point.bytes == 0 ? 1 : point.bytes;
    }
    return std::string(text.substr(0, at)) + "...";
}

std::string shell_word(const std::string& text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("/._-+,:@%=").find(c) != std::string_view::npos;
    });
    if (plain && !text.empty()) return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

}  // namespace pawl::cli
