#include "cli/cli.hpp"
#include "cli/terminal_text.hpp"

#include "cli/console.hpp"
#include "cli/verbs.hpp"
#include "cli/working.hpp"
#include "core/closest.hpp"
#include "core/shown.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <sstream>

namespace pawl::cli {
namespace {

// What was typed: the deepest verb whose arguments were read, and its action.
struct Choice {
    Action action;
};

void declare(CLI::App& parent, const Verb& verb, Choice& choice) {
    CLI::App* app = parent.add_subcommand(verb.name, verb.summary);
    app->fallthrough();
    if (verb.hidden) app->group("");
    if (!verb.children.empty()) {
        app->require_subcommand(1);
        for (const Verb& child : verb.children) declare(*app, child, choice);
        return;
    }
    Arguments arguments(*app);
    app->callback([&choice, action = verb.declare(arguments)] { choice.action = action; });
    app->footer(app->get_footer() + (app->get_footer().empty() ? "" : "\n\n") +
                "With every verb: --db FILE or --store URL, --json, -o table|json|jsonl|yaml (`pawl --help`).");
}

const std::map<std::string, Shape> shapes{
    {"table", Shape::table}, {"json", Shape::json}, {"jsonl", Shape::jsonl}, {"yaml", Shape::yaml}};

// What the command line says about the store, until it is known to be complete.
struct Named {
    std::optional<std::string> file;
    std::vector<std::string> urls;
};

void declare_globals(CLI::App& app, GlobalOptions& options, Named& named) {
    app.add_option("--db", named.file, "the database file (PAWL_DB; default ./pawl.db)")->option_text("FILE");
    app.add_option("--store", named.urls,
                   "the store: sqlite:FILE or postgres://USER@HOST/DATABASE; given several times, its shards "
                   "(PAWL_STORE; not with --db)")
        ->option_text("URL")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_flag_callback(
        "--json", [&options] { options.shape = Shape::json; }, "JSON on stdout, errors as JSON on stderr");
    app.add_option_function<std::string>(
           "-o,--output", [&options](const std::string& name) { options.shape = shapes.at(name); },
           "table (default), json (as --json), jsonl (each element of a list on a line of its own), or yaml")
        ->option_text("SHAPE")
        ->check([](const std::string& name) {
            return shapes.contains(name) ? std::string()
                                         : core::shown(name, 40) + " is not known; there are table, json, jsonl, yaml";
        });
    app.set_version_flag("--version", "pawl " PAWL_VERSION, "show the version");
}

std::vector<std::string> known_words(const CLI::App& app, bool flags) {
    std::vector<std::string> words;
    if (!flags) {
        for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
            words.push_back(sub->get_name());
        }
        return words;
    }
    for (const CLI::App* at = &app; at; at = at->get_parent()) {
        for (const CLI::Option* option : at->get_options()) {
            for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
        }
    }
    return words;
}

const CLI::App* deepest(const CLI::App* app) {
    for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) app = chosen.front();
    return app;
}

// The parser's own message names the word; ours adds the nearest one that exists.
std::string usage_message(const CLI::App& app, const CLI::ParseError& problem) {
    const CLI::App* verb = deepest(&app);
    const auto left = app.remaining(true);
    if (left.empty()) return problem.what();

    const std::string word = left.front().substr(0, left.front().find('='));
    const bool flag = word.size() > 1 && word[0] == '-';
    const bool is_verb = !flag && !verb->get_subcommands([](const CLI::App*) { return true; }).empty();
    std::string message = flag ? "there is no flag " : is_verb ? "there is no verb " : "unexpected argument ";
    message += core::shown(word, 100);
    if (const auto close = core::closest(word, known_words(*verb, flag))) message += "; did you mean `" + *close + "`?";
    return message;
}

std::string command_of(const CLI::App& app) {
    std::string words = "pawl";
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        words += " " + at->get_name();
    }
    return words;
}

// Whether a line that could not be parsed asks for another shape than the table.
bool asked_for_json(int argc, const char* const* argv) {
    const auto is_json = [](std::string_view name) { return name.starts_with("json") || name == "yaml"; };
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i], before = argv[i - 1];
        if (word == "--json" || ((before == "-o" || before == "--output") && is_json(word))) return true;
        for (const std::string_view option : {"--output=", "-o"})
            if (word.starts_with(option) && is_json(word.substr(option.size()))) return true;
    }
    return false;
}

