#include "core/canonical_json.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <random>

using namespace pawl;
using namespace pawl::core;

namespace {

std::string canonical(std::string_view text) {
    auto result = canonical_json(text, 64 * limits::mib);
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : std::string("(refused)");
}

std::string refusal(std::string_view text) {
    const auto result = canonical_json(text, 64 * limits::mib);
    const auto checked = check_json(text, 64 * limits::mib);
    EXPECT_FALSE(result) << text.substr(0, 80) << " gave " << result->substr(0, 80);
    if (result) return "";
    EXPECT_EQ(result.error().code, Errc::bad_input);
    EXPECT_EQ(checked.error(), result.error()) << "check_json keeps the same rules";
    return result.error().message;
}

// Equal but for what Boost's quick parser rounds in the last digit.
bool same(const boost::json::value& a, const boost::json::value& b) {
    if (a.is_number() && b.is_number()) {
        const auto x = a.to_number<double>(), y = b.to_number<double>();
        return std::fabs(x - y) <= std::fabs(y) * 1e-14;
    }
    if (a.kind() != b.kind()) return false;
    if (a.is_array()) {
        return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(), same);
    }
    if (!a.is_object()) return a == b;
    return a.get_object().size() == b.get_object().size() &&
           std::all_of(a.get_object().begin(), a.get_object().end(), [&](const auto& member) {
               const auto* other = b.get_object().if_contains(member.key());
               return other && same(member.value(), *other);
           });
}

// Random values, written in as many ways as JSON allows.
class Documents {
public:
    explicit Documents(unsigned seed) : random_(seed) {}

    boost::json::value value(int depth = 0) {
        switch (below(depth < 5 ? 8 : 6)) {
            case 0:
                return nullptr;
            case 1:
                return below(2) == 0;
            case 2:
                return static_cast<std::int64_t>(random_()) >> below(64);
            case 3:
                return number();
            case 4:
            case 5:
                return boost::json::string(text());
            case 6: {
                boost::json::array items;
                for (auto n = below(5); n > 0; --n) items.push_back(value(depth + 1));
                return items;
            }
            default: {
                boost::json::object members;
                for (auto n = below(6); n > 0; --n) members[text()] = value(depth + 1);
                return members;
            }
        }
    }

    // One of the many texts of `v`: members in any order, white space anywhere, needless escapes.
    std::string written(const boost::json::value& v) {
        std::string out = space();
        if (v.is_object()) {
            std::vector<const boost::json::key_value_pair*> members;
            for (const auto& member : v.get_object()) members.push_back(&member);
            std::shuffle(members.begin(), members.end(), random_);
            out += '{';
            for (std::size_t i = 0; i < members.size(); ++i) {
                out += (i ? "," : "") + space() + written_string(members[i]->key()) + space() + ":";
                out += written(members[i]->value());
            }
            out += space() + "}";
        } else if (v.is_array()) {
            out += '[';
            for (std::size_t i = 0; i < v.get_array().size(); ++i) out += (i ? "," : "") + written(v.get_array()[i]);
            out += space() + "]";
        } else if (v.is_string()) {
            out += written_string(v.get_string());
        } else {
            out += boost::json::serialize(v);
        }
        return out + space();
    }

    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    std::mt19937_64& random() { return random_; }

private:
    double number() {
        for (;;) {
            const std::uint64_t bits = random_();
            double value = 0;
            std::memcpy(&value, &bits, sizeof value);
            if (std::isfinite(value)) return value;
        }
    }

    std::string text() {
        static const std::vector<std::string> pieces{
            "a", "b", "Z",      "\"",     "\\", "/", "\n", std::string(1, '\0'), "\x1f", "\x7f",
            "ö", "€", "\uE000", "\uFFFD", "😀",  "𐀀", "0"};
        std::string out;
        for (auto n = below(6); n > 0; --n) out += pieces[below(pieces.size())];
        return out;
    }

