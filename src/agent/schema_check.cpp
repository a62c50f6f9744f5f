#include "agent/schema_check.hpp"

// Without it a schema that cannot be used ends the process.
#define VALIJSON_USE_EXCEPTIONS 1

#include <boost/json.hpp>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace pawl::agent {

namespace {

// valijson names a place as <root>[a][b]; JSON pointers are what models and people know.
std::string pointer_of(const std::string& context) {
    std::string path;
    for (std::size_t at = context.find('['); at != std::string::npos; at = context.find('[', at + 1))
        path += "/" + context.substr(at + 1, context.find(']', at) - at - 1);
    return path.empty() ? "/" : path;
}

Result<void> load(const ToolDefinition& tool, valijson::Schema& schema) {
    try {
        const boost::json::value text = boost::json::parse(tool.parameters.text);
        if (!text.is_object()) throw std::runtime_error("it must be an object such as { type = \"object\" }");
        valijson::SchemaParser parser;
        parser.populateSchema(valijson::adapters::BoostJsonAdapter(text), schema);
        return {};
    } catch (const std::exception& e) {
        return Error{Errc::bad_input,
                     "tool " + tool.name + ": parameters is not a JSON Schema that can be used: " + e.what()};
    }
}

}  // namespace

Result<void> check_schema(const ToolDefinition& tool) {
    valijson::Schema schema;
    return load(tool, schema);
}

Result<void> check_arguments(const ToolDefinition& tool, const std::string& arguments) {
    valijson::Schema schema;
    if (auto loaded = load(tool, schema); !loaded) return loaded;
    const boost::json::value value = boost::json::parse(arguments);
    const valijson::adapters::BoostJsonAdapter target(value);
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(schema, target, &results)) return {};
    std::string message = "the arguments do not fit the tool's schema:";
    valijson::ValidationResults::Error error;
    for (int shown = 0; shown < 5 && results.popError(error); shown++) {
        std::string place;
        for (const std::string& part : error.context) place += part;
        message += (shown ? "; " : " ") + pointer_of(place) + ": " + error.description;
    }
    return Error{Errc::bad_input, std::move(message)};
}

}  // namespace pawl::agent
