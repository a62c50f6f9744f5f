// Keywords of JSON Schema whose work in valijson a model's data could blow up: std::regex recurses for each character
// and backtracks without limit, and uniqueItems compares each item with each. For schema_check.cpp only.
#pragma once

#include "agent/patterns.hpp"

// Without it a schema that cannot be used ends the process.
#define VALIJSON_USE_EXCEPTIONS 1

#include <boost/json.hpp>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/validation_visitor.hpp>

#include <map>
#include <set>
#include <string>

namespace pawl::agent {

/// The patterns of the check that this thread is in: valijson has no place to hand them through.
class PatternsInUse {
public:
    explicit PatternsInUse(Patterns& patterns) { current = &patterns; }
    ~PatternsInUse() { current = nullptr; }
    PatternsInUse(const PatternsInUse&) = delete;
    PatternsInUse& operator=(const PatternsInUse&) = delete;

    static bool occurs(const std::string& pattern, const std::string& text) { return current->occurs(pattern, text); }

private:
    static inline thread_local Patterns* current = nullptr;
};

namespace keywords {

using JsonAdapter = valijson::adapters::BoostJsonAdapter;
using NameAdapter = valijson::adapters::StdStringAdapter;
using Context = std::vector<std::string>;
using valijson::ValidationResults;

inline bool told(ValidationResults* results, const Context& context, const std::string& what) {
    if (results) results->pushError(context, what);
    return false;
}

template <class Adapter>
bool fits_pattern(const Adapter& target, const std::string& pattern, const Context& context,
                  ValidationResults* results) {
    if (!target.isString() || PatternsInUse::occurs(pattern, target.asString())) return true;
    return told(results, context, "it does not match the pattern " + pattern);
}

inline bool is_date(const std::string& text) {
    if (!PatternsInUse::occurs("^[0-9]+-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", text)) return false;
    const std::size_t year_end = text.find('-');
    const int month = std::stoi(text.substr(year_end + 1, 2)), day = std::stoi(text.substr(year_end + 4, 2));
    const bool short_month = month == 4 || month == 6 || month == 9 || month == 11;
    return day <= (month == 2 ? 29 : short_month ? 30 : 31);
}

template <class Adapter>
bool fits_format(const Adapter& target, const std::string& format, const Context& context, ValidationResults* results) {
    const std::string time =
        "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
    if (!target.isString()) return true;
    const std::string text = target.asString();
    bool fits = true;
    if (format == "date") fits = is_date(text) && PatternsInUse::occurs("^[0-9]+-..-..$", text);
    else if (format == "time") fits = PatternsInUse::occurs("^" + time, text);
    else if (format == "date-time") fits = is_date(text) && PatternsInUse::occurs("^[0-9]+-..-..[Tt]" + time, text);
    return fits || told(results, context, "it is no valid " + format);
}

/// Two values are equal when these texts are.
inline std::string identity_of(const JsonAdapter& value) {
    if (value.isString()) return "\"" + std::to_string(value.asString().size()) + ":" + value.asString();
    if (value.isInteger()) return "i" + std::to_string(value.asInteger());
    if (value.isDouble()) return "d" + boost::json::serialize(boost::json::value(value.asDouble()));
    if (value.isBool()) return value.asBool() ? "t" : "f";
    if (value.isNull()) return "n";
    std::string text;
    if (value.isArray()) {
        for (const JsonAdapter item : value.asArray()) text += identity_of(item) + ",";
        return "[" + text + "]";
    }
    std::map<std::string, std::string> members;
    for (const auto member : value.asObject()) members[member.first] = identity_of(member.second);
    for (const auto& [key, identity] : members) text += std::to_string(key.size()) + ":" + key + identity + ",";
    return "{" + text + "}";
}

inline bool items_are_unique(const JsonAdapter& target, const Context& context, ValidationResults* results) {
    if (!target.isArray()) return true;
    std::set<std::string> seen;
    for (const JsonAdapter item : target.asArray())
        if (!seen.insert(identity_of(item)).second)
            return told(results, context, "items " + std::to_string(seen.size()) + " and an earlier one are equal");
    return true;
}

}  // namespace keywords

}  // namespace pawl::agent

namespace valijson {

template <>
inline bool ValidationVisitor<adapters::BoostJsonAdapter>::visit(const constraints::PatternConstraint& constraint) {
    return pawl::agent::keywords::fits_pattern(m_target, constraint.getPattern<std::allocator<char>>(), m_context,
                                               m_results);
}

template <>
inline bool ValidationVisitor<adapters::StdStringAdapter>::visit(const constraints::PatternConstraint& constraint) {
    return pawl::agent::keywords::fits_pattern(m_target, constraint.getPattern<std::allocator<char>>(), m_context,
                                               m_results);
}

template <>
inline bool ValidationVisitor<adapters::BoostJsonAdapter>::visit(const constraints::FormatConstraint& constraint) {
    return pawl::agent::keywords::fits_format(m_target, constraint.getFormat(), m_context, m_results);
}

template <>
inline bool ValidationVisitor<adapters::StdStringAdapter>::visit(const constraints::FormatConstraint& constraint) {
    return pawl::agent::keywords::fits_format(m_target, constraint.getFormat(), m_context, m_results);
}

template <>
inline bool ValidationVisitor<adapters::BoostJsonAdapter>::visit(const constraints::UniqueItemsConstraint&) {
    return pawl::agent::keywords::items_are_unique(m_target, m_context, m_results);
}

// patternProperties: `name` is the pattern that a property's name is to hold.
template <>
template <>
inline bool ValidationVisitor<adapters::BoostJsonAdapter>::ValidatePatternPropertySubschemas::operator()(
    const std::basic_string<char, std::char_traits<char>, internal::CustomAllocator<char>>& name,
    const Subschema* subschema) const {
    const std::string pattern(name.c_str());
    for (const auto member : m_object) {
        if (!pawl::agent::PatternsInUse::occurs(pattern, member.first)) continue;
        if (m_propertiesMatched) m_propertiesMatched->insert(member.first);
        std::vector<std::string> context = m_context;
        context.push_back("[" + member.first + "]");
        ValidationVisitor validator(member.second, context, m_strictTypes, m_results, m_regexesCache);
        if (!validator.validateSchema(*subschema) && m_validated) *m_validated = false;
    }
    return true;
}

}  // namespace valijson
