// URLs of peers we call: http and https only, strict, so that nothing ambiguous reaches the wire.
#pragma once

#include <pawl/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::net {

struct Url {
    bool tls = false;
    std::string host;  ///< lower case; an IPv6 address without brackets
    std::uint16_t port = 80;
    std::string target = "/";  ///< path and query as they go on the wire, never empty

    /// What the Host header says: brackets around IPv6, the port only when it is not the scheme's own.
    std::string authority() const;
};

/// Parses an absolute http or https URL.
///
/// Errors: `bad_input` with the reason: another scheme, user and password inside, an empty or malformed host, a
/// port outside 1 to 65535, a space, control character or non-ASCII byte. A fragment is dropped.
Result<Url> parse_url(std::string_view text);

/// True for `localhost`, 127.0.0.0/8 and ::1 (no brackets, any case).
bool is_loopback_name(std::string_view host);

}  // namespace pawl::net
