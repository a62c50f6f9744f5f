// What to do about an error, where the code alone says it.
#pragma once

#include <pawl/result.hpp>

#include <string_view>

namespace pawl::cli {

/// Empty when the message has said all there is to say.
std::string_view suggestion_for(Errc code);

}  // namespace pawl::cli
