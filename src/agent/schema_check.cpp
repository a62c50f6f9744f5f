#include "agent/schema_check.hpp"

#include "agent/json_value.hpp"
#include "agent/schema_keywords.hpp"

#include <valijson/internal/json_pointer.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>

namespace pawl::agent {

namespace {

namespace bj = boost::json;

// valijson names a place as <root>[a][b]; JSON pointers are what models and people know.
std::string pointer_of(const std::string& context) {
    std::string path;
    for (std::size_t at = context.find('['); at != std::string::npos; at = context.find('[', at + 1))
        path += "/" + context.substr(at + 1, context.find(']', at) - at - 1);
    return path.empty() ? "/" : path;
}

// Looks for what valijson takes and cannot work with: patterns that cannot be compiled, a division by zero, references
// that lead back to themselves without a step into the value.
class Keywords {
public:
    Keywords(const bj::value& root, Patterns& patterns) : root_(root), patterns_(patterns) {}

    void check() { check(root_, ""); }

private:
    void check(const bj::value& schema, const std::string& path) {
        if (const auto* list = schema.if_array())
            for (std::size_t i = 0; i < list->size(); i++) check((*list)[i], path + "/" + std::to_string(i));
        const auto* object = schema.if_object();
        if (!object) return;
        if (leads_back(schema)) throw std::runtime_error(path + "/: a reference leads back to itself");
        for (const auto& member : *object)
            check_keyword(std::string(member.key()), member.value(), path + "/" + std::string(member.key()));
    }

    void check_keyword(const std::string& name, const bj::value& value, const std::string& path) {
        if (name == "enum" || name == "const" || name == "default" || name == "examples") return;  // data, no schemas
        if (name == "pattern" && value.is_string()) compile(std::string(value.get_string()), path);
        boost::system::error_code error;
        if (name == "multipleOf" && value.is_number() && !(value.to_number<double>(error) > 0))
            throw std::runtime_error(path + ": it must be above 0");
        const bool named = name == "properties" || name == "patternProperties" || name == "definitions" ||
                           name == "$defs" || name == "dependencies";
        if (!named || !value.is_object()) return check(value, path);
        for (const auto& member : value.get_object()) {
            const std::string key(member.key());
            if (name == "patternProperties") compile(key, path);
            check(member.value(), path + "/" + key);
        }
    }

    void compile(const std::string& pattern, const std::string& path) {
        if (const auto usable = patterns_.compile(pattern); !usable)
            throw std::runtime_error(path + ": " + usable.error().message);
    }

