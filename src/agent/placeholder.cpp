#include "agent/placeholder.hpp"

#include "agent/json_value.hpp"
#include "core/shown.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace pawl::agent {

namespace bj = boost::json;

namespace {

bool is_word(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && letter(text.front()) && std::ranges::all_of(text, inner);
}

bj::object object_of(const std::string& json) {
    boost::system::error_code error;
    bj::value parsed = parse_value(json, error);
    return !error && parsed.is_object() ? std::move(parsed.get_object()) : bj::object();
}

std::size_t string_end(std::string_view json, std::size_t at) {
    for (at++; json[at] != '"'; at++)
        if (json[at] == '\\') at++;
    return at + 1;
}

// Where the member whose value begins at `at` ends: at its comma, or at the object's brace.
std::size_t member_end(std::string_view json, std::size_t at) {
    for (int open = 0;; at++) {
        const char c = json[at];
        if (c == '"') at = string_end(json, at) - 1;
        else if (c == '[' || c == '{') open++;
        else if ((c == ']' || c == '}') && open-- == 0) return at;
        else if (c == ',' && open == 0) return at;
    }
}

// The members' values as they are written, not as a parser would write them again: 0.25, not 2.5E-1.
// `json` is known to be an object.
std::map<std::string, std::string_view> written_values(std::string_view json) {
    constexpr std::string_view space = " \t\r\n";
    std::map<std::string, std::string_view> values;
    for (std::size_t at = json.find('"'); at != json.npos; at = json.find('"', at)) {
        const std::size_t key_end = string_end(json, at);
        boost::system::error_code error;
        const std::string key = bj::value_to<std::string>(parse_value(json.substr(at, key_end - at), error));
        const std::size_t begin = json.find_first_not_of(space, json.find(':', key_end) + 1);
        at = member_end(json, begin);
        const std::string_view value = json.substr(begin, at - begin);
        values[key] = value.substr(0, value.find_last_not_of(space) + 1);
    }
    return values;
}

bj::object properties_of(const ToolDefinition& tool) {
    const bj::object schema = object_of(tool.parameters.text);
    const bj::value* properties = schema.if_contains("properties");
    return properties && properties->is_object() ? properties->get_object() : bj::object();
}

// The text between the braces that open at `at`; nothing when they are not closed.
std::optional<std::string_view> braced(std::string_view element, std::size_t at) {
    const std::size_t close = element.find('}', at);
    if (close == std::string_view::npos) return std::nullopt;
    return element.substr(at + 1, close - at - 1);
}

// {{word}} at this place.
bool is_escaped(std::string_view element, std::size_t at, std::string_view word) {
    return element.substr(at).starts_with("{{") && element.substr(at + 1 + word.size() + 1).starts_with("}}");
}

// Walks an element: `name` is called for what stands in braces, `text` for every character outside of those it took.
template <class Name, class Text>
void walk(std::string_view element, Name name, Text text) {
    for (std::size_t at = 0; at < element.size();) {
        if (element[at] == '{') {
            const auto inner =
                at + 1 < element.size() && element[at + 1] == '{' ? braced(element, at + 1) : std::nullopt;
            if (inner && is_word(*inner) && is_escaped(element, at, *inner)) {
                text(element.substr(at + 1, inner->size() + 2));
                at += inner->size() + 4;
                continue;
            }
            const auto found = braced(element, at);
            if (found && name(*found)) {
                at += found->size() + 2;
                continue;
            }
        }
        text(element.substr(at++, 1));
    }
}

}  // namespace

Result<void> check_placeholders(const ToolDefinition& tool) {
    const bj::object properties = properties_of(tool);
    for (const auto* argv : {&tool.command, &tool.check})
        for (const std::string& element : *argv) {
            std::optional<std::string> unknown;
            const auto name = [&](std::string_view found) {
                const bool known = properties.contains({found.data(), found.size()});
                if (!known && is_word(found) && !unknown) unknown = found;
                return known;
            };
            walk(element, name, [](std::string_view) {});
            if (!unknown) continue;
            std::string message = "tool " + core::shown(tool.name) + ": " +
                                  (argv == &tool.command ? "command" : "check") + " names {" + *unknown +
                                  "}, which is no property of parameters";
            for (const auto& [key, schema] : properties)
                message += (key == properties.begin()->key() ? "; there are " : ", ") + std::string(key);
            return Error{Errc::bad_input, message + "; for the text itself write {{" + *unknown + "}}"};
        }
    return {};
}

Result<std::vector<std::string>> fill_in(const ToolDefinition& tool, const std::vector<std::string>& argv,
                                         const std::string& arguments) {
    const bj::object properties = properties_of(tool);
    const bj::object values = object_of(arguments);
    const auto written = values.empty() ? std::map<std::string, std::string_view>{} : written_values(arguments);
    std::vector<std::string> filled;
    std::optional<std::string> missing;
    for (const std::string& element : argv) {
        std::string text;
        const auto name = [&](std::string_view found) {
            const bj::string_view key(found.data(), found.size());
            if (!properties.contains(key)) return false;
            const bj::value* value = values.if_contains(key);
            if (!value || value->is_null()) missing = missing.value_or(std::string(found));
            else text += value->is_string() ? std::string_view(value->get_string()) : written.at(std::string(found));
            return true;
        };
        walk(element, name, [&](std::string_view part) { text += part; });
        filled.push_back(std::move(text));
    }
    if (missing)
        return Error{Errc::bad_input, "the argument " + core::shown(*missing) + " is missing: the command of " +
                                          tool.name + " cannot be made without it"};
    return filled;
}

}  // namespace pawl::agent
