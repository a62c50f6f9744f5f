// One text for every JSON value, so that two spellings of one input have one fingerprint: RFC 8785.
#pragma once

#include "core/limits.hpp"

#include <pawl/result.hpp>

#include <string>
#include <string_view>

namespace pawl::core {

/// `text` without white space, object keys sorted (by UTF-16 code units), strings and numbers in one form each
/// (numbers: core/json_number.hpp). canonical_json(canonical_json(x)) == canonical_json(x).
///
/// Refused with bad_input, with the offset of the offending byte (counted from 0) and what was expected there:
/// anything but exactly one JSON value; invalid UTF-8, lone surrogates; raw control characters (an escaped \u0000 is
/// data); a key twice in one object; more than 64 levels; a number beyond the largest double. Longer than
/// `bytes_max`: too_large.
///
/// Time grows with the text's length, memory too; neither with anything it says.
Result<std::string> canonical_json(std::string_view text, std::size_t bytes_max = limits::input_bytes_max);

/// The same refusals without the answer.
Result<void> check_json(std::string_view text, std::size_t bytes_max = limits::input_bytes_max);

}  // namespace pawl::core