    std::string written_string(std::string_view value) {
        std::string out = "\"";
        const std::string plain = boost::json::serialize(boost::json::string(value));
        for (std::size_t i = 1; i + 1 < plain.size(); ++i) {
            const char c = plain[i];
            char escape[8];
            if (c == '\\') {
                const std::size_t escaped = plain[i + 1] == 'u' ? 6 : 2;
                out += plain.substr(i, escaped);
                i += escaped - 1;
            } else if (static_cast<unsigned char>(c) < 0x80 && below(4) == 0) {
                std::snprintf(escape, sizeof escape, below(2) ? "\\u%04x" : "\\u%04X", c);
                out += escape;
            } else {
                out += c;
            }
        }
        return out + "\"";
    }

    std::string space() {
        static const std::vector<std::string> kinds{"", "", "", " ", "\n", "\t\r\n  "};
        return kinds[below(kinds.size())];
    }

    std::mt19937_64 random_;
};

}  // namespace

TEST(CanonicalJson, TheExamplesOfTheStandardComeOutAsItSays) {
    EXPECT_EQ(canonical("{\n \"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],\n"
                        " \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
                        " \"literals\": [null, true, false]\n}"),
              "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
              "\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    EXPECT_EQ(
        canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}"),
        "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\uFB33\":3}");
}

TEST(CanonicalJson, DoublesPrintAsEcmaScriptDoes) {
    const std::pair<const char*, const char*> cases[] = {
        {"0.0", "0"},
        {"-0.0", "0"},
        {"5e-324", "5e-324"},
        {"-5e-324", "-5e-324"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"9007199254740992.0", "9007199254740992"},
        {"295147905179352830000.0", "295147905179352830000"},
        {"9.999999999999997e22", "9.999999999999997e+22"},
        {"1.0e23", "1e+23"},
        {"1.0000000000000001e23", "1.0000000000000001e+23"},
        {"999999999999999700000.0", "999999999999999700000"},
        {"1e21", "1e+21"},
        {"999999999999999999999e0", "1e+21"},
        {"9.999999999999997e-7", "9.999999999999997e-7"},
        {"0.000001", "0.000001"},
        {"1e-7", "1e-7"},
        {"333333333.33333325", "333333333.33333325"},
        {"-0.0000033333333333333333", "-0.0000033333333333333333"},
        {"1424953923781206.25", "1424953923781206.2"},
        {"1e2", "100"},
        {"12.50e1", "125"},
        {"1E0", "1"},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(canonical(text), expected) << text;
}

TEST(CanonicalJson, IntegersEnterDigitForDigitAtAnyLength) {
    const std::string long_one = "9" + std::string(399, '7');
    for (const std::string& text :
         {std::string("0"), std::string("-1"), std::string("9007199254740992"), std::string("9007199254740993"),
          std::string("-9007199254740993"), std::string("18446744073709551616"), long_one, "-" + long_one}) {
        EXPECT_EQ(canonical(text), text);
        EXPECT_EQ(canonical("[" + text + "]"), "[" + text + "]");
    }
    EXPECT_EQ(canonical("-0"), "0");
}

TEST(CanonicalJson, NumbersTooSmallAreZeroAndNumbersTooLargeAreRefused) {
    for (const auto* text : {"1e-400", "-1e-400", "2e-324", "0e999999999999999999999", "1e-99999999999999999999999",
                             "0.00000000001e-320"}) {
        EXPECT_EQ(canonical(text), "0") << text;
    }
    EXPECT_EQ(canonical("0." + std::string(500, '0') + "1e501"), "1");
    EXPECT_EQ(canonical("1" + std::string(500, '0') + "e-500"), "1");
    EXPECT_EQ(canonical("3e-324"), "5e-324");
    for (const std::string& text : std::vector<std::string>{"1e400", "-1e400", "1.7976931348623159e308",
                                                            "1e99999999999999999999999", "0.0000000000000000001e400"}) {
        EXPECT_NE(refusal("[" + text + "]").find("at byte 1: a number beyond 1.797"), std::string::npos) << text;
    }
    refusal("1" + std::string(400, '0') + ".0");
}

TEST(CanonicalJson, EveryRandomDoubleReadsBackAsItself) {
    std::mt19937_64 random(11);
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t bits = random();
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        if (!std::isfinite(value)) continue;
        char literal[64];
        std::snprintf(literal, sizeof literal, "%.17e", value);
        const std::string text = canonical(literal);
        ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << literal;
        ASSERT_EQ(canonical(text), text);
        ASSERT_LE(text.size(), 25u) << text;
    }
}

