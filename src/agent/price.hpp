// What a model's tokens cost.
#pragma once

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace pawl::agent {

struct Usage {
    std::int64_t prompt_tokens = 0, completion_tokens = 0, total_tokens = 0, cached_tokens = 0, reasoning_tokens = 0;
};
BOOST_DESCRIBE_STRUCT(Usage, (), (prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens))

/// Millionths of a dollar for a million tokens of each kind.
struct ModelPrice {
    std::int64_t input_uusd = 0, cached_uusd = 0, output_uusd = 0;
};
BOOST_DESCRIBE_STRUCT(ModelPrice, (), (input_uusd, cached_uusd, output_uusd))

/// Millionths of a dollar, rounded up. Reasoning tokens are part of the completion's.
std::int64_t cost_of(const ModelPrice& price, const Usage& usage);

/// List price of a model that this version knows by name; prices change, so an agent may state its own.
std::optional<ModelPrice> list_price(std::string_view model);

}  // namespace pawl::agent
