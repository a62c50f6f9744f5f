#include "server/parameters.hpp"

#include "core/closest.hpp"

#include <algorithm>
#include <charconv>

namespace pawl::server {

const std::string* Parameters::find(std::string_view name) {
    known_.emplace_back(name);
    return request_->parameter(name);
}

std::optional<std::string> Parameters::text(std::string_view name) {
    const std::string* value = find(name);
    return value ? std::optional(*value) : std::nullopt;
}

std::int64_t Parameters::integer(std::string_view name, std::int64_t least, std::int64_t most, std::int64_t otherwise) {
    const std::string* value = find(name);
    if (!value) return otherwise;
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(value->data(), value->data() + value->size(), number);
    const bool whole = failed == std::errc() && end == value->data() + value->size();
    if (whole && number >= least && number <= most) return number;
    refuse(name, "expected an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return otherwise;
}

bool Parameters::boolean(std::string_view name) {
    const std::string* value = find(name);
    if (!value || *value == "false") return false;
    if (*value != "true") refuse(name, "expected true or false");
    return true;
}

core::Micros Parameters::wait() {
    const std::string* value = find("wait");
    if (!value) return core::Micros{0};
    double seconds = 0;
    const auto [end, failed] = std::from_chars(value->data(), value->data() + value->size(), seconds);
    if (failed != std::errc() || end != value->data() + value->size() || !(seconds >= 0)) {
        refuse("wait", "expected seconds, 0 or more");
        return core::Micros{0};
    }
    const double most = std::chrono::duration<double>(wait_max).count();
    return std::chrono::duration_cast<core::Micros>(std::chrono::duration<double>(std::min(seconds, most)));
}

void Parameters::refuse(std::string_view name, std::string detail) {
    errors_.push_back({"?" + std::string(name), std::move(detail)});
}

std::vector<FieldError> Parameters::errors() const {
    std::vector<FieldError> all = errors_;
    for (const auto& [name, value] : request_->query) {
        if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
        std::string detail = "unknown parameter";
        if (const auto close = core::closest(name, known_)) detail += "; did you mean \"" + *close + "\"?";
        all.push_back({"?" + name, std::move(detail)});
    }
    return all;
}

}  // namespace pawl::server
