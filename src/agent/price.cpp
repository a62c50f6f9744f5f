#include "agent/price.hpp"

#include <algorithm>
#include <array>

namespace pawl::agent {

namespace {

struct Known {
    std::string_view model;
    ModelPrice price;
};
constexpr std::array<Known, 6> known{{{"gpt-5", {1'250'000, 125'000, 10'000'000}},
                                      {"gpt-5-mini", {250'000, 25'000, 2'000'000}},
                                      {"gpt-5-nano", {50'000, 5'000, 400'000}},
                                      {"gpt-4.1", {2'000'000, 500'000, 8'000'000}},
                                      {"gpt-4.1-mini", {400'000, 100'000, 1'600'000}},
                                      {"gpt-4.1-nano", {100'000, 25'000, 400'000}}}};

// An endpoint may report anything: more tokens than this of one call are counted as this many.
constexpr std::int64_t tokens_max = 1'000'000'000;

std::int64_t bounded(std::int64_t tokens) { return std::clamp<std::int64_t>(tokens, 0, tokens_max); }

}  // namespace

std::int64_t cost_of(const ModelPrice& price, const Usage& usage) {
    const std::int64_t prompt = bounded(usage.prompt_tokens);
    const std::int64_t cached = std::min(bounded(usage.cached_tokens), prompt);
    // Prices are at most 10^9 a million tokens (check_definition), so this stays below 2^63.
    const std::int64_t millionfold = (prompt - cached) * price.input_uusd + cached * price.cached_uusd +
                                     bounded(usage.completion_tokens) * price.output_uusd;
    return (millionfold + 999'999) / 1'000'000;
}

std::optional<ModelPrice> list_price(std::string_view model) {
    const auto at = std::ranges::find(known, model, &Known::model);
    if (at == known.end()) return std::nullopt;
    return at->price;
}

}  // namespace pawl::agent
