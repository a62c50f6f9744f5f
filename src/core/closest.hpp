// "Did you mean": the known name that a misspelt one is nearest to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::core {

/// Nothing when none is near: more than a third of the letters would have to change.
std::optional<std::string> closest(std::string_view given, const std::vector<std::string>& known);

}  // namespace pawl::core
