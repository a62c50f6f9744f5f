// The library's Program, and what a program is made of.
#include "cli/program.hpp"

#include "agent/program_agent.hpp"
#include "core/assert.hpp"
#include "core/validate.hpp"

#include <pawl/agent.hpp>
#include <pawl/program.hpp>
#include <pawl/version.hpp>

#include <stdexcept>

namespace pawl {

std::string_view version() { return PAWL_VERSION; }

Program::Program() : impl_(std::make_shared<detail::ProgramImpl>()) { cli::add_builtin_types(impl_->registry); }
Program::~Program() = default;

Registration Program::add(std::string_view name, std::string schema, Run run) {
    if (const auto ok = core::check_name({"type", name}); !ok) throw std::invalid_argument(ok.error().message);
    detail::RegisteredType& type = impl_->registry.add(std::string(name));
    type.input_schema = std::move(schema);
    type.run = std::move(run);
    return Registration(type);
}

Registration Program::agent(const Agent& agent) {
    auto type = agent::add_program_agent(impl_->registry, agent.parts());
    if (!type) throw std::invalid_argument("agent " + agent.parts().name + ": " + type.error().message);
    return Registration(**type);
}

Registration& Registration::queue(std::string_view name) {
    if (const auto ok = core::check_name({"queue", name}); !ok) throw std::invalid_argument(ok.error().message);
    type_->queue = name;
    return *this;
}
Registration& Registration::priority(int p) {
    if (const auto ok = core::check_priority(p); !ok) throw std::invalid_argument(ok.error().message);
    type_->priority = p;
    return *this;
}
Registration& Registration::deadline(Duration d) {
    type_->deadline = d;
    return *this;
}
Registration& Registration::retry(const Retry& r) {
    type_->retry = r;
    return *this;
}
Registration& Registration::version(int n) {
    if (n < 1) throw std::invalid_argument("version: " + std::to_string(n) + " is below 1");
    type_->version = n;
    return *this;
}
Registration& Registration::compatible_from(int n) {
    if (n < 1) throw std::invalid_argument("compatible_from: " + std::to_string(n) + " is below 1");
    type_->compatible_from = n;
    return *this;
}

}  // namespace pawl
