// How a verb declares the words it takes. The parser behind it (CLI11) is seen by arguments.cpp and cli.cpp only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace pawl::cli {

class Console;

/// Each variable is filled in before the verb's action is called, and must live until then. Text that is not UTF-8 is
/// refused, except for a FILE, a FOLDER and JSON.
class Arguments {
public:
    explicit Arguments(CLI::App& app) : app_(&app) {}

    Arguments& required(const char* name, std::string& into, const char* help);
    Arguments& positional(const char* name, std::optional<std::string>& into, const char* help);
    /// `names`: "--queue" or "-q,--queue"; `what`: "QUEUE" in the help.
    Arguments& option(const char* names, const char* what, std::optional<std::string>& into, const char* help);
    Arguments& option(const char* names, const char* what, std::optional<int>& into, const char* help);
    /// May be given several times.
    Arguments& list(const char* names, const char* what, std::vector<std::string>& into, const char* help);
    Arguments& flag(const char* names, bool& into, const char* help);
    /// Text below the help of the verb.
    Arguments& footer(const char* text);

private:
    CLI::App* app_;
};

using Action = std::function<int(Console&)>;

/// One verb of the command line.
struct Verb {
    std::string name;
    std::string summary;
    /// Declares the arguments; the answer is called when the verb was typed, and gives the exit code.
    std::function<Action(Arguments&)> declare;
    std::vector<Verb> children{};  ///< `queue list`: then `declare` is empty
    bool hidden = false;           ///< not in the help: not for people
};

}  // namespace pawl::cli
