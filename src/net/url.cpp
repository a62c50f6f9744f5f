#include "net/url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace pawl::net {

namespace {

constexpr std::size_t url_bytes_max = 8'192;
constexpr std::size_t host_bytes_max = 253;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error bad(std::string_view text, std::string_view why) {
    return {Errc::bad_input, "URL \"" + std::string(text.substr(0, 200)) + "\": " + std::string(why)};
}

bool is_host_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
    unsigned port = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (status != std::errc{} || end != digits.data() + digits.size() || port < 1 || port > 65'535) return std::nullopt;
    return static_cast<std::uint16_t>(port);
}

bool is_ipv6(const std::string& host) {
    in6_addr address{};
    return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::string Url::authority() const {
    std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
    return out;
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > url_bytes_max) return bad(text, "longer than 8192 bytes");
    if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= 0x7f; })) {
        return bad(text, "contains a space, a control character or a byte outside ASCII; percent-encode it");
    }
    const std::size_t colon = text.find("://");
    std::string scheme(text.substr(0, colon == std::string_view::npos ? 0 : colon));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
    if (scheme != "http" && scheme != "https") return bad(text, "must start with http:// or https://");

    Url url;
    url.tls = scheme == "https";
    url.port = url.tls ? 443 : 80;
    std::string_view rest = text.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));
    const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, authority_end);
    std::string_view target = rest.substr(authority_end);
    if (authority.find('@') != std::string_view::npos) return bad("(hidden)", "must not contain a user or password");

    std::string_view host = authority;
    std::string_view port;
    bool has_port = false;
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos) return bad(text, "has a '[' without ']'");
        host = authority.substr(1, close - 1);
        port = authority.substr(close + 1);
        has_port = port.starts_with(':');
        if (!port.empty() && !has_port) return bad(text, "has something between ']' and the port");
        if (!is_ipv6(std::string(host))) return bad(text, "has a malformed IPv6 address");
    } else if (const std::size_t split = authority.find(':'); split != std::string_view::npos) {
        host = authority.substr(0, split);
        port = authority.substr(split);
        has_port = true;
    }
    url.host.resize(host.size());
    std::transform(host.begin(), host.end(), url.host.begin(), lower);
    if (url.host.empty() || url.host.size() > host_bytes_max)
        return bad(text, "has no host name, or one over 253 bytes");
    const bool literal_v6 = authority.starts_with('[');
    if (!literal_v6 && !std::all_of(url.host.begin(), url.host.end(), is_host_char)) {
        return bad(text, "has a malformed host name");
    }
    if (has_port) {
        const auto number = parse_port(port.substr(1));
        if (!number) return bad(text, "has a port that is not a number from 1 to 65535");
        url.port = *number;
    }
    if (!target.empty()) url.target = (target.front() == '/' ? "" : "/") + std::string(target);
    return url;
}

bool is_loopback_name(std::string_view host) {
    std::string name(host);
    std::transform(name.begin(), name.end(), name.begin(), lower);
    if (name == "localhost" || name == "::1") return true;
    in_addr address{};
    return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

}  // namespace pawl::net
