// The types a process can run.
#pragma once

#include "core/command.hpp"

#include <pawl/workflow.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::detail {

/// One registered version of a type.
struct RegisteredType {
    std::string name;
    int version = 1;
    std::optional<int> compatible_from;  ///< oldest version whose tasks this code may continue; default: its own
    std::string queue = "default";
    int priority = 0;
    std::optional<Duration> deadline;
    Retry retry;  ///< of steps that set none
    std::string input_schema;
    /// Starts the workflow on the JSON of its input.
    std::function<Workflow<std::string>(Context&, std::string input)> run;
    /// Recorded with each task, at its submit or else at its first claim (agents); empty = nothing.
    std::string definition;

    int oldest() const { return compatible_from.value_or(version); }
};

}  // namespace pawl::detail

namespace pawl::runtime {

using detail::RegisteredType;

class Registry {
public:
    /// A type of that name and version replaces an earlier one.
    RegisteredType& add(std::string name);

    /// What runs a task bound to `version` (0 = not bound: the newest); null when nothing here may.
    const RegisteredType* find(const std::string& name, int version) const;
    /// The newest version, for defaults at submit.
    const RegisteredType* newest(const std::string& name) const { return find(name, 0); }

    std::vector<core::ServedType> served() const;
    /// Only the types of these names; names that nothing has are returned.
    std::vector<std::string> keep_only(const std::vector<std::string>& names);
    std::vector<const RegisteredType*> all() const;

private:
    std::vector<std::unique_ptr<RegisteredType>> types_;
};

}  // namespace pawl::runtime
