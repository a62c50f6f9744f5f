#include "cli/entry_text.hpp"

#include "cli/terminal_text.hpp"

namespace pawl::cli {

std::string entry_text(const Answer& entry) {
    constexpr std::size_t value_columns = 100;
    std::string line = entry.text("at");
    if (entry.has("task")) line += "  " + entry.text("task");
    line += "  " + entry.text("no") + "  " + entry.text("kind");
    if (entry.has("path")) line += "  " + terminal_text(entry.text("path"));
    for (const char* name :
         {"attempt", "version", "reason", "ending", "crash_count", "void_from", "waits_for", "message", "timed_out"}) {
        if (entry.has(name)) line += "  " + std::string(name) + " " + terminal_text(entry.text(name));
    }
    if (entry.has("due_at")) line += "  due " + entry.text("due_at");
    for (const char* name : {"by", "request", "note"}) {
        if (entry.has(name)) line += "  " + std::string(name) + " " + terminal_text(entry.text(name));
    }
    if (entry.has("error")) {
        // A cancel's message says once more who asked for it.
        const std::string message = entry.object("error").text("message");
        if (!message.empty() && !entry.has("by")) line += "  " + cut_to_width(terminal_text(message), value_columns);
    }
    if (entry.has("result")) line += "  " + cut_to_width(terminal_text(entry.text("result")), value_columns);
    return line + "\n";
}

}  // namespace pawl::cli
