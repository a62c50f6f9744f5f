#include "core/canonical_json.hpp"

#include "core/assert.hpp"
#include "core/json_number.hpp"
#include "core/json_string.hpp"
#include "core/shown.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace pawl::core {
namespace {

// A member of an object that is being read. Its canonical text already stands in the output, in input order.
struct Member {
    std::size_t key_at;  // in the input, for messages
    bool key_decoded;    // the key's bytes are in decoded_, else in the input itself
    std::size_t key_begin, key_bytes;
    std::size_t text_begin, text_end = 0;  // "key":value in the output
};

// An array or object that is being read.
struct Level {
    bool is_object;
    bool sorted = true;             // so far each key was greater than the one before it
    std::size_t members_begin = 0;  // its first one in members_
    std::size_t decoded_begin = 0;
};

// UTF-8 sorts as UTF-16 does, but for one case: code points from U+10000 on (first byte F0 to F4) are surrogate
// pairs in UTF-16 and so sort before U+E000 to U+FFFF (first byte EE, EF).
int utf16_rank(char c) {
    const int byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x100 : byte;
}

int compare_utf16(std::string_view a, std::string_view b) {
    const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (in_a == a.end() || in_b == b.end())
        return static_cast<int>(in_a != a.end()) - static_cast<int>(in_b != b.end());
    return utf16_rank(*in_a) - utf16_rank(*in_b);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads once from left to right and writes canonical text as it goes; an object whose keys came unsorted is
// rearranged when it closes. Iterative: depth costs a Level, never a stack frame.
class Canonicalizer {
public:
    explicit Canonicalizer(std::string_view text) : text_(text) {
        out_.reserve(text.size());
        members_.reserve(16);
    }

    // False: `error` says why.
    bool read() {
        if (text_.starts_with("\xEF\xBB\xBF")) return fail(0, "a byte order mark; JSON starts without one");
        for (;;) {
            bool opened = false;
            if (!read_value(opened)) return false;
            if (opened) continue;
            bool another = false;
            if (!close_or_go_on(another)) return false;
            if (!another) return true;
        }
    }

    std::string out() { return std::move(out_); }
    Error error() { return {Errc::bad_input, std::move(message_)}; }

private:
    bool fail(std::size_t at, std::string_view what) {
        message_ = "invalid JSON at byte " + std::to_string(at) + ": " + std::string(what);
        return false;
    }

    bool fail_expected(std::string_view expected) {
        const std::string found = at_ >= text_.size() ? "the text ends" : "found " + shown(found_here());
        return fail(at_, "expected " + std::string(expected) + ", " + found);
    }

    std::string_view found_here() const {
        const std::size_t bytes = code_point_at(text_, at_).bytes;
        return text_.substr(at_, std::max<std::size_t>(bytes, 1));
    }

    bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }

    void skip_space() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
            ++at_;
        }
    }

    // Reads a value; of a container that is not empty only its start (`opened`), up to where its first value begins.
    bool read_value(bool& opened) {
        skip_space();
        if (at_ >= text_.size()) return fail_expected("a value");
        switch (text_[at_]) {
            case '{':
            case '[':
                return open(opened);
            case '"':
                return read_string(nullptr);
            case 't':
                return read_word("true");
            case 'f':
                return read_word("false");
            case 'n':
                return read_word("null");
            case 'N':
            case 'I':
                return fail_expected("a value (NaN and Infinity are not JSON; send null or a string)");
            default:
                if (text_[at_] == '-' || is_digit(text_[at_])) return read_number();
                return fail_expected("a value");
        }
    }

    bool open(bool& opened) {
        if (depth_ == levels_.size()) {
            return fail(at_, "more than " + std::to_string(levels_.size()) + " levels of nesting; flatten the value");
        }
        const bool is_object = text_[at_] == '{';
        levels_[depth_++] = {is_object, true, members_.size(), decoded_.size()};
        out_.push_back(text_[at_++]);
        skip_space();
        if (next_is(is_object ? '}' : ']')) return true;  // closed by close_or_go_on
        opened = true;
        return !is_object || read_key();
    }

    // After a value: closes every container that ends here, then reads up to the next value, if there is one.
    bool close_or_go_on(bool& another) {
        while (depth_ > 0) {
            Level& level = levels_[depth_ - 1];
            skip_space();
            const bool empty = out_.back() == '{';  // no value ends so: the object has just been opened
            if (level.is_object && !empty) members_.back().text_end = out_.size();
            if (next_is(level.is_object ? '}' : ']')) {
                if (level.is_object && !close_object(level)) return false;
                out_.push_back(text_[at_++]);
                --depth_;
                continue;
            }
            if (!next_is(',')) return fail_expected(level.is_object ? "',' or '}'" : "',' or ']'");
            out_.push_back(',');
            ++at_;
            another = true;
            if (!level.is_object) return true;
            skip_space();
            return read_key();
        }
        skip_space();
        return at_ == text_.size() || fail_expected("the end of the text after one value");
    }

    bool read_key() {
        if (!next_is('"')) return fail_expected("a key in double quotes");
        Member member{at_, false, 0, 0, out_.size()};
        if (!read_string(&member)) return false;
        skip_space();
        if (!next_is(':')) return fail_expected("':' after the key");
        ++at_;
        out_.push_back(':');

        Level& level = levels_[depth_ - 1];
        if (level.sorted && members_.size() > level.members_begin) {
            level.sorted = compare_utf16(key(members_.back()), key(member)) < 0;
        }
        members_.push_back(member);
        return true;
    }

    std::string_view key(const Member& m) const {
        return (m.key_decoded ? std::string_view(decoded_) : text_).substr(m.key_begin, m.key_bytes);
    }

    bool close_object(Level& level) {
        const auto first = members_.begin() + static_cast<std::ptrdiff_t>(level.members_begin);
        if (!level.sorted && !sort_members(first)) return false;
        members_.erase(first, members_.end());
        decoded_.resize(level.decoded_begin);
        return true;
    }

    // Puts the newest object's members, from `first` to the last one, in order.
    bool sort_members(std::vector<Member>::iterator first) {
        const std::size_t begin = first->text_begin;
        std::sort(first, members_.end(), [&](const Member& a, const Member& b) {
            const int order = compare_utf16(key(a), key(b));
            return order != 0 ? order < 0 : a.key_at < b.key_at;
        });
        const auto twice = std::adjacent_find(first, members_.end(),
                                              [&](const Member& a, const Member& b) { return key(a) == key(b); });
        if (twice != members_.end()) {
            return fail((twice + 1)->key_at, "the key " + shown(key(*twice)) + " stands twice in one object");
        }
        scratch_.clear();
        for (auto m = first; m != members_.end(); ++m) {
            if (m != first) scratch_.push_back(',');
            scratch_.append(out_, m->text_begin, m->text_end - m->text_begin);
        }
        PAWL_ASSERT(begin + scratch_.size() == out_.size());
        out_.replace(begin, scratch_.size(), scratch_);
        return true;
    }

    bool read_word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return fail_expected("a value");
        out_.append(word);
        at_ += word.size();
        return true;
    }

    bool read_number() {
        const std::size_t begin = at_;
        if (next_is('-')) ++at_;
        if (next_is('0')) {
            ++at_;
            if (at_ < text_.size() && is_digit(text_[at_])) return fail(begin, "a number with a leading zero");
        } else if (!read_digits()) {
            return false;
        }
        if (next_is('.')) {
            ++at_;
            if (!read_digits()) return false;
        }
        if (next_is('e') || next_is('E')) {
            ++at_;
            if (next_is('+') || next_is('-')) ++at_;
            if (!read_digits()) return false;
        }
        if (append_canonical_number(out_, text_.substr(begin, at_ - begin))) return true;
        return fail(begin, "a number beyond 1.7976931348623157e308; send it as a string");
    }

    bool read_digits() {
        if (at_ >= text_.size() || !is_digit(text_[at_])) return fail_expected("a digit");
        while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
        return true;
    }

    // Reads a string and writes its canonical form; of a key it also notes where the decoded bytes are.
    bool read_string(Member* as_key) {
        const std::size_t begin = ++at_;
        if (!skip_plain()) return false;
        if (next_is('"')) {  // no escape: the text is the value, and canonical as it stands
            out_.append(text_.substr(begin - 1, at_ + 2 - begin));
            if (as_key) as_key->key_begin = begin, as_key->key_bytes = at_ - begin;
            ++at_;
            return true;
        }
        const std::size_t decoded_begin = decoded_.size();
        decoded_.append(text_.substr(begin, at_ - begin));
        while (!next_is('"')) {
            if (!read_escape()) return false;
            const std::size_t plain = at_;
            if (!skip_plain()) return false;
            decoded_.append(text_.substr(plain, at_ - plain));
        }
        ++at_;
        append_json_string(out_, std::string_view(decoded_).substr(decoded_begin));
        if (as_key) {
            as_key->key_decoded = true;
            as_key->key_begin = decoded_begin;
            as_key->key_bytes = decoded_.size() - decoded_begin;
        } else {
            decoded_.resize(decoded_begin);
        }
        return true;
    }

    // To the next '"' or '\'.
    bool skip_plain() {
        for (; at_ < text_.size(); ++at_) {
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"' || c == '\\') return true;
            if (c < 0x20) return fail(at_, "a raw control character in a string; escape it as \\u00XX");
            if (c < 0x80) continue;
            const std::size_t bytes = code_point_at(text_, at_).bytes;
            if (bytes == 0) return fail(at_, "a byte that is not UTF-8 (" + shown(text_.substr(at_, 1)) + ")");
            at_ += bytes - 1;
        }
        return fail_expected("the closing '\"' of a string");
    }

    bool read_escape() {
        const std::size_t begin = at_++;
        constexpr std::string_view names = "\"\\/bfnrt";
        constexpr std::string_view values = "\"\\/\b\f\n\r\t";
        const char name = at_ < text_.size() ? text_[at_] : '\0';
        if (const auto i = names.find(name); i != std::string_view::npos) {
            decoded_.push_back(values[i]);
            ++at_;
            return true;
        }
        if (name != 'u') return fail_expected("one of \" \\ / b f n r t u after '\\'");
        ++at_;
        char32_t c = 0;
        if (!read_hex4(c)) return false;
        if (c >= 0xD800 && c <= 0xDFFF) {
            char32_t low = 0;
            const bool paired = c <= 0xDBFF && text_.substr(at_, 2) == "\\u";
            if (!paired) return fail(begin, "half of a surrogate pair; it is no character");
            at_ += 2;
            if (!read_hex4(low)) return false;
            if (low < 0xDC00 || low > 0xDFFF) return fail(begin, "half of a surrogate pair; it is no character");
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(decoded_, c);
        return true;
    }

    bool read_hex4(char32_t& value) {
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = at_ < text_.size() ? text_[at_] : '\0';
            const char lower = static_cast<char>(c | 0x20);
            if (is_digit(c)) {
                value = value * 16 + static_cast<char32_t>(c - '0');
            } else if (lower >= 'a' && lower <= 'f') {
                value = value * 16 + static_cast<char32_t>(lower - 'a' + 10);
            } else {
                return fail_expected("4 hexadecimal digits after \\u");
            }
        }
        return true;
    }

    const std::string_view text_;
    std::size_t at_ = 0;
    std::string out_;
    std::string message_;
    std::array<Level, limits::json_depth_max> levels_;
    std::size_t depth_ = 0;
    std::vector<Member> members_;  // of all open objects, the innermost's last
    std::string decoded_;          // keys with escapes, of all open objects
    std::string scratch_;
};

Result<void> check_size(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return {};
    return Error{Errc::too_large, "JSON of " + std::to_string(text.size()) + " bytes, at most " +
                                      std::to_string(bytes_max) +
                                      " are allowed; store it elsewhere and send a reference"};
}

}  // namespace

Result<std::string> canonical_json(std::string_view text, std::size_t bytes_max) {
    if (auto fits = check_size(text, bytes_max); !fits) return fits.error();
    Canonicalizer canonicalizer(text);
    if (!canonicalizer.read()) return canonicalizer.error();
    return canonicalizer.out();
}

Result<void> check_json(std::string_view text, std::size_t bytes_max) {
    auto canonical = canonical_json(text, bytes_max);
    if (!canonical) return canonical.error();
    return {};
}

}  // namespace pawl::core
