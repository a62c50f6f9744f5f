#include "core/shown.hpp"

#include "core/utf8.hpp"

namespace pawl::core {
namespace {

// C1 controls (U+0080 to U+009F) act like escape sequences on some terminals; bidirectional marks reorder a line.
bool is_hidden(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x2028 || c == 0x2029 || c == 0x200E || c == 0x200F || c == 0xFEFF;
}

void append_code(std::string& out, char32_t c) {
    constexpr char hex[] = "0123456789abcdef";
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out.push_back(hex[(c >> shift) & 15]);
}

}  // namespace

std::string shown(std::string_view text, std::size_t bytes_max) {
    const std::string_view kept = utf8_prefix(text, bytes_max);
    std::string out = "\"";
    for (std::size_t at = 0; at < kept.size();) {
        const CodePoint point = code_point_at(kept, at);
        if (point.bytes == 0) {
            out += valid_utf8(kept.substr(at, 1));
            at += 1;
            continue;
        }
        if (is_hidden(point.value)) {
            append_code(out, point.value);
        } else {
            if (point.value == '"' || point.value == '\\') out.push_back('\\');
            out.append(kept.substr(at, point.bytes));
        }
        at += point.bytes;
    }
    out += '"';
    if (kept.size() < text.size()) out += "... (" + std::to_string(text.size()) + " bytes)";
    return out;
}

}  // namespace pawl::core
