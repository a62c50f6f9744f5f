#include "store/postgres/postgres_url.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace pawl::store {
namespace {

constexpr std::string_view schemes[] = {"postgres://", "postgresql://"};
constexpr std::size_t schema_bytes_max = 63;
constexpr std::size_t secret_bytes_min = 3;  // a shorter one is in every text, and is not given away by it

// For each host, so that one that vanished is noticed in seconds; both sides of the connection get the same.
constexpr std::pair<const char*, const char*> defaults[] = {
    {"connect_timeout", "5"},     {"keepalives", "1"},         {"keepalives_idle", "5"},
    {"keepalives_interval", "3"}, {"keepalives_count", "3"},   {"tcp_user_timeout", "10000"},
    {"application_name", "pawl"}, {"client_encoding", "UTF8"},
};

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

Error wrong(std::string what) { return {Errc::bad_input, "the store's URL is not usable: " + std::move(what)}; }

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Requires: is_encoded_well(text).
std::string decoded(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            plain += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

// libpq takes %00 for the end of the text.
bool is_encoded_well(std::string_view text) {
    for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 3)) {
        if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
        if (text[i + 1] == '0' && text[i + 2] == '0') return false;
    }
    return true;
}

std::string encoded(std::string_view text, std::string_view kept = {}) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string safe;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' || kept.find(c) != kept.npos) {
            safe += c;
        } else {
            safe += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return safe;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (std::size_t start = 0;;) {
        const std::size_t end = text.find(separator, start);
        pieces.push_back(text.substr(start, end - start));
        if (end == std::string_view::npos) return pieces;
        start = end + 1;
    }
}

bool is_schema_name(std::string_view name) {
    if (name.empty() || name.size() > schema_bytes_max || is_digit(name.front()) || name.starts_with("pg_"))
        return false;
    return std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_'; });
}

bool is_known_parameter(const std::string& name) {
    if (name == "ssl") return true;           // a word of other drivers, which libpq reads in URLs
    if (name == "replication") return false;  // another protocol
    static const Options known(PQconninfoParse("", nullptr));
    for (const PQconninfoOption* option = known.get(); option && option->keyword; ++option) {
        if (name == option->keyword) return true;
    }
    return false;
}

// What is ours in the query, and the rest of it as it stood.
struct Query {
    std::string rest;
    std::string schema;
};

std::optional<Error> read_parameter(std::string_view piece, std::size_t number, bool may_name, Query& query) {
    const std::string place = "parameter " + std::to_string(number) + " after the \"?\"";
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos || equals == 0 || piece.find('=', equals + 1) != std::string_view::npos) {
        return wrong(place + " is not NAME=VALUE; write & as %26 and = as %3D within a value");
    }
    const std::string name = decoded(piece.substr(0, equals));
    const std::string value = decoded(piece.substr(equals + 1));
    if (name == "schema") {
        if (!is_schema_name(value)) {
            return wrong("schema= takes small letters, digits and _, at most 63 of them, no digit first and no pg_");
        }
        query.schema = value;
        return std::nullopt;
    }
    if (name == "target_session_attrs") {
        if (value == "read-write" || value == "primary" || value == "any") return std::nullopt;
        return wrong("target_session_attrs takes read-write, primary or any: Pawl writes, so a standby is of no use");
    }
    if (!is_known_parameter(name)) {
        const bool is_plain = name.size() <= 40 &&
                              std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
        if (!may_name || !is_plain) return wrong(place + " is not known; write & as %26 within a value");
        return wrong("parameter \"" + name + "\" is not known; known are schema and what libpq knows");
    }
    if (!query.rest.empty()) query.rest += '&';
    query.rest += piece;
    return std::nullopt;
}

Result<Query> read_query(std::string_view text) {
    Query query;
    std::size_t number = 0;
    bool may_name = true;  // a raw & within a password makes a "parameter" of what follows
    if (text.empty()) return query;
    for (const std::string_view piece : split(text, '&')) {
        if (auto error = read_parameter(piece, ++number, may_name, query)) return *error;
        if (decoded(piece).find("password") != std::string::npos) may_name = false;
    }
    return query;
}

bool is_port(std::string_view text) {
    if (text.size() > 5 || !std::ranges::all_of(text, is_digit)) return false;
    int number = 0;
    for (const char c : text) number = number * 10 + (c - '0');
    return text.empty() || (number > 0 && number <= 65535);
}

std::optional<Error> read_hosts(std::string_view names, std::string_view addresses, std::string_view ports,
                                PostgresUrl& url) {
    const auto name = split(names, ',');
    const auto address = split(addresses, ',');
    const auto port = split(ports, ',');
    const std::size_t count = addresses.empty() ? name.size() : address.size();
    if ((!names.empty() && name.size() != count) || (port.size() != 1 && port.size() != count)) {
        return wrong("it has not as many ports as hosts (or as host addresses); give one for each, or one for all");
    }
    if (!std::ranges::all_of(port, is_port)) {
        return wrong("a port is not a number from 1 to 65535; in a password write : as %3A, / as %2F, @ as %40");
    }
    for (std::size_t i = 0; i < count; ++i) {
        PostgresUrl::Host host;
        if (!names.empty()) host.name = name[i];
        if (!addresses.empty()) host.address = address[i];
        host.port = port.size() == 1 ? port[0] : port[i];
        url.hosts.push_back(std::move(host));
    }
    return std::nullopt;
}

