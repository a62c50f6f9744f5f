#include "cli/console.hpp"
#include "cli/verbs.hpp"

namespace pawl::cli {
namespace {

// Of this program; the process that holds the file may be another version, which GET /v1/version tells.
int version(Console& console) {
    if (console.json()) {
        console.out_json("{\"version\":\"" PAWL_VERSION "\",\"api\":\"v1\"}");
    } else {
        console.out("pawl " PAWL_VERSION "\n");
    }
    return exit_code::ok;
}

}  // namespace

Verb version_verb() {
    return {"version", "show the version", [](Arguments&) -> Action { return version; }};
}

}  // namespace pawl::cli
