// Reads a request's query, as strictly as a body: an unknown or malformed parameter is refused by name.
#pragma once

#include "core/time.hpp"
#include "server/message.hpp"
#include "server/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::server {

class Parameters {
public:
    explicit Parameters(const Request& request) : request_(&request) {}

    std::optional<std::string> text(std::string_view name);
    std::int64_t integer(std::string_view name, std::int64_t least, std::int64_t most, std::int64_t otherwise);
    bool boolean(std::string_view name);
    /// Seconds, fractions allowed, at most `wait_max`: a longer one is cut, the client asks again. Default 0.
    core::Micros wait();

    void refuse(std::string_view name, std::string detail);
    std::vector<FieldError> errors() const;

    static constexpr core::Micros wait_max = std::chrono::seconds(60);

private:
    const std::string* find(std::string_view name);

    const Request* request_;
    std::vector<std::string> known_;
    std::vector<FieldError> errors_;
};

}  // namespace pawl::server
