// The verbs of the command line, one file each in verbs/. A program adds its own (worker, run, demo bring their types
// with them) by giving them to cli::main.
#pragma once

#include "cli/arguments.hpp"

#include <vector>

namespace pawl::cli {

Verb approve_verb();
Verb backup_verb();
Verb cancel_verb();
Verb deny_verb();
Verb doctor_verb();
Verb events_verb();
Verb get_verb();
Verb kill_verb();
Verb list_verb();
Verb pause_verb();
Verb queue_verb();
Verb resolve_verb();
Verb result_verb();
Verb resume_verb();
Verb retry_verb();
Verb signal_verb();
Verb submit_verb();
Verb version_verb();
Verb why_verb();

/// The verbs that need no engine in this process, in the order of the help.
std::vector<Verb> client_verbs();

}  // namespace pawl::cli
