/// The library's version.
#pragma once

#include <string_view>

namespace pawl {

/// "major.minor.patch"
std::string_view version();

}  // namespace pawl
