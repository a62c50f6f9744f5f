// JSON that a model or an endpoint wrote, as Boost.JSON values.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace pawl::agent {

/// At most 64 levels deep, as everything that Pawl reads; deeper text is no JSON here. Throws nothing.
boost::json::value parse_value(std::string_view text, boost::system::error_code& error);

/// The value as text, numbers as people write them: 0.25, where Boost.JSON writes 2.5E-1.
std::string value_text(const boost::json::value& value);

}  // namespace pawl::agent
