#include "server/message.hpp"

#include <algorithm>
#include <optional>

namespace pawl::server {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<int> hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    if (l >= 'a' && l <= 'f') return l - 'a' + 10;
    return std::nullopt;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out.push_back(' ');
        } else if (text[i] != '%') {
            out.push_back(text[i]);
        } else {
            if (i + 2 >= text.size()) return std::nullopt;
            const auto high = hex_digit(text[i + 1]);
            const auto low = hex_digit(text[i + 2]);
            if (!high || !low) return std::nullopt;
            out.push_back(static_cast<char>(*high * 16 + *low));
            i += 2;
        }
    }
    return out;
}

void encode(std::string& out, std::string_view text, std::string_view also_plain) {
    constexpr char hex[] = "0123456789ABCDEF";
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_' ||
                           c == '.' || c == '~' || also_plain.find(c) != std::string_view::npos;
        if (plain) {
            out.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.append({'%', hex[byte >> 4], hex[byte & 15]});
        }
    }
}

}  // namespace

std::string_view find_header(const Headers& headers, std::string_view name) {
    for (const auto& [n, v] : headers) {
        if (std::equal(n.begin(), n.end(), name.begin(), name.end(),
                       [](char a, char b) { return lower(a) == lower(b); }))
            return v;
    }
    return {};
}

const std::string* Request::parameter(std::string_view name) const {
    for (const auto& [n, v] : query) {
        if (n == name) return &v;
    }
    return nullptr;
}

bool parse_target(std::string_view target, Request& request) {
    const std::size_t mark = target.find('?');
    auto path = decode(target.substr(0, mark), false);
    if (!path) return false;
    request.path = std::move(*path);
    request.query.clear();
    if (mark == std::string_view::npos) return true;

    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        auto name = decode(pair.substr(0, equals), true);
        auto value = decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
        if (!name || !value) return false;
        request.query.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
}

std::string format_target(const Request& request) {
    std::string out;
    encode(out, request.path, "/:");
    char mark = '?';
    for (const auto& [name, value] : request.query) {
        out.push_back(mark);
        encode(out, name, "");
        out.push_back('=');
        encode(out, value, ":");
        mark = '&';
    }
    return out;
}

}  // namespace pawl::server
