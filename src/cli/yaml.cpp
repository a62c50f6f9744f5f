#include "cli/yaml.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace pawl::cli {
namespace {

// YAML wants a longer key announced.
constexpr std::size_t simple_key_max = 1'000;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A key that no version of YAML takes for anything but its text. `quoted` has its quotes.
bool is_plain_key(std::string_view quoted) {
    const std::string_view key = quoted.substr(1, quoted.size() - 2);
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto is_later = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; };
    if (key.empty() || !is_letter(key.front()) || !std::all_of(key.begin(), key.end(), is_later)) return false;
    std::string lower(key);
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    constexpr std::array<std::string_view, 9> words{"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    return std::find(words.begin(), words.end(), lower) == words.end();
}

// The unit after a `\u`, which stands at `at`; 0 when there is none.
std::uint32_t unit_at(std::string_view text, std::size_t at) {
    std::uint32_t unit = 0;
    if (at + 6 <= text.size() && text[at] == '\\' && text[at + 1] == 'u')
        std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
    return unit;
}

// JSON writes a character beyond U+FFFF as two escapes, YAML as one.
std::string joined_surrogates(std::string_view quoted) {
    std::string out;
    for (std::size_t at = 0; at < quoted.size();) {
        if (quoted[at] != '\\') {
            out += quoted[at++];
            continue;
        }
        const std::uint32_t high = unit_at(quoted, at), low = unit_at(quoted, at + 6);
        if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            char escape[11];
            std::snprintf(escape, sizeof escape, "\\U%08x", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            out += escape;
            at += 12;
        } else {
            out += quoted.substr(at, 2);  // the escaped character, which may be a backslash, goes along
            at += 2;
        }
    }
    return out;
}

class Writer {
public:
    explicit Writer(std::string_view json) : in_(json) {}

    std::string document() {
        out_ = "---";
        value(0, false);
        return std::move(out_);
    }

private:
    char next() {
        while (at_ < in_.size() && is_space(in_[at_])) ++at_;
        PAWL_ASSERT(at_ < in_.size());
        return in_[at_];
    }

    bool took(char c) {
        if (next() != c) return false;
        ++at_;
        return true;
    }

    std::string scalar() {
        const bool quoted = next() == '"';
        const std::size_t begin = at_;
        if (quoted) {
            for (++at_; in_[at_] != '"'; ++at_)
                if (in_[at_] == '\\') ++at_;
            ++at_;
            return joined_surrogates(in_.substr(begin, at_ - begin));
        }
        while (at_ < in_.size() && !is_space(in_[at_]) && in_[at_] != ',' && in_[at_] != ']' && in_[at_] != '}') ++at_;
        return std::string(in_.substr(begin, at_ - begin));
    }

    // After `---`, a key's colon or an element's dash; only after a dash may a block begin on the same line.
    void value(std::size_t indent, bool after_dash) {
        if (next() != '{' && next() != '[') {
            out_ += ' ' + scalar() + '\n';
            return;
        }
        const bool is_object = took('{');
        if (!is_object) ++at_;
        const char end = is_object ? '}' : ']';
        if (took(end)) {
            out_ += is_object ? " {}\n" : " []\n";
            return;
        }
        out_ += after_dash ? ' ' : '\n';
        bool is_first = true;
        do {
            if (!is_first || !after_dash) out_.append(indent, ' ');
            is_first = false;
            if (is_object) key(indent);
            else out_ += '-';
            value(indent + 2, !is_object);
        } while (took(','));
        PAWL_ASSERT(took(end));
    }

    void key(std::size_t indent) {
        const std::string quoted = scalar();
        PAWL_ASSERT(took(':'));
        if (quoted.size() > simple_key_max) {
            out_ += "? " + quoted + '\n';
            out_.append(indent, ' ');
        } else {
            out_ += is_plain_key(quoted) ? quoted.substr(1, quoted.size() - 2) : quoted;
        }
        out_ += ':';
    }

    std::string_view in_;
    std::size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string yaml_of(std::string_view json) { return Writer(json).document(); }

}  // namespace pawl::cli
