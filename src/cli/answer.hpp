// Reads the API's answers for people. Never for output that scripts read: Boost.JSON rounds long numbers.
#pragma once

#include "server/message.hpp"

#include <boost/json/fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::cli {

/// One JSON object of an answer. Everything that is missing reads as empty.
class Answer {
public:
    explicit Answer(const server::Response& response);
    ~Answer();
    Answer(const Answer&);
    Answer(Answer&&) noexcept;
    Answer& operator=(Answer&&) noexcept;

    /// A string as it is, numbers and booleans as JSON, null as "".
    std::string text(std::string_view name) const;
    std::int64_t number(std::string_view name) const;
    bool flag(std::string_view name) const;
    bool has(std::string_view name) const;  ///< present and not null
    Answer object(std::string_view name) const;
    std::vector<Answer> objects(std::string_view name) const;
    std::vector<std::string> texts(std::string_view name) const;
    std::vector<std::string> names() const;

private:
    explicit Answer(boost::json::object object);
    std::unique_ptr<boost::json::object> object_;
};

/// The JSON of one member of an answer, as it was stored. Empty when there is none.
std::string raw_member(const server::Response& response, std::string_view name);

}  // namespace pawl::cli
