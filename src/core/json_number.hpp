// Numbers in canonical JSON.
#pragma once

#include <string>
#include <string_view>

namespace pawl::core {

/// Appends the canonical form of `literal`, a number in valid JSON syntax. False, and nothing appended, when it is
/// beyond the largest double.
///
/// Written as an integer: digit for digit, at any length (a 64-bit id must not lose its last digits; this is our one
/// extension of RFC 8785). With a fraction or an exponent: the nearest double, in the shortest form of ECMAScript.
/// A negative zero is 0; what is too small for a double is 0.
bool append_canonical_number(std::string& out, std::string_view literal);

/// Appends `value` as ECMAScript prints it. Requires: finite.
void append_number(std::string& out, double value);

}  // namespace pawl::core
