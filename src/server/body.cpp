#include "server/body.hpp"

#include "core/canonical_json.hpp"
#include "core/closest.hpp"
#include "core/shown.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace pawl::server {
namespace {

namespace json = boost::json;

std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
    return at;
}

bool stands(std::string_view text, std::size_t at, char c) { return at < text.size() && text[at] == c; }

// Where the string or value that starts at `at` ends, or the text's end. Only brackets and quotes are followed:
// whether it is JSON at all, core::check_json says of each piece.
std::size_t skip_string(std::string_view text, std::size_t at) {
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
    }
    return std::min(text.size(), at + 1);
}

std::size_t skip_value(std::string_view text, std::size_t at) {
    if (stands(text, at, '"')) return skip_string(text, at);
    if (!stands(text, at, '{') && !stands(text, at, '[')) {
        return std::min(text.size(), text.find_first_of(",]} \t\r\n", at));
    }
    std::size_t depth = 0;
    while (at < text.size()) {
        if (text[at] == '"') {
            at = skip_string(text, at);
            continue;
        }
        if (text[at] == '{' || text[at] == '[') ++depth;
        if (text[at] == '}' || text[at] == ']') --depth;
        ++at;
        if (depth == 0) break;
    }
    return at;
}

Error malformed(std::size_t at, std::string_view expected) {
    return {Errc::bad_input, "not valid JSON at byte " + std::to_string(at) + ": expected " + std::string(expected)};
}

// After an element: onto the next one, or past the closing bracket (`done`).
Result<std::size_t> step_over_comma(std::string_view text, std::size_t at, char closing, bool& done) {
    at = skip_space(text, at);
    done = stands(text, at, closing);
    if (!done && !stands(text, at, ',')) return malformed(at, std::string("',' or '") + closing + "'");
    return skip_space(text, at + 1);
}

Result<void> check_end(std::string_view text, std::size_t at) {
    if (skip_space(text, at) == text.size()) return {};
    return malformed(at, "the end, after the first value");
}

std::string parse_string(std::string_view value) {
    const json::value parsed = json::parse(value);
    return std::string(parsed.get_string().data(), parsed.get_string().size());
}

}  // namespace

Result<std::vector<std::string_view>> split_array(std::string_view text) {
    std::size_t at = skip_space(text, 0);
    if (!stands(text, at, '[')) return malformed(at, "an array");
    at = skip_space(text, at + 1);

    std::vector<std::string_view> elements;
    bool done = stands(text, at, ']');
    if (done) ++at;
    while (!done) {
        const std::size_t end = skip_value(text, at);
        if (end == at) return malformed(at, "a value");
        elements.push_back(text.substr(at, end - at));
        const auto next = step_over_comma(text, end, ']', done);
        if (!next) return next.error();
        at = *next;
    }
    if (auto end = check_end(text, at); !end) return end.error();
    return elements;
}

Result<Body> Body::parse(std::string_view text, Origin origin) {
    Body body;
    std::size_t at = skip_space(text, 0);
    if (at == text.size()) return body;
    if (!stands(text, at, '{')) return malformed(at, "an object");
    at = skip_space(text, at + 1);

    bool done = stands(text, at, '}');
    if (done) ++at;
    while (!done) {
        const auto value_at = body.add_name(text, at);
        if (!value_at) return value_at.error();
        const std::size_t end = skip_value(text, *value_at);
        if (end == *value_at) return malformed(end, "a value");
        Member& member = body.members_.back();
        member.value = text.substr(*value_at, end - *value_at);
        const auto valid = origin == Origin::ours ? Result<void>() : core::check_json(member.value);
        if (!valid) {
            return Error{valid.error().code, "the field " + core::shown(member.name) + ": " + valid.error().message};
        }
        const auto next = step_over_comma(text, end, '}', done);
        if (!next) return next.error();
        at = *next;
    }
    if (auto end = check_end(text, at); !end) return end.error();
    return body;
}

Result<std::size_t> Body::add_name(std::string_view text, std::size_t at) {
    if (!stands(text, at, '"')) return malformed(at, "a field's name in quotes");
    const std::size_t end = skip_string(text, at);
    const std::string_view quoted = text.substr(at, end - at);
    if (auto valid = core::check_json(quoted); !valid) return malformed(at, "a field's name in quotes");
    std::string name = parse_string(quoted);
    at = skip_space(text, end);
    if (!stands(text, at, ':')) return malformed(at, "':'");
    if (has(name)) return Error{Errc::bad_input, "the field " + core::shown(name) + " is given twice"};
    members_.push_back({std::move(name), {}, false});
    return skip_space(text, at + 1);
}

bool Body::has(std::string_view name) const {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
}

Body::Member* Body::find(std::string_view name) {
    known_.emplace_back(name);
    for (Member& member : members_) {
        if (member.name != name) continue;
        member.asked = true;
        return &member;
    }
    return nullptr;
}

void Body::refuse(std::string_view name, std::string detail) {
    errors_.push_back({std::string(name), std::move(detail)});
}

std::optional<std::string_view> Body::raw(std::string_view name) {
    const Member* member = find(name);
    return member ? std::optional(member->value) : std::nullopt;
}

std::optional<std::string> Body::text(std::string_view name) {
    const auto value = raw(name);
    if (!value || *value == "null") return std::nullopt;
    if (value->front() != '"') {
        refuse(name, "expected a string");
        return std::nullopt;
    }
    return parse_string(*value);
}

std::optional<std::int64_t> Body::integer(std::string_view name, std::int64_t least, std::int64_t most) {
    const auto value = raw(name);
    if (!value || *value == "null") return std::nullopt;
    boost::system::error_code failed;
    const json::value parsed = json::parse(*value, failed);
    if (failed || !parsed.is_int64() || parsed.get_int64() < least || parsed.get_int64() > most) {
        refuse(name, "expected an integer from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return parsed.get_int64();
}

std::optional<bool> Body::boolean(std::string_view name) {
    const auto value = raw(name);
    if (!value || *value == "null") return std::nullopt;
    if (*value != "true" && *value != "false") {
        refuse(name, "expected true or false");
        return std::nullopt;
    }
    return *value == "true";
}

std::optional<std::vector<std::string>> Body::texts(std::string_view name) {
    const auto value = raw(name);
    if (!value || *value == "null") return std::nullopt;
    const auto elements = split_array(*value);
    std::vector<std::string> out;
    for (const std::string_view element : elements ? *elements : std::vector<std::string_view>{}) {
        if (element.front() == '"') out.push_back(parse_string(element));
    }
    if (!elements || out.size() != elements->size()) {
        refuse(name, "expected an array of strings");
        return std::nullopt;
    }
    return out;
}

std::vector<FieldError> Body::errors() const {
    std::vector<FieldError> all = errors_;
    for (const Member& member : members_) {
        if (member.asked) continue;
        std::string detail = "unknown field";
        if (const auto close = core::closest(member.name, known_)) detail += "; did you mean \"" + *close + "\"?";
        all.push_back({member.name, std::move(detail)});
    }
    return all;
}

std::string describe(const std::vector<FieldError>& errors) {
    std::string out;
    for (const FieldError& error : errors) {
        if (!out.empty()) out += "; ";
        // Most checks name their field themselves.
        const std::string name = error.field.substr(error.field.starts_with('?') ? 1 : 0) + " ";
        const bool names_it = error.detail.starts_with(name);
        out += error.field + ": " + (names_it ? error.detail.substr(name.size()) : error.detail);
    }
    return out;
}

}  // namespace pawl::server