    // Whether what this schema says of a value says it of the same value again. Walks each schema once.
    bool leads_back(const bj::value& schema) {
        if (!schema.is_object() && !schema.is_array()) return false;
        const auto [at, is_new] = open_.emplace(&schema, true);
        if (!is_new) return at->second;
        bool found = false;
        if (const auto* list = schema.if_array()) {
            found = std::ranges::any_of(*list, [&](const bj::value& item) { return leads_back(item); });
        } else if (const bj::value* reference = schema.get_object().if_contains("$ref")) {
            const bj::value* target = referred(*reference);
            found = target && leads_back(*target);
        } else {
            for (const char* name : {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
                if (const bj::value* part = schema.get_object().if_contains(name); part && !found)
                    found = leads_back(*part);
            // Each applies to the value that has a property of its name.
            const bj::value* dependencies = schema.get_object().if_contains("dependencies");
            if (dependencies && dependencies->is_object() && !found)
                found = std::ranges::any_of(dependencies->get_object(),
                                            [&](const auto& dependency) { return leads_back(dependency.value()); });
        }
        open_[&schema] = false;
        return found;
    }

    // Where valijson would find it; null where it would not, which the parser refuses. Before the # stands a document:
    // this one, by its `id`, if it can be used at all.
    const bj::value* referred(const bj::value& reference) const {
        if (!reference.is_string()) return nullptr;
        const std::string text(reference.get_string());
        if (!text.starts_with('#') && !root_.get_object().contains("id")) return nullptr;
        const bj::value* at = &root_;
        for (std::size_t from = text.find('#'); from < text.size() && at;) {
            const std::size_t to = std::min(text.find('/', from + 1), text.size());
            using Place = std::string::difference_type;
            const std::string token = valijson::internal::json_pointer::extractReferenceToken(
                text.begin() + static_cast<Place>(from) + 1, text.begin() + static_cast<Place>(to));
            if (!token.empty()) at = part_of(*at, token);
            from = to;
        }
        return at;
    }
    static const bj::value* part_of(const bj::value& whole, const std::string& token) {
        if (const auto* object = whole.if_object()) return object->if_contains(token);
        const auto* list = whole.if_array();
        return list ? list->if_contains(std::strtoul(token.c_str(), nullptr, 10)) : nullptr;
    }

    const bj::value& root_;
    Patterns& patterns_;
    std::map<const bj::value*, bool> open_;
};

Result<void> load(const ToolDefinition& tool, valijson::Schema& schema, Patterns& patterns) {
    try {
        boost::system::error_code error;
        const bj::value text = parse_value(tool.parameters.text, error);
        if (error) throw std::runtime_error(error.message());
        if (!text.is_object()) throw std::runtime_error("it must be an object such as { type = \"object\" }");
        Keywords(text, patterns).check();
        valijson::SchemaParser parser;
        parser.populateSchema(valijson::adapters::BoostJsonAdapter(text), schema);
        return {};
    } catch (const std::exception& e) {
        return Error{Errc::bad_input,
                     "tool " + tool.name + ": parameters is not a JSON Schema that can be used: " + e.what()};
    }
}

// What valijson cannot see is given to it as the nearest that it can: it reads a string to its first NUL, and knows no
// integer above 2^63 - 1.
void make_visible(bj::value& value) {
    if (auto* text = value.if_string()) {
        for (std::size_t at = text->find('\0'); at != bj::string::npos; at = text->find('\0', at))
            text->replace(at, 1, "\uFFFD");
    } else if (value.is_uint64()) {
        value = std::numeric_limits<std::int64_t>::max();
    } else if (auto* list = value.if_array()) {
        for (bj::value& item : *list) make_visible(item);
    } else if (auto* object = value.if_object()) {
        for (auto& member : *object) make_visible(member.value());
    }
}

std::string misfits_of(valijson::ValidationResults& results) {
    std::string message;
    valijson::ValidationResults::Error error;
    for (int shown = 0; shown < 5 && results.popError(error); shown++) {
        std::string place;
        for (const std::string& part : error.context) place += part;
        message += (shown ? "; " : " ") + pointer_of(place) + ": " + error.description;
    }
    return message;
}

}  // namespace

Result<void> check_schema(const ToolDefinition& tool) {
    valijson::Schema schema;
    Patterns patterns;
    return load(tool, schema, patterns);
}

Result<void> check_arguments(const ToolDefinition& tool, const std::string& arguments) {
    valijson::Schema schema;
    Patterns patterns;
    if (auto loaded = load(tool, schema, patterns); !loaded) return loaded;
    try {
        boost::system::error_code failed;
        bj::value value = parse_value(arguments, failed);
        if (failed) return Error{Errc::bad_input, "the arguments are not JSON: " + failed.message()};
        make_visible(value);
        const PatternsInUse in_use(patterns);
        valijson::Validator validator;
        valijson::ValidationResults results;
        if (validator.validate(schema, valijson::adapters::BoostJsonAdapter(value), &results)) return {};
        return Error{Errc::bad_input, "the arguments do not fit the tool's schema:" + misfits_of(results)};
    } catch (const std::exception& e) {
        return Error{Errc::bad_input,
                     std::string("the arguments cannot be checked against the tool's schema: ") + e.what()};
    }
}

// As the only field of an object: the check is made for tools, whose arguments are one.
Result<void> check_value(const std::string& schema, const std::string& value) {
    ToolDefinition tool;
    tool.parameters.text = R"({"type":"object","properties":{"value":)" + schema + R"(},"required":["value"]})";
    auto checked = check_arguments(tool, R"({"value":)" + value + "}");
    if (checked) return checked;
    std::string message = checked.error().message;
    for (std::size_t at = 0; (at = message.find("/value", at)) != std::string::npos;)
        message.replace(at, 6, message.substr(at + 6, 1) == "/" ? "" : "/");
    if (const std::size_t at = message.find("schema:"); at != std::string::npos) message = message.substr(at + 7);
    return Error{Errc::bad_input, message};
}

}  // namespace pawl::agent
