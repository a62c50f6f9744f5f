// SHA-256, the only hash that is stored: fingerprints, step keys, blobs.
#pragma once

#include "core/task_row.hpp"

#include <string>
#include <string_view>

namespace pawl::core {

Hash sha256(std::string_view bytes);

/// Lower case hexadecimal.
std::string to_hex(std::string_view bytes);
std::string to_hex(const Hash& hash);

/// Appends `part` with its length before it, so that ("ab", "c") and ("a", "bc") hash differently.
void append_part(std::string& hashed, std::string_view part);

}  // namespace pawl::core
