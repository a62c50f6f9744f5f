#include "core/sha256.hpp"

#include "core/assert.hpp"

#include <openssl/evp.h>

namespace pawl::core {

Hash sha256(std::string_view bytes) {
    // Looked up once and kept: OpenSSL 3 searches its providers on each one-shot SHA256(), which doubles the cost of
    // a short input (0.52 us against 0.27 us for 250 bytes).
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    PAWL_ASSERT(algorithm != nullptr);

    Hash hash;
    unsigned int size = 0;
    const int done = EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, algorithm, nullptr);
    PAWL_ASSERT(done == 1 && size == hash.size());
    return hash;
}

std::string to_hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text.push_back(digits[byte >> 4]);
        text.push_back(digits[byte & 15]);
    }
    return text;
}

std::string to_hex(const Hash& hash) {
    return to_hex(std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

void append_part(std::string& hashed, std::string_view part) {
    for (int shift = 56; shift >= 0; shift -= 8) hashed.push_back(static_cast<char>(part.size() >> shift));
    hashed.append(part);
}

}  // namespace pawl::core
