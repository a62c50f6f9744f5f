// Reads the JSON object of a request's body field by field. Every mistake is collected with the field's name, and a
// field that nobody asked for is one: a misspelt option must never be ignored in silence.
#pragma once

#include "server/message.hpp"
#include "server/problem.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::server {

/// The elements of a JSON array, as their text. Errors: bad_input with the position (also when it is no array).
/// They point into `text`, which must outlive them.
Result<std::vector<std::string_view>> split_array(std::string_view text);
Result<std::vector<std::string_view>> split_array(std::string&& text) = delete;

/// Whether values are looked into: those of our own answers were made by us, and may be larger and deeper.
enum class Origin { foreign, ours };

class Body {
public:
    /// `text` must outlive the body. An empty text counts as {}. Errors: bad_input (not one JSON object, depth over
    /// the limit, a name given twice), with the position.
    static Result<Body> parse(std::string_view text, Origin origin = Origin::foreign);

    /// Each getter returns nothing when the field is absent, null or of the wrong type; the last is noted.
    std::optional<std::string> text(std::string_view name);
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
    std::optional<bool> boolean(std::string_view name);
    std::optional<std::vector<std::string>> texts(std::string_view name);
    /// The field's JSON, as given (null included).
    std::optional<std::string_view> raw(std::string_view name);

    bool has(std::string_view name) const;
    void refuse(std::string_view name, std::string detail);
    template <class T>
    void check(std::string_view name, const Result<T>& result) {
        if (!result) refuse(name, result.error().message);
    }

    /// All that was wrong, fields that no getter asked for included.
    std::vector<FieldError> errors() const;

private:
    struct Member {
        std::string name;
        std::string_view value;
        bool asked = false;
    };
    Member* find(std::string_view name);
    /// Reads `"name":`; answers where the value starts.
    Result<std::size_t> add_name(std::string_view text, std::size_t at);

    std::vector<Member> members_;
    std::vector<std::string> known_;  ///< names the getters asked for, for "did you mean"
    std::vector<FieldError> errors_;
};

/// One sentence of all field errors: "deadline: ...; limit: ...".
std::string describe(const std::vector<FieldError>& errors);

}  // namespace pawl::server
