#include "core/step_key.hpp"

#include "core/assert.hpp"
#include "core/sha256.hpp"

namespace pawl::core {

std::string step_key(const TaskId& task, std::string_view path, int generation) {
    PAWL_ASSERT(generation >= 0);
    std::string hashed;
    append_part(hashed, "pawl step key 1");
    append_part(hashed, {reinterpret_cast<const char*>(task.bytes.data()), task.bytes.size()});
    append_part(hashed, path);
    append_part(hashed, std::to_string(generation));
    // 128 of the 256 bits: short enough for every receiver's limit, and still never met twice by chance.
    return to_hex(sha256(hashed)).substr(0, 32);
}

}  // namespace pawl::core
