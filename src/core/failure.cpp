// How a failure stands in a store: JSON that any reader can show, whatever bytes the message was made of.
#include "core/journal.hpp"
#include "core/json_string.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"

#include <boost/json.hpp>

namespace pawl::core {
namespace {

namespace json = boost::json;

std::string_view class_name(ErrorClass cls) {
    switch (cls) {
        case ErrorClass::retryable:
            return "retryable";
        case ErrorClass::final:
            return "final";
        case ErrorClass::unknown:
            return "unknown";
    }
    return "final";
}

std::optional<ErrorClass> class_from_name(std::string_view name) {
    for (const ErrorClass cls : {ErrorClass::retryable, ErrorClass::final, ErrorClass::unknown}) {
        if (class_name(cls) == name) return cls;
    }
    return std::nullopt;
}

// A message within the limit, valid UTF-8, that says so when something was cut off.
std::string storable(std::string_view message) {
    // Cut first: 1 GiB of a tool's garbage must not be copied and escaped to keep 16 KiB of it.
    std::string text = valid_utf8(utf8_prefix(message, limits::error_bytes_max));
    if (message.size() <= limits::error_bytes_max && text.size() <= limits::error_bytes_max) return text;

    const std::string mark = " ... [cut, " + std::to_string(message.size()) + " bytes in all]";
    text.resize(utf8_prefix(text, limits::error_bytes_max - mark.size()).size());
    return text + mark;
}

bool read_member(const json::object& object, std::string_view name, std::string& into) {
    const json::value* member = object.if_contains(name);
    if (!member || !member->is_string()) return false;
    into.assign(member->get_string().data(), member->get_string().size());
    return true;
}

void append_asked(std::string& out, const Asked& asked) {
    const auto member = [&out](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        if (out.back() != '{') out += ',';
        append_json_string(out, name);
        out += ':';
        append_json_string(out, storable(value));
    };
    member("by", asked.by);
    member("request", asked.request);
    member("note", asked.note);
}

}  // namespace

std::string encode_failure(const Failure& failure) {
    std::string out = "{\"class\":";
    append_json_string(out, class_name(failure.cls));
    out += ",\"code\":";
    append_json_string(out, to_string(failure.code));
    out += ",\"message\":";
    append_json_string(out, storable(failure.message));
    if (failure.happened) out += ",\"happened\":true";
    append_asked(out, failure.asked);
    out += '}';
    return out;
}

std::string encode_asked(const Asked& asked) {
    std::string out = "{";
    append_asked(out, asked);
    out += '}';
    return out;
}

std::string encode_decision(bool approved, const Asked& asked) {
    json::object decision;
    decision["approved"] = approved;
    decision["by"] = asked.by;
    decision["comment"] = asked.note;
    return json::serialize(decision);
}

Asked decode_asked(std::string_view text) {
    Asked asked;
    boost::system::error_code failed;
    const json::value parsed = json::parse(text, failed);
    if (failed || !parsed.is_object()) return asked;
    read_member(parsed.get_object(), "by", asked.by);
    read_member(parsed.get_object(), "request", asked.request);
    read_member(parsed.get_object(), "note", asked.note);
    return asked;
}

std::string text_of(const Asked& asked) {
    std::string text;
    if (!asked.by.empty()) text = "by " + asked.by;
    if (!asked.request.empty()) text += (text.empty() ? "(request " : " (request ") + asked.request + ")";
    if (!asked.note.empty()) text += (text.empty() ? "" : ": ") + asked.note;
    return text;
}

Failure decode_failure(std::string_view text) {
    const Failure foreign{ErrorClass::final, Errc::step_failed, std::string(text)};

    boost::system::error_code failed;
    const json::value parsed = json::parse(text, failed);
    if (failed || !parsed.is_object()) return foreign;

    std::string cls, code, message;
    const json::object& object = parsed.get_object();
    if (!read_member(object, "class", cls) || !read_member(object, "code", code) ||
        !read_member(object, "message", message)) {
        return foreign;
    }
    const auto known = class_from_name(cls);
    if (!known) return foreign;
    const json::value* happened = object.if_contains("happened");
    return {*known, errc_from_string(code), std::move(message),
            happened != nullptr && happened->is_bool() && happened->get_bool(), decode_asked(text)};
}

}  // namespace pawl::core
