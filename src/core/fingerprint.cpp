#include "core/fingerprint.hpp"

#include "core/sha256.hpp"

namespace pawl::core {

Hash fingerprint(const Fingerprinted& submit) {
    std::string hashed;
    hashed.reserve(64 + submit.space.size() + submit.type.size() + submit.canonical_input.size());
    // The first part separates the domains: no other hash of ours can have the same input.
    append_part(hashed, "pawl fingerprint 1");
    append_part(hashed, submit.space);
    append_part(hashed, submit.type);
    append_part(hashed, submit.canonical_input);
    return sha256(hashed);
}

}  // namespace pawl::core
