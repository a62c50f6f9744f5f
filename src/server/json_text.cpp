#include "server/json_text.hpp"

#include "core/canonical_json.hpp"
#include "core/duration.hpp"
#include "core/json_string.hpp"
#include "core/utf8.hpp"

namespace pawl::server {

void JsonText::separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
}

JsonText& JsonText::open(char bracket) {
    separate();
    out_.push_back(bracket);
    first_ = true;
    return *this;
}

JsonText& JsonText::close(char bracket) {
    out_.push_back(bracket);
    first_ = false;
    return *this;
}

JsonText& JsonText::name(std::string_view name) {
    separate();
    core::append_json_string(out_, name);
    out_.push_back(':');
    first_ = true;  // the value that follows needs no comma
    return *this;
}

JsonText& JsonText::text(std::string_view value) {
    separate();
    if (core::first_invalid_utf8(value) == value.size()) {
        core::append_json_string(out_, value);
    } else {
        core::append_json_string(out_, core::valid_utf8(value));
    }
    return *this;
}

JsonText& JsonText::number(std::int64_t value) {
    separate();
    out_ += std::to_string(value);
    return *this;
}

JsonText& JsonText::boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
    return *this;
}

JsonText& JsonText::null() {
    separate();
    out_ += "null";
    return *this;
}

JsonText& JsonText::raw(std::string_view json) {
    if (!is_json(json)) return text(json);
    separate();
    out_ += json;
    return *this;
}

JsonText& JsonText::field(std::string_view n, core::Instant at) { return field(n, format_time(at)); }
JsonText& JsonText::field(std::string_view n, core::WallInstant at) { return field(n, core::format_instant(at)); }

JsonText& JsonText::raw_field(std::string_view n, std::string_view json) {
    return json.empty() ? name(n).null() : name(n).raw(json);
}

std::string format_time(core::Instant at) { return core::format_instant(core::wall_instant(core::count(at))); }

bool is_json(std::string_view text) { return core::check_json(text, text.size()).has_value(); }

}  // namespace pawl::server
