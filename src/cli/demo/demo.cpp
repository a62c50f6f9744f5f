// `demo`: an agent that survives kill -9, shown and checked.
#include "cli/console.hpp"
#include "cli/demo/evidence.hpp"
#include "cli/demo/sandbox.hpp"
#include "cli/demo/stand_in.hpp"
#include "cli/engine_verbs.hpp"
#include "cli/terminal_text.hpp"
#include "server/json_text.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>

extern char** environ;

namespace pawl::cli {
namespace {

using demo::Evidence;
using demo::Sandbox;
using demo::StandIn;

constexpr const char* prompt = "I'm out of disk space. Fix it.";
constexpr int first_claim_no = 2;  // `submitted` is 1
constexpr int points_least = 10;

struct Options {
    std::optional<std::string> kill_at;
    bool keep = false;
};

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// For tests: how long clean_logs sleeps before its effect.
int clean_delay_ms() {
    const char* text = std::getenv("PAWL_DEMO_CLEAN_DELAY_MS");
    return text ? std::atoi(text) : 0;
}

std::string own_binary() {
    std::string path(4096, '\0');
    const auto n = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return path;
}

// One run of `pawl run` in a process of its own; its wait status.
int run_child(const std::vector<std::string>& arguments, const std::vector<std::string>& more_environment, bool quiet) {
    std::vector<std::string> environment = more_environment;
    for (char** e = environ; *e; e++) environment.emplace_back(*e);
    std::vector<char*> argv, envp;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    for (const std::string& e : environment) envp.push_back(const_cast<char*>(e.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);  // our own stdout is for the findings
        if (quiet && !::freopen("/dev/null", "w", stderr)) ::_exit(127);
        if (quiet) ::dup2(STDERR_FILENO, STDOUT_FILENO);
        ::execve(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

class Demo {
public:
    Demo(Console& console, const Options& options) : console_(console), options_(options), binary_(own_binary()) {}

    int run() {
        const std::string at = options_.kill_at.value_or("8");
        int point = 0;
        const auto [end, error] = std::from_chars(at.data(), at.data() + at.size(), point);
        const bool is_number = error == std::errc{} && end == at.data() + at.size();
        if (at != "every" && (!is_number || point < 1 || point > 1'000))
            return console_.fail(
                {Errc::bad_input, "--kill-at: expected `every` or a journal entry, 1 to 1000, got " + at});
        if (const char* url = std::getenv("OPENAI_BASE_URL"); url && *url) {
            say("model: the endpoint in OPENAI_BASE_URL\n");
        } else {
            if (auto started = stand_in_.start(); !started) return console_.fail(started.error());
            environment_.push_back("OPENAI_BASE_URL=" + stand_in_.base_url());
            scripted_ = true;
            say("model: a scripted stand-in of ours at " + stand_in_.base_url() +
                " (set OPENAI_BASE_URL and OPENAI_API_KEY for a real one)\n");
        }
        return at == "every" ? every_point() : single_point(point);
    }

private:
    // What people read; with --json it stands on stderr, and stdout has the report alone.
    void say(const std::string& text) const {
        if (console_.json())
            console_.note(std::string_view(text).substr(0, text.size() - (text.ends_with('\n') ? 1 : 0)));
        else console_.out(text);
    }

    int single_point(int point) {
        const auto evidence = one_point(point, false);
        if (!evidence) return console_.fail(evidence.error());
        show(*evidence);
        report(evidence->all_hold() && killed_);
        if (!evidence->all_hold()) return exit_code::task_failed;
        if (killed_) return exit_code::ok;
        const int entries = evidence->task.last_no - (first_claim_no - 1);
        return console_.fail({Errc::bad_input, "the task was complete before entry " + since_claim(point) +
                                                   ": nothing was killed, so resuming was not checked; this run had " +
                                                   std::to_string(entries) + " entries since its claim"},
                             "`pawl demo --kill-at every`");
    }

    static std::string since_claim(int point) {
        return std::to_string(point) + " since its claim (no. " + std::to_string(point + first_claim_no - 1) + ")";
    }

    void add_to_report(const Evidence& evidence, int point) {
        points_.open()
            .field("kill_at", point)
            .field("entry_no", point + first_claim_no - 1)
            .field("killed", killed_)
            .field("ok", evidence.all_hold())
            .field("task", core::to_string(evidence.task.id))
            .field("answer", evidence.answer)
            .name("findings")
            .open('[');
        for (const demo::Finding& finding : evidence.findings)
            points_.open()
                .field("claim", finding.claim)
                .field("holds", finding.holds)
                .field("detail", finding.detail)
                .close();
        points_.close(']').close();
    }
    void report(bool ok) {
        if (!console_.json()) return;
        server::JsonText json;
        json.open().field("ok", ok).name("points").raw(points_.close(']').str()).close();
        console_.out_json(json.str());
    }

    // Every point once, each in a folder of its own, until the run is complete before the kill.
    int every_point() {
        bool all = true;
        int point = 1;
        for (;; point++) {
            const auto evidence = one_point(point, true);
            if (!evidence) return console_.fail(evidence.error());
            all = all && evidence->all_hold();
            const bool reached = killed_;
            std::string line = "kill after entry " + since_claim(point) + (reached ? "" : ", never reached") + ": ";
            line += evidence->all_hold() ? "completed, nothing repeated, logs cleaned once\n" : "FAILED\n";
            say(line);
            if (!evidence->all_hold()) show(*evidence);
            if (!reached) break;
        }
        const int points = point - 1;
        if (points < points_least && scripted_) {
            say("only " + std::to_string(points) + " points; at least " + std::to_string(points_least) + " expected\n");
            all = false;
        }
        say(all ? "all " + std::to_string(points) + " points: resumed and completed\n" : "some points FAILED\n");
        report(all);
        return all ? exit_code::ok : exit_code::task_failed;
    }

    Result<Evidence> one_point(int point, bool quiet) {
        auto sandbox = Sandbox::make();
        if (!sandbox) return sandbox.error();
        const char* model = std::getenv("OPENAI_MODEL");
        if (auto written = sandbox->write_agent_file(binary_, model && *model ? model : "gpt-5-mini"); !written)
            return written.error();
        if (!quiet)
            say("disk:  " + sandbox->folder() + "/disk, " +
                std::to_string(sandbox->used_bytes() * 100 / Sandbox::limit_bytes) + " % of its 8 MiB\n" + "task:  \"" +
                prompt + "\"; its worker gets SIGKILL after journal entry " + since_claim(point) + "\n\n");
        auto evidence = kill_and_resume(*sandbox, point, quiet);
        if (evidence) add_to_report(*evidence, point);
        if (options_.keep) say("kept: " + sandbox->folder() + "\n");
        else sandbox->remove();
        return evidence;
    }

    Result<Evidence> kill_and_resume(const Sandbox& sandbox, int point, bool quiet) {
        const int killed_after = first_claim_no - 1 + point;
        const std::vector<std::string> base{binary_, "--db", sandbox.db()};
        auto first = base;
        first.insert(first.end(), {"run", "--agent", sandbox.agent_file(), prompt});
        auto environment = environment_;
        environment.push_back("PAWL_CRASH_AFTER_ENTRY=" + std::to_string(killed_after));
        // Killed after its intent, clean_logs would not even start: here it is meant to be on its way.
        if (const int delay_ms = clean_delay_ms(); delay_ms > 0)
            environment.push_back("PAWL_CRASH_INTO_EFFECT_MS=" + std::to_string(delay_ms / 2));
        int status = run_child(first, environment, quiet);
        killed_ = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        const std::int64_t restarted = now_us();
        if (killed_) {
            auto id = task_id(sandbox);
            if (!id) return id.error();
            if (!quiet)
                console_.note("\n*** its worker was killed (SIGKILL) after entry " + since_claim(point) +
                              "; starting it again ***\n");
            auto again = base;
            again.insert(again.end(), {"run", "--task", *id});
            status = run_child(again, environment_, quiet);
        }
        return demo::collect(sandbox, killed_ ? last_before(sandbox, killed_after) : 0, restarted,
                             stand_in_.requests());
    }

    // A batch may hold more than the entry that was waited for.
    static int last_before(const Sandbox& sandbox, int at_least) {
        auto reader = store::open_sqlite_reader(sandbox.db());
        if (!reader) return at_least;
        const auto journal = (*reader)->journal(1, at_least, 1'000);
        if (!journal) return at_least;
        for (const core::Entry& entry : *journal)
            if (entry.kind == core::EntryKind::taken_over) return entry.no - 1;
        return journal->empty() ? at_least : journal->back().no;
    }

    static Result<std::string> task_id(const Sandbox& sandbox) {
        auto reader = store::open_sqlite_reader(sandbox.db());
        if (!reader) return reader.error();
        const auto row = (*reader)->get(core::TaskRef{1});
        if (!row) return row.error();
        return core::to_string(row->id);
    }

    void show(const Evidence& evidence) const {
        int after = 0;
        for (const core::Entry& entry : evidence.journal)
            if (entry.kind == core::EntryKind::taken_over && after == 0) after = entry.no - 1;
        say("\ntimeline of " + core::to_string(evidence.task.id) + ":\n" + demo::timeline(evidence, after));
        say("\nanswer: " + terminal_text(evidence.answer, Lines::keep) + "\n\n");
        for (const demo::Finding& finding : evidence.findings)
            say(std::string(finding.holds ? "  ok    " : "  FAIL  ") + finding.claim + " (" + finding.detail + ")\n");
    }

    Console& console_;
    const Options& options_;
    const std::string binary_;
    StandIn stand_in_;
    std::vector<std::string> environment_;
    bool scripted_ = false;
    bool killed_ = false;
    server::JsonText points_ = std::move(server::JsonText().open('['));  ///< of the report, open
};

int tool(const std::string& name, const std::string& folder) {
    const Sandbox sandbox(folder);
    if (name == "check_disk") return sandbox.check_disk();
    if (name == "clean_logs") return sandbox.clean_logs(clean_delay_ms());
    if (name == "is_clean") return sandbox.is_clean();
    return exit_code::usage;
}

}  // namespace

Verb demo_verb(runtime::Registry&) {
    const auto declare = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments
            .option(
                "--kill-at", "N", options->kill_at,
                "SIGKILL the worker after the N-th journal entry of its task, counted from the claim (default 8), or "
                "after `every` one, each in a run of its own")
            .flag("--keep", options->keep, "keep the folder with the database")
            .footer(
                "An agent (\"I'm out of disk space. Fix it.\") measures and cleans a sandbox folder. Its worker is "
                "killed in the middle, started again, and what happened is checked from the journal, the folder and "
                "the model endpoint. Exit 0 only when every check holds; OPENAI_BASE_URL, OPENAI_API_KEY and "
                "OPENAI_MODEL name a real endpoint in place of the scripted one.");
        return [options](Console& console) { return Demo(console, *options).run(); };
    };
    return {"demo", "an agent that survives kill -9, shown and checked", declare};
}

Verb demo_tool_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto name = std::make_shared<std::string>();
        auto folder = std::make_shared<std::string>();
        arguments.required("NAME", *name, "check_disk, clean_logs or is_clean")
            .required("FOLDER", *folder, "the sandbox");
        return [name, folder](Console&) { return tool(*name, *folder); };
    };
    return {"demo-tool", "a tool of the demonstration (called by its agent)", declare, {}, true};
}

}  // namespace pawl::cli
