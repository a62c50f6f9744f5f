// JSON as YAML, for `-o yaml`.
#pragma once

#include <string>
#include <string_view>

namespace pawl::cli {

/// A document of its own, from `---` to a line feed, with the same value: YAML 1.2 takes every JSON scalar as it is, so
/// numbers keep their digits and strings stay quoted. Requires valid JSON.
std::string yaml_of(std::string_view json);

}  // namespace pawl::cli
