// The command line of `pawl` and of every program that calls pawl::Program::main.
#pragma once

#include "cli/arguments.hpp"
#include "core/validate.hpp"

#include <functional>
#include <vector>

namespace pawl::cli {

/// Parses, runs the verb, returns the exit code (cli/exit_code.hpp). Never throws.
///
/// `engine_verbs`: the verbs that work a file in this process (worker, run, demo ...); they stand first in the help.
/// Each is called with a Console that knows --db and --json and has not touched the file.
/// `defaults`: what the program's types add to a submit.
int main(int argc, const char* const* argv, std::vector<Verb> engine_verbs,
         std::function<void(core::SubmitRequest&)> defaults = {});

}  // namespace pawl::cli