TEST(CanonicalJson, RandomDocumentsAreCanonicalAfterOnePassAndInEverySpelling) {
    for (unsigned seed = 0; seed < 3'000; ++seed) {
        Documents documents(seed);
        const boost::json::value value = documents.value();
        const std::string first = canonical(documents.written(value));
        ASSERT_EQ(canonical(first), first) << "seed " << seed;
        ASSERT_EQ(canonical(documents.written(value)), first) << "seed " << seed;
        ASSERT_TRUE(check_json(first));
    }
}

TEST(CanonicalJson, RandomDocumentsKeepTheirValue) {
    for (unsigned seed = 0; seed < 1'000; ++seed) {
        Documents documents(seed);
        const boost::json::value value = documents.value();
        const std::string text = canonical(documents.written(value));
        ASSERT_TRUE(same(boost::json::parse(text), value)) << "seed " << seed << ": " << text;
    }
}

TEST(CanonicalJson, AChangedOrCutByteIsRefusedOrGivesCanonicalTextAgain) {
    std::size_t refused = 0;
    for (unsigned seed = 0; seed < 3'000; ++seed) {
        Documents documents(seed);
        std::string text = documents.written(documents.value());
        if (documents.below(3) == 0) text.resize(documents.below(text.size() + 1));
        for (auto n = documents.below(3); n > 0 && !text.empty(); --n) {
            text[documents.below(text.size())] = static_cast<char>(documents.random()());
        }
        const auto result = canonical_json(text);
        if (result) {
            ASSERT_EQ(canonical(*result), *result) << "seed " << seed;
        } else {
            ++refused;
            ASSERT_NE(result.error().message.find("at byte "), std::string::npos);
        }
    }
    EXPECT_GT(refused, 500u);
}

TEST(CanonicalJson, TheRefusalNamesThePlaceAndWhatWasExpected) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "at byte 0: expected a value, the text ends"},
        {"  ", "at byte 2: expected a value, the text ends"},
        {"{\"a\":1", "at byte 6: expected ',' or '}', the text ends"},
        {"[1 2]", "at byte 3: expected ',' or ']', found \"2\""},
        {"[1,]", "at byte 3: expected a value, found \"]\""},
        {"{\"a\":1,}", "at byte 7: expected a key in double quotes, found \"}\""},
        {"{a:1}", "at byte 1: expected a key in double quotes, found \"a\""},
        {"{\"a\" 1}", "at byte 5: expected ':' after the key, found \"1\""},
        {"[1}", "at byte 2: expected ',' or ']', found \"}\""},
        {"1 x", "at byte 2: expected the end of the text after one value, found \"x\""},
        {"{}{}", "at byte 2: expected the end of the text"},
        {"\"abc", "at byte 4: expected the closing '\"' of a string, the text ends"},
        {"NaN", "at byte 0: expected a value (NaN and Infinity are not JSON"},
        {"[Infinity]", "at byte 1: expected a value (NaN and Infinity are not JSON"},
        {"-Infinity", "at byte 1: expected a digit, found \"I\""},
        {"+1", "at byte 0: expected a value, found \"+\""},
        {"01", "at byte 0: a number with a leading zero"},
        {"-", "at byte 1: expected a digit, the text ends"},
        {"1.", "at byte 2: expected a digit, the text ends"},
        {".5", "at byte 0: expected a value"},
        {"1e", "at byte 2: expected a digit"},
        {"0x10", "at byte 1: expected the end of the text"},
        {"tru", "at byte 0: expected a value, found \"t\""},
        {"nulL", "at byte 0: expected a value"},
        {"\"\\x\"", "at byte 2: expected one of"},
        {"\"\\u12g4\"", "at byte 5: expected 4 hexadecimal digits"},
        {"'a'", "at byte 0: expected a value, found \"'\""},
        {"[1,//\n2]", "at byte 3: expected a value, found \"/\""},
        {"\xEF\xBB\xBF{}", "at byte 0: a byte order mark"},
        {"\"a\nb\"", "at byte 2: a raw control character"},
        {std::string_view("\"a\0b\"", 5), "at byte 2: a raw control character"},
        {std::string_view("1\0", 2), "at byte 1: expected the end of the text after one value, found \"\\u0000\""},
        {std::string_view("\0", 1), "at byte 0: expected a value, found \"\\u0000\""},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_NE(refusal(text).find(expected), std::string::npos) << text << ": " << refusal(text);
    }
}

