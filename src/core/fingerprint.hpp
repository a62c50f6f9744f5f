// What makes two submits "the same": namespace, type and input, nothing else (spec section 4).
#pragma once

#include "core/task_row.hpp"

#include <string_view>

namespace pawl::core {

struct Fingerprinted {
    std::string_view space;  ///< namespace
    std::string_view type;
    std::string_view canonical_input;  ///< core/canonical_json.hpp
};

/// Stored beside the key for the key's whole life: never change what it hashes.
Hash fingerprint(const Fingerprinted& submit);

}  // namespace pawl::core
