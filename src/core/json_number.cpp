#include "core/json_number.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace pawl::core {
namespace {

// Whether a literal that no double can hold is too large, not too small. Requires a digit other than zero.
bool is_beyond_largest(std::string_view literal) {
    const std::size_t mark = std::min(literal.find_first_of("eE"), literal.size());
    const std::string_view mantissa = literal.substr(0, mark);
    const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
    const auto first = static_cast<std::int64_t>(mantissa.find_first_of("123456789"));
    const std::int64_t leading = static_cast<std::int64_t>(point) - first;  // > 0: digits before the point

    // An exponent of a million digits counts as 10^15: more than any mantissa in memory could make up for.
    constexpr std::int64_t enough = 1'000'000'000'000'000;
    std::int64_t exponent = 0;
    std::size_t at = mark + 1;
    const bool negative = at < literal.size() && literal[at] == '-';
    for (; at < literal.size(); ++at) {
        if (literal[at] >= '0' && literal[at] <= '9') exponent = std::min(exponent * 10 + (literal[at] - '0'), enough);
    }
    return leading + (negative ? -exponent : exponent) > 0;
}

}  // namespace

void append_number(std::string& out, double value) {
    PAWL_ASSERT(std::isfinite(value));
    if (value == 0) {
        out.push_back('0');
        return;
    }
    // The digits: shortest that read back as the same double. Where the point goes is ECMAScript's Number::toString.
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific).ptr;
    const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    const std::size_t mark = text.find('e');
    int exponent = 0;
    const std::size_t sign = text[mark + 1] == '+' ? 1 : 0;  // from_chars takes '-' only
    std::from_chars(text.data() + mark + 1 + sign, end, exponent);

    std::string digits(1, text[0]);
    if (mark > 2) digits.append(text.substr(2, mark - 2));
    const auto count = static_cast<int>(digits.size());
    const int point = exponent + 1;  // digits before the point

    if (value < 0) out.push_back('-');
    if (count <= point && point <= 21) {
        out.append(digits).append(static_cast<std::size_t>(point - count), '0');
    } else if (0 < point && point <= 21) {
        const auto before = static_cast<std::size_t>(point);
        out.append(digits, 0, before).append(1, '.').append(digits, before, std::string::npos);
    } else if (-6 < point && point <= 0) {
        out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
    } else {
        out.push_back(digits[0]);
        if (count > 1) out.append(1, '.').append(digits, 1, std::string::npos);
        out.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
    }
}

bool append_canonical_number(std::string& out, std::string_view literal) {
    if (literal.find_first_of(".eE") == std::string_view::npos) {
        out.append(literal == "-0" ? "0" : literal);
        return true;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(literal.data(), literal.data() + literal.size(), value);
    PAWL_ASSERT(end == literal.data() + literal.size());
    if (error == std::errc::result_out_of_range) {
        if (is_beyond_largest(literal)) return false;
        value = 0;
    }
    append_number(out, value);
    return true;
}

}  // namespace pawl::core
