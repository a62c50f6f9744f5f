// cancel, kill, pause, resume and retry for all tasks of a filter.
#pragma once

#include "cli/console.hpp"
#include "cli/verbs.hpp"

#include <memory>
#include <optional>
#include <string>

namespace pawl::cli {

/// Of which tasks a verb is about: one by its id, or all of a filter.
struct Targets {
    std::optional<std::string> task, state, type, queue, tag, request_id;
    bool all = false, dry_run = false, yes = false;

    bool is_filter() const { return all || state || type || queue || tag; }
};

/// TASK, the options of the filter, --all, --dry-run, --yes and --request-id.
void declare_targets(Arguments& arguments, Targets& targets);

/// A member of the request's body, when it has a value.
struct Field {
    const char* name;
    std::optional<std::string> value;
};

/// Sends the verb to the task, or to each task of the filter, and tells what became of it. A filter needs --yes or
/// --dry-run. Returns the exit code: that of the one task's refusal; of many 2 when some were refused, 3 when there
/// was none.
int operate_on(Console& console, const std::string& verb, const Targets& targets, const Field& field = {});

}  // namespace pawl::cli