TEST(CanonicalJson, InvalidUtf8AndLoneSurrogatesAreRefused) {
    for (const auto* text : {"\"\x80\"", "\"\xC0\x80\"", "\"\xC3\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                             "\"\xE0\x80\x80\"", "\"\xF0\x80\x80\x80\"", "\"\xFF\"", "\"\xE2\x82\"", "{\"\xFF\":1}"}) {
        EXPECT_NE(refusal(text).find("not UTF-8"), std::string::npos);
    }
    for (const auto* text : {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\ud800x")", R"("\ud83dA")"}) {
        EXPECT_NE(refusal(text).find("at byte 1: half of a surrogate pair"), std::string::npos) << text;
    }
    EXPECT_EQ(canonical(R"("\ud83d\uDE00")"), "\"😀\"");
}

TEST(CanonicalJson, AnEscapedNulIsData) {
    EXPECT_EQ(canonical(R"({"a\u0000":"\u0000b"})"), R"({"a\u0000":"\u0000b"})");
}

TEST(CanonicalJson, AKeyThatStandsTwiceIsRefusedInEverySpelling) {
    EXPECT_EQ(refusal(R"({"b":1,"a":2,"b":3})"), R"(invalid JSON at byte 13: the key "b" stands twice in one object)");
    EXPECT_NE(refusal(R"({"a":1,"a":1})").find("at byte 7"), std::string::npos);
    EXPECT_NE(refusal(R"([{"x":{"a":1,"\u0061":1}}])").find("stands twice"), std::string::npos);
    EXPECT_NE(refusal(R"({"":1,"":2})").find("stands twice"), std::string::npos);
    EXPECT_EQ(canonical(R"({"a":{"a":1},"b":[{"a":1},{"a":1}],"A":1})"),
              R"({"A":1,"a":{"a":1},"b":[{"a":1},{"a":1}]})");
}

TEST(CanonicalJson, SixtyFourLevelsAreFineAndMoreAreRefusedAtAnyDepth) {
    const auto nested = [](std::size_t depth, const std::string& open, const std::string& close) {
        std::string text;
        for (std::size_t i = 0; i < depth; ++i) text += open;
        text += "1";
        for (std::size_t i = 0; i < depth; ++i) text += close;
        return text;
    };
    EXPECT_EQ(canonical(nested(64, "[", "]")), nested(64, "[", "]"));
    EXPECT_EQ(canonical(nested(64, "{\"k\":", "}")), nested(64, "{\"k\":", "}"));
    for (const std::size_t depth : {65u, 1'000u, 100'000u}) {
        EXPECT_NE(refusal(nested(depth, "[", "]")).find("at byte 64: more than 64 levels"), std::string::npos);
        EXPECT_NE(refusal(nested(depth, "{\"k\":", "}")).find("more than 64 levels"), std::string::npos);
    }
    refusal(std::string(10'000'000, '['));
}

TEST(CanonicalJson, OneByteOverTheLimitIsTooLarge) {
    const std::string text = "\"" + std::string(limits::input_bytes_max - 2, 'x') + "\"";
    EXPECT_TRUE(canonical_json(text));
    const auto over = canonical_json(text + " ");
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code, Errc::too_large);
    EXPECT_NE(over.error().message.find("1048577 bytes, at most 1048576"), std::string::npos);
    EXPECT_EQ(check_json(text + " ").error().code, Errc::too_large);
}

TEST(CanonicalJson, ManyUnsortedKeysAreSortedByUtf16Units) {
    std::string text = "{", expected = "{";
    for (int i = 9'999; i >= 0; --i)
        text += "\"k" + std::to_string(10'000 + i) + "\":" + std::to_string(i) + (i ? "," : "}");
    for (int i = 0; i < 10'000; ++i) {
        expected += "\"k" + std::to_string(10'000 + i) + "\":" + std::to_string(i) + (i < 9'999 ? "," : "}");
    }
    EXPECT_EQ(canonical(text), expected);
}