const char* variable(const char* name) {
    const char* text = std::getenv(name);
    return text && *text ? text : nullptr;
}

// What is suggested later names the store in the same way, but for a password.
Result<void> choose_store(GlobalOptions& options, const Named& named) {
    if (named.file && !named.urls.empty())
        return Error{Errc::bad_input, "--db and --store both name a store; give one of them"};
    if (named.file && named.file->empty()) return Error{Errc::bad_input, "--db is empty; name the database file"};
    const char* usual_url = variable("PAWL_STORE");
    const char* usual_file = variable("PAWL_DB");
    if (named.file) {
        options.store = file_url(*named.file);
        if (usual_url || *named.file != (usual_file ? usual_file : "./pawl.db"))
            options.options = "--db " + shell_word(terminal_text(*named.file)) + " ";
        return {};
    }
    if (named.urls.empty() && !usual_url) {
        options.store = file_url(usual_file ? usual_file : "./pawl.db");
        return {};
    }
    auto store = named.urls.empty() ? parse_store_url(usual_url) : parse_store_urls(named.urls);
    if (!store) return store.error();
    options.store = std::move(*store);
    const bool is_usual = usual_url && named.urls.size() == 1 && named.urls.front() == usual_url;
    if (named.urls.empty() || is_usual) return {};
    for (const std::string& shown : options.store.all_shown)
        options.options += "--store " + shell_word(terminal_text(shown)) + " ";
    return {};
}

int parse_and_run(int argc, const char* const* argv, const std::vector<Verb>& verbs, Connection::Defaults defaults) {
    CLI::App app{"Pawl: durable tasks on one file, or on PostgreSQL.", "pawl"};
    GlobalOptions options;
    Named named;
    Choice choice;
    declare_globals(app, options, named);
    app.require_subcommand(1);
    app.set_help_flag("-h,--help", "show this help, also after a verb");
    for (const Verb& verb : verbs) declare(app, verb, choice);

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        std::ostringstream text;
        const int code = app.exit(help, text, text);
        const Console console(options);
        console.out(text.str());
        return console.finish(code);
    } catch (const CLI::ParseError& problem) {
        // The parser may have stopped before the option.
        if (asked_for_json(argc, argv)) options.shape = Shape::json;
        const Console console(options);
        const bool no_verb = app.get_subcommands().empty() && app.remaining(true).empty();
        if (no_verb && options.shape == Shape::table && problem.get_name() == "RequiredError") {
            console.note(app.help());
            return exit_code::usage;
        }
        return console.fail({Errc::bad_input, usage_message(app, problem)}, "`" + command_of(app) + " --help`");
    }
    if (auto chosen = choose_store(options, named); !chosen) return Console(options).fail(chosen.error(), {});
    Console console(options, std::move(defaults));
    log_to_stderr("warn");  // stdout is the verb's answer
    return console.finish(choice.action(console));
}

}  // namespace

std::vector<Verb> client_verbs() {
    return {submit_verb(), list_verb(),  get_verb(),    result_verb(),  events_verb(), why_verb(),    cancel_verb(),
            kill_verb(),   pause_verb(), resume_verb(), resolve_verb(), retry_verb(),  signal_verb(), approve_verb(),
            deny_verb(),   queue_verb(), backup_verb(), doctor_verb(),  version_verb()};
}

int main(int argc, const char* const* argv, std::vector<Verb> engine_verbs,
         std::function<void(core::SubmitRequest&)> defaults) {
    std::vector<Verb> verbs = std::move(engine_verbs);
    for (Verb& verb : client_verbs()) verbs.push_back(std::move(verb));
    try {
        return parse_and_run(argc, argv, verbs, std::move(defaults));
    } catch (const std::exception& failure) {
        // Out of memory, or a fault of our own: nothing that a caller can expect (house rule: expected failures are
        // values).
        std::fprintf(stderr, "pawl: unexpected: %s\n", failure.what());
        return exit_code::store;
    }
}

}  // namespace pawl::cli
