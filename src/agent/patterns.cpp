#include "agent/patterns.hpp"

#include "core/shown.hpp"

#include <re2/re2.h>

#include <stdexcept>

namespace pawl::agent {

namespace {

// JSON Schema has the patterns of JavaScript: \u00e9 there is \x{00e9} here.
std::string translated(std::string_view pattern) {
    std::string out;
    for (std::size_t at = 0; at < pattern.size(); at++) {
        if (pattern[at] != '\\' || at + 1 == pattern.size()) {
            out += pattern[at];
            continue;
        }
        const std::string_view digits = pattern.substr(at + 2).substr(0, 4);
        const bool is_hex = digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == digits.npos;
        if (pattern[at + 1] == 'u' && is_hex) {
            out.append("\\x{").append(digits).append("}");
            at += 5;
        } else {
            out.append(pattern.substr(at++, 2));
        }
    }
    return out;
}

}  // namespace

Patterns::Patterns() = default;
Patterns::~Patterns() = default;

Result<void> Patterns::compile(const std::string& pattern) {
    auto& known = compiled_[pattern];
    if (!known) {
        re2::RE2::Options options;
        options.set_log_errors(false);
        known = std::make_unique<re2::RE2>(translated(pattern), options);
    }
    if (known->ok()) return {};
    return Error{Errc::bad_input, "the pattern " + core::shown(pattern, 120) + " cannot be used: " + known->error() +
                                      "; there is no look-ahead, look-behind or back reference"};
}

bool Patterns::occurs(const std::string& pattern, std::string_view text) {
    if (const auto usable = compile(pattern); !usable) throw std::runtime_error(usable.error().message);
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_[pattern]);
}

}  // namespace pawl::agent
