#include "cli/answer.hpp"

#include "server/body.hpp"

#include <boost/json.hpp>

namespace pawl::cli {
namespace json = boost::json;
namespace {

std::string to_text(const json::value& value) {
    if (value.is_null()) return {};
    if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
    return json::serialize(value);
}

const json::value* find(const json::object& object, std::string_view name) {
    return object.if_contains(json::string_view(name.data(), name.size()));
}

}  // namespace

Answer::Answer(const server::Response& response) : object_(std::make_unique<json::object>()) {
    boost::system::error_code failed;
    json::parse_options options;
    options.max_depth = 80;  // a stored value, inside an answer
    json::value parsed = json::parse(response.body, failed, {}, options);
    if (!failed && parsed.is_object()) *object_ = std::move(parsed.get_object());
}

Answer::Answer(json::object object) : object_(std::make_unique<json::object>(std::move(object))) {}
Answer::~Answer() = default;
Answer::Answer(const Answer& other) : object_(std::make_unique<json::object>(*other.object_)) {}
Answer::Answer(Answer&&) noexcept = default;
Answer& Answer::operator=(Answer&&) noexcept = default;

std::string Answer::text(std::string_view name) const {
    const json::value* value = find(*object_, name);
    return value ? to_text(*value) : std::string();
}

std::int64_t Answer::number(std::string_view name) const {
    const json::value* value = find(*object_, name);
    return value && value->is_int64() ? value->get_int64() : 0;
}

bool Answer::flag(std::string_view name) const {
    const json::value* value = find(*object_, name);
    return value && value->is_bool() && value->get_bool();
}

bool Answer::has(std::string_view name) const {
    const json::value* value = find(*object_, name);
    return value && !value->is_null();
}

Answer Answer::object(std::string_view name) const {
    const json::value* value = find(*object_, name);
    return Answer(value && value->is_object() ? value->get_object() : json::object());
}

std::vector<Answer> Answer::objects(std::string_view name) const {
    std::vector<Answer> out;
    const json::value* value = find(*object_, name);
    if (!value || !value->is_array()) return out;
    for (const json::value& element : value->get_array()) {
        if (element.is_object()) out.push_back(Answer(element.get_object()));
    }
    return out;
}

std::vector<std::string> Answer::texts(std::string_view name) const {
    std::vector<std::string> out;
    const json::value* value = find(*object_, name);
    if (!value || !value->is_array()) return out;
    for (const json::value& element : value->get_array()) out.push_back(to_text(element));
    return out;
}

std::vector<std::string> Answer::names() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : *object_) out.emplace_back(key.data(), key.size());
    return out;
}

std::string raw_member(const server::Response& response, std::string_view name) {
    auto body = server::Body::parse(response.body, server::Origin::ours);
    if (!body) return {};
    const auto raw = body->raw(name);
    return raw && *raw != "null" ? std::string(*raw) : std::string();
}

}  // namespace pawl::cli
