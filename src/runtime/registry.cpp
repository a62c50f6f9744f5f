#include "runtime/registry.hpp"

#include <algorithm>

namespace pawl::runtime {

RegisteredType& Registry::add(std::string name) {
    auto type = std::make_unique<RegisteredType>();
    type->name = std::move(name);
    types_.push_back(std::move(type));
    return *types_.back();
}

// Later registrations win, so that `.version(2)` beside an older one and a plain replacement both read naturally.
const RegisteredType* Registry::find(const std::string& name, int version) const {
    const RegisteredType* best = nullptr;
    for (const auto& type : types_) {
        if (type->name != name) continue;
        if (version != 0 && (version < type->oldest() || version > type->version)) continue;
        const bool exact = best && best->version == version;
        if (!best || (!exact && type->version >= best->version) || type->version == version) best = type.get();
    }
    return best;
}

std::vector<core::ServedType> Registry::served() const {
    std::vector<core::ServedType> served;
    for (const auto& type : types_) {
        served.push_back({type->name, type->version, type->oldest()});
        if (!type->definition.empty()) served.back().definition = std::make_shared<const std::string>(type->definition);
    }
    return served;
}

std::vector<std::string> Registry::keep_only(const std::vector<std::string>& names) {
    std::vector<std::string> missing;
    for (const auto& name : names)
        if (!newest(name)) missing.push_back(name);
    std::erase_if(types_, [&](const auto& type) { return std::ranges::find(names, type->name) == names.end(); });
    return missing;
}

std::vector<const RegisteredType*> Registry::all() const {
    std::vector<const RegisteredType*> all;
    for (const auto& type : types_) all.push_back(type.get());
    return all;
}

}  // namespace pawl::runtime