void add_defaults(PostgresUrl& url) {
    for (const auto& [name, value] : defaults) {
        if (url.parameter(name).empty()) url.parameters.emplace_back(name, value);
    }
}

std::optional<Error> check_values(const PostgresUrl& url) {
    const std::string_view timeout = url.parameter("connect_timeout");
    if (timeout.empty() || timeout.size() > 6 || !std::ranges::all_of(timeout, is_digit)) {
        return wrong("connect_timeout takes a number of seconds");
    }
    std::string encoding(url.parameter("client_encoding"));
    std::ranges::transform(encoding, encoding.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    if (encoding != "utf8" && encoding != "utf-8") return wrong("client_encoding is always UTF8");
    return std::nullopt;
}

std::string shown_of(const PostgresUrl& url) {
    std::string shown = "postgres://";
    if (!url.parameter("user").empty()) shown += encoded(url.parameter("user")) + "@";
    std::string parameters;
    bool is_first = true;
    const bool has_folder = std::ranges::any_of(url.hosts, [](const auto& host) { return host.name.starts_with('/'); });
    for (const PostgresUrl::Host& host : url.hosts) {
        if (has_folder) {
            parameters += (parameters.empty() ? "?host=" : "&host=") + encoded(host.name, "/");
            if (!host.port.empty()) parameters += "&port=" + host.port;
            continue;
        }
        if (!is_first) shown += ',';
        is_first = false;
        const std::string& name = host.name.empty() ? host.address : host.name;
        shown += name.find(':') == std::string::npos ? encoded(name) : "[" + encoded(name, ":") + "]";
        if (!host.port.empty()) shown += ":" + host.port;
    }
    if (!url.parameter("dbname").empty() || has_folder) shown += "/" + encoded(url.parameter("dbname"));
    if (url.schema != PostgresUrl().schema) parameters += (parameters.empty() ? "?schema=" : "&schema=") + url.schema;
    return shown + parameters;
}

// Takes what libpq read; the texts that must not be shown are known from here on.
std::optional<Error> take_options(const PQconninfoOption* options, PostgresUrl& url) {
    std::string names;
    std::string addresses;
    std::string ports;
    for (; options->keyword; ++options) {
        if (!options->val) continue;
        const std::string keyword = options->keyword;
        if (keyword == "host") {
            names = options->val;
        } else if (keyword == "hostaddr") {
            addresses = options->val;
        } else if (keyword == "port") {
            ports = options->val;
        } else {
            url.parameters.emplace_back(keyword, options->val);
            if (keyword == "password" || keyword == "sslpassword") {
                url.secrets.emplace_back(options->val);
                if (encoded(options->val) != options->val) url.secrets.push_back(encoded(options->val));
            }
        }
    }
    return read_hosts(names, addresses, ports, url);
}

}  // namespace

std::string_view PostgresUrl::parameter(std::string_view keyword) const {
    for (const auto& [name, value] : parameters) {
        if (name == keyword) return value;
    }
    return {};
}

bool is_postgres_url(std::string_view text) {
    return std::ranges::any_of(schemes, [&](std::string_view scheme) { return text.starts_with(scheme); });
}

Result<PostgresUrl> parse_postgres_url(std::string_view text) {
    if (!is_postgres_url(text)) return wrong("it has to begin with postgres://");
    if (std::ranges::any_of(text, [](char c) { return (c >= 0 && c <= ' ') || c == 0x7f; })) {
        return wrong("it holds a space or a control character; write a space as %20");
    }
    if (!is_encoded_well(text)) return wrong("a % is not followed by two hexadecimal digits; write % itself as %25");

    // Where libpq sees the end of user and password: at an @ before the first /, and nowhere else.
    const std::size_t body = text.find("://") + 3;
    const std::size_t mark = text.find_first_of("@/", body);
    const std::size_t location = mark != std::string_view::npos && text[mark] == '@' ? mark + 1 : body;
    if (text.find('@', location) != std::string_view::npos) {
        return wrong("it holds an @ too many; in user, password and values write @ as %40, / as %2F, : as %3A");
    }
    const std::size_t question = std::min(text.find('?', location), text.size());
    auto query = read_query(question < text.size() ? text.substr(question + 1) : std::string_view());
    if (!query) return query.error();

    std::string for_libpq(text.substr(0, question));
    if (!query->rest.empty()) for_libpq += "?" + query->rest;
    char* refusal = nullptr;
    const Options options(PQconninfoParse(for_libpq.c_str(), &refusal));
    PQfreemem(refusal);  // it quotes the URL, so it is of no use
    if (!options) return wrong("it is not postgres://USER:PASSWORD@HOST:PORT/DATABASE?NAME=VALUE&...");

    PostgresUrl url;
    if (!query->schema.empty()) url.schema = query->schema;
    if (auto error = take_options(options.get(), url)) return *error;
    add_defaults(url);
    if (auto error = check_values(url)) return *error;
    url.shown = shown_of(url);
    return url;
}

std::string without_secrets(std::string_view text, const PostgresUrl& url) {
    std::string shown(text);
    for (const std::string& secret : url.secrets) {
        if (secret.size() < secret_bytes_min) continue;
        for (std::size_t at = shown.find(secret); at != std::string::npos; at = shown.find(secret, at + 3)) {
            shown.replace(at, secret.size(), "***");
        }
    }
    for (char& c : shown) {
        if ((c >= 0 && c < ' ') || c == 0x7f) c = ' ';
    }
    while (!shown.empty() && shown.back() == ' ') shown.pop_back();
    return shown;
}

}  // namespace pawl::store
