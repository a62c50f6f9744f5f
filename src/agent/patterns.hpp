// The patterns of JSON Schemas, matched in time that grows with the text only: the text is a model's.
#pragma once

#include <pawl/result.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace pawl::agent {

/// Compiled once each. One thread.
class Patterns {
public:
    Patterns();
    ~Patterns();
    Patterns(const Patterns&) = delete;
    Patterns& operator=(const Patterns&) = delete;

    /// Whether a pattern can be used: look-ahead, look-behind and back references cannot. Errors: bad_input.
    Result<void> compile(const std::string& pattern);

    /// Whether `pattern` occurs somewhere in `text`. Throws std::runtime_error when it cannot be used.
    bool occurs(const std::string& pattern, std::string_view text);

private:
    std::map<std::string, std::unique_ptr<re2::RE2>> compiled_;
};

}  // namespace pawl::agent
