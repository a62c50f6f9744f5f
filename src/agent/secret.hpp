// The API key stays out of the journal, whoever repeats it: the endpoint, the model, a tool.
#pragma once

#include <pawl/json.hpp>
#include <pawl/retry.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace pawl::agent {

/// `text` with every occurrence of `secret` masked, also where JSON escapes stand for its characters (`\/`, `\u002f`,
/// and those of JSON inside JSON); unchanged when the secret has fewer than 8 bytes.
std::string without_secret(std::string_view text, std::string_view secret);

/// What `f` gives. What it throws has its text masked, and means the same to a step as before.
template <class F>
auto throws_no_secret(std::string_view secret, F f) {
    const auto shows = [&](const std::exception& e) { return without_secret(e.what(), secret) != e.what(); };
    try {
        return f();
    } catch (const StepError& e) {
        if (!shows(e)) throw;
        StepError masked(e.cls, without_secret(e.what(), secret));
        masked.wait = e.wait;
        throw masked;
    } catch (const JsonError& e) {
        if (!shows(e)) throw;
        throw JsonError(without_secret(e.what(), secret));
    } catch (const std::logic_error& e) {
        if (!shows(e)) throw;
        throw std::logic_error(without_secret(e.what(), secret));
    } catch (const std::exception& e) {
        if (!shows(e)) throw;
        throw std::runtime_error(without_secret(e.what(), secret));
    }
}

}  // namespace pawl::agent
