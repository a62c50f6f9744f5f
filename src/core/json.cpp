// The side of pawl/json.hpp that knows Boost.JSON, so that no public header does.
#include "core/json_string.hpp"
#include "core/utf8.hpp"

#include <pawl/json.hpp>

#include <boost/json.hpp>

#include <charconv>
#include <cmath>

namespace pawl {

namespace bj = boost::json;

namespace {

constexpr std::size_t depth_max = 64;

const bj::value& as_value(const void* v) { return *static_cast<const bj::value*>(v); }

}  // namespace

void JsonOut::integer(std::int64_t i) {
    separate();
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, i).ptr;
    text_.append(buffer, end);
}

void JsonOut::integer(std::uint64_t i) {
    separate();
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, i).ptr;
    text_.append(buffer, end);
}

void JsonOut::number(double d) {
    if (!std::isfinite(d)) throw JsonError("NaN and infinity cannot be stored: JSON has no such numbers");
    separate();
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, d).ptr;
    text_.append(buffer, end);
}

void JsonOut::string(std::string_view s) {
    const std::size_t invalid = core::first_invalid_utf8(s);
    if (invalid != s.size())
        throw JsonError("byte " + std::to_string(invalid) + " of a string is not UTF-8; store bytes as base64");
    separate();
    core::append_json_string(text_, s);
}

bool JsonIn::is_null() const { return as_value(value_).is_null(); }

bool JsonIn::boolean() const {
    const bool* b = as_value(value_).if_bool();
    if (!b) refuse("boolean");
    return *b;
}

std::int64_t JsonIn::integer() const {
    boost::system::error_code error;
    const auto i = as_value(value_).to_number<std::int64_t>(error);
    if (error) refuse("integer");
    return i;
}

std::uint64_t JsonIn::unsigned_integer() const {
    boost::system::error_code error;
    const auto i = as_value(value_).to_number<std::uint64_t>(error);
    if (error) refuse("integer that is not negative");
    return i;
}

double JsonIn::number() const {
    boost::system::error_code error;
    const auto d = as_value(value_).to_number<double>(error);
    if (error) refuse("number");
    return d;
}

std::string_view JsonIn::string() const {
    const bj::string* s = as_value(value_).if_string();
    if (!s) refuse("string");
    return {s->data(), s->size()};
}

std::size_t JsonIn::size() const {
    const bj::array* a = as_value(value_).if_array();
    if (!a) refuse("array");
    return a->size();
}

JsonIn JsonIn::at(std::size_t i) const { return {&as_value(value_).get_array()[i], path_ + "/" + std::to_string(i)}; }

std::optional<JsonIn> JsonIn::find(std::string_view key) const {
    const bj::object* o = as_value(value_).if_object();
    if (!o) refuse("object");
    const bj::value* member = o->if_contains({key.data(), key.size()});
    if (!member) return std::nullopt;
    std::string path;
    path.reserve(path_.size() + key.size() + 1);
    path.append(path_).append("/").append(key);
    return JsonIn{member, std::move(path)};
}

JsonIn JsonIn::need(std::string_view key) const {
    auto member = find(key);
    if (!member) throw JsonError(path_ + "/" + std::string(key) + ": missing");
    return *member;
}

std::vector<std::string> JsonIn::keys() const {
    const bj::object* o = as_value(value_).if_object();
    if (!o) refuse("object");
    std::vector<std::string> names;
    names.reserve(o->size());
    for (const auto& member : *o) names.emplace_back(member.key().data(), member.key().size());
    return names;
}

std::string JsonIn::text() const { return bj::serialize(as_value(value_)); }

void JsonIn::refuse(std::string_view expected) const {
    throw JsonError((path_.empty() ? "/" : path_) + ": expected " + std::string(expected));
}

// A small text parses into the inline buffer: no allocation for a typical step result.
struct JsonDoc::Impl {
    unsigned char buffer[1024];
    bj::monotonic_resource memory{buffer, sizeof buffer};
    std::optional<bj::value> value;  // emplaced by move: an assignment would copy out of `memory`
};

JsonDoc::JsonDoc(std::string_view text) : impl_(std::make_unique<Impl>()) {
    bj::parse_options options;
    options.max_depth = depth_max;
    boost::system::error_code error;
    unsigned char scratch[512];
    bj::parser parser(bj::storage_ptr{}, options, scratch);
    parser.reset(&impl_->memory);
    parser.write({text.data(), text.size()}, error);
    if (error) throw JsonError("not JSON: " + error.message());
    impl_->value.emplace(parser.release());
}

JsonDoc::~JsonDoc() = default;

JsonIn JsonDoc::root() const { return {&*impl_->value, ""}; }

}  // namespace pawl
