#include "agent/secret.hpp"

#include <charconv>
#include <optional>

namespace pawl::agent {

namespace {

// The character of a \u escape whose digits begin at `at`.
std::optional<char> escaped(std::string_view text, std::size_t at) {
    unsigned code = 0;
    const std::string_view digits = text.substr(std::min(at, text.size())).substr(0, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc{} || end != digits.data() + 4 || code > 0x7f) return std::nullopt;
    return static_cast<char>(code);
}

// Where the secret that begins at `at` ends; npos when none does. Each level of JSON doubles the backslashes.
std::size_t end_of_secret(std::string_view text, std::size_t at, std::string_view secret) {
    constexpr std::size_t backslashes_max = 16;  // else a text of nothing else would be read over and over
    for (const char c : secret) {
        std::size_t next = at;
        while (next < text.size() && next - at < backslashes_max && text[next] == '\\') next++;
        const bool has_backslash = next != at;
        if (c == '\\' && has_backslash) at = next;
        else if (next < text.size() && text[next] == c) at = next + 1;
        else if (has_backslash && text.substr(next).starts_with('u') && escaped(text, next + 1) == c) at = next + 5;
        else return text.npos;
    }
    return at;
}

}  // namespace

std::string without_secret(std::string_view text, std::string_view secret) {
    constexpr std::size_t secret_bytes_min = 8;  // shorter ones are words for "no key": masking them would garble texts
    if (secret.size() < secret_bytes_min) return std::string(text);
    const std::string_view mask = secret.find_first_not_of('*') == secret.npos ? "" : "***";
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool may_begin = text[at] == secret.front() || text[at] == '\\';
        const std::size_t end = may_begin ? end_of_secret(text, at, secret) : text.npos;
        if (end == text.npos) {
            out += text[at++];
        } else {
            out += mask;
            at = end;
        }
    }
    return out;
}

}  // namespace pawl::agent
