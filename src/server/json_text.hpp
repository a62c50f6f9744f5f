// Builds JSON text. Stored JSON (inputs, results) goes in as it is, so that numbers of any length stay digit for digit.
#pragma once

#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::server {

class JsonText {
public:
    JsonText& open(char bracket = '{');   ///< '{' or '['
    JsonText& close(char bracket = '}');  ///< '}' or ']'
    JsonText& name(std::string_view name);

    /// Values; within an object after name(). Text of invalid UTF-8 is shown with `\xNN` in place of each bad byte.
    JsonText& text(std::string_view value);
    JsonText& number(std::int64_t value);
    JsonText& boolean(bool value);
    JsonText& null();
    /// `json` must be JSON; anything else becomes a string, so that one bad row cannot spoil an answer.
    JsonText& raw(std::string_view json);

    JsonText& field(std::string_view n, std::string_view value) { return name(n).text(value); }
    JsonText& field(std::string_view n, const char* value) { return name(n).text(value); }
    JsonText& field(std::string_view n, std::int64_t value) { return name(n).number(value); }
    JsonText& field(std::string_view n, int value) { return name(n).number(value); }
    JsonText& field(std::string_view n, bool value) { return name(n).boolean(value); }
    JsonText& field(std::string_view n, core::Instant at);
    JsonText& field(std::string_view n, core::WallInstant at);
    /// Nothing becomes null.
    template <class T>
    JsonText& field(std::string_view n, const std::optional<T>& value) {
        return value ? field(n, *value) : name(n).null();
    }
    /// Empty becomes null.
    JsonText& raw_field(std::string_view n, std::string_view json);
    JsonText& text_or_null(std::string_view n, std::string_view value) {
        return value.empty() ? name(n).null() : name(n).text(value);
    }

    const std::string& str() const { return out_; }
    std::string take() { return std::move(out_); }

private:
    void separate();

    std::string out_;
    bool first_ = true;  ///< no value yet within the innermost bracket
};

/// An instant of the store as people and JSON see it: core::format_instant.
std::string format_time(core::Instant at);

/// Whether `text` is one JSON value, at most as deep as a stored value inside an answer may be.
bool is_json(std::string_view text);

}  // namespace pawl::server
