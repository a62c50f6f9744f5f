// Foreign text in our own messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl::core {

/// `text` in double quotes, safe for a terminal and a log line: control characters, DEL and invalid bytes escaped,
/// cut after about `bytes_max` bytes ("..." and the length say so).
std::string shown(std::string_view text, std::size_t bytes_max = 40);

}  // namespace pawl::core
