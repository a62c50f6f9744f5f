#include "cli/engine_verbs.hpp"

#include "cli/cli.hpp"
#include "cli/program.hpp"
#include "runtime/worker_backend.hpp"

#include <pawl/program.hpp>

namespace pawl {

namespace cli {

std::vector<Verb> engine_verbs(runtime::Registry& registry) {
    return {worker_verb(registry), run_verb(registry), demo_verb(registry), demo_tool_verb()};
}

}  // namespace cli

int Program::main(int argc, char** argv) {
    const runtime::Registry& registry = impl_->registry;
    return cli::main(argc, argv, cli::engine_verbs(impl_->registry),
                     [&registry](core::SubmitRequest& request) { runtime::apply_defaults(request, registry); });
}

}  // namespace pawl
