// `run`: one task, worked from here to its end. Whoever holds the file works it; when nobody does, this process.
#include "agent/agent_file.hpp"
#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/engine_verbs.hpp"
#include "cli/entry_text.hpp"
#include "cli/terminal_text.hpp"
#include "cli/way_on.hpp"
#include "cli/working.hpp"
#include "core/duration.hpp"
#include "server/json_text.hpp"
#include "server/problem.hpp"

#include <unistd.h>

#include <memory>
#include <thread>

namespace pawl::cli {
namespace {

struct Options {
    std::optional<std::string> agent, prompt, task, key, deadline;
};

using Ask = std::function<Result<server::Response>(server::Request)>;

// Where the task stands when following it ended.
struct End {
    std::string state, reason;
    bool needs_person = false;
    std::string body;  // of the result
};

End end_of(server::Response response) {
    const Answer answer(response);
    return {answer.text("state"), answer.text("reason"), answer.flag("needs_person"), std::move(response.body)};
}

// Follows the journal of one task and prints it; ends with the task, or when `gone` says that its holder left.
class Progress {
public:
    Progress(const Console& console, Ask ask, std::function<bool()> gone)
        : console_(console), ask_(std::move(ask)), gone_(std::move(gone)) {}

    /// Nothing when the holder left before the end.
    Result<std::optional<End>> follow(const std::string& id, std::string& after) {
        for (;;) {
            server::Request request = Console::get("/v1/tasks/" + id + "/journal");
            request.query.emplace_back("after", after);
            request.query.emplace_back("wait", "1");
            const auto response = ask_(std::move(request));
            if (gone_()) return std::optional<End>{};
            if (!response) return response.error();
            const Answer answer(*response);
            clear_line();
            if (!console_.json())
                for (const Answer& entry : answer.objects("entries")) console_.note(entry_line(entry));
            const bool news = answer.text("next_after") != after;
            after = answer.text("next_after");
            if (news) continue;
            const auto end = look(id);
            if (!end || end->has_value()) return end;
            show_line(id);
        }
    }

private:
    static std::string entry_line(const Answer& entry) {
        std::string line = entry_text(entry);
        if (!line.empty()) line.pop_back();  // note() ends the line
        return line;
    }

    Result<std::optional<End>> look(const std::string& id) {
        auto response = ask_(Console::get("/v1/tasks/" + id + "/result"));
        if (gone_()) return std::optional<End>{};
        if (!response) return response.error();
        const bool is_final = Answer(*response).flag("final");
        End end = end_of(std::move(*response));
        if (is_final || end.needs_person) return std::optional<End>{std::move(end)};
        return std::optional<End>{};
    }

    // On a terminal: what it does right now, in one line that is written over.
    void show_line(const std::string& id) {
        if (console_.json() || !::isatty(STDERR_FILENO)) return;
        const auto response = ask_(Console::get("/v1/tasks/" + id + "/why"));
        if (!response) return;
        const std::string text = "\r\x1b[K" + cut_to_width(terminal_text(Answer(*response).text("text")), 100);
        [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
        line_shown_ = true;
    }
    void clear_line() {
        if (!line_shown_) return;
        line_shown_ = false;
        [[maybe_unused]] const auto n = ::write(STDERR_FILENO, "\r\x1b[K", 4);
    }

    const Console& console_;
    Ask ask_;
    std::function<bool()> gone_;
    bool line_shown_ = false;
};

Result<server::Request> submit_request(const Options& options) {
    auto definition = agent::read_agent_file(*options.agent);
    if (!definition) return definition.error();
    server::JsonText body;
    body.open().field("type", "agent").name("input").open().field("text", *options.prompt).close();
    body.field("definition", agent::encode(*definition));
    if (options.key) body.field("key", *options.key);
    if (options.deadline) body.field("deadline", *options.deadline);
    else if (definition->limits.deadline_ms)
        body.field("deadline", std::to_string(*definition->limits.deadline_ms) + "ms");
    return Console::post("/v1/tasks", body.close().str());
}

// The id to follow: of the task that was named, or of a new one.
Result<std::string> task_to_follow(const Options& options, const Ask& ask) {
    server::Request request = Console::get("/v1/tasks/" + options.task.value_or(""));
    if (!options.task) {
        auto submit = submit_request(options);
        if (!submit) return submit.error();
        request = std::move(*submit);
    }
    const auto response = ask(std::move(request));
    if (!response) return response.error();
    return Answer(*response).text("id");
}

int report(Console& console, const End& end, const std::string& id) {
    const auto state = task_state_from_string(end.state);
    const int code = state ? exit_of(*state, end.needs_person) : exit_code::store;
    if (console.json()) {
        console.out_json(end.body);
        return code;
    }
    const server::Response response{200, {}, end.body};
    if (state == TaskState::completed) {
        const Answer output = Answer(response).object("output");
        console.out((output.has("text") ? terminal_text(output.text("text"), Lines::keep)
                                        : terminal_json(raw_member(response, "output"))) +
                    "\n");
        if (output.has("finish_reason"))
            console.note("pawl: the endpoint ended the answer before the model did (" +
                         terminal_text(output.text("finish_reason")) + ")");
        return code;
    }
    const std::string why =
        Answer(response).has("error") ? ": " + Answer(response).object("error").text("message") : "";
    console.note(terminal_text("pawl: task " + id + " is " + end.state + " (" + end.reason + ")" + why));
    console.note("  " + console.pasteable(terminal_text(way_on(Answer(response), false))));
    return code;
}

// What ended in the grace time has its answer; nobody was there any more to follow it to its end.
int after_signal(Console& console, const std::string& id, int signal, const std::optional<Error>& loss) {
    if (id.empty()) return loss ? console.fail(*loss) : 128 + signal;
    auto response = console.ask(Access::read, Console::get("/v1/tasks/" + id + "/result"));
    const bool ended = response && (Answer(*response).flag("final") || Answer(*response).flag("needs_person"));
    if (ended) return report(console, end_of(std::move(*response)), id);
    if (loss) return console.fail(*loss, "`pawl run --task " + id + "`");
    console.note("pawl: handed back; go on with: " + console.command("run --task " + id));
    return 128 + signal;
}

// Works the file in this process and follows the task from a thread beside it.
int work_here(Console& console, HeldStores& held, const Options& options, std::string& id, std::string& after) {
    Working working(held);
    struct Followed {
        int exit = exit_code::ok;
        bool told = false;  // how the task ended, on stdout
    };
    Followed followed;  // by the thread below; read when that has ended
    // Set when the loop has ended. What was posted and not run by then runs while the file is closed, when all of this
    // is gone.
    const auto left = std::make_shared<std::atomic<bool>>(false);
    const Ask ask = [&](const server::Request& request) -> Result<server::Response> {
        auto answer = held.ask(request, [left] { return left->load(); });
        if (answer && !answer->ok()) return server::error_of(*answer);
        return answer;
    };
    std::thread follower([&] {
        if (id.empty()) {
            auto found = task_to_follow(options, ask);
            if (found) id = *found;
            else followed.exit = console.fail(found.error());
            if (found && !console.json())
                console.note("task " + id + "; if this ends early: " + console.command("run --task " + id));
        }
        if (!id.empty()) {
            Progress progress(console, ask, [&] { return left->load() || working.leaving(); });
            const auto end = progress.follow(id, after);
            if (!end) followed.exit = console.fail(end.error());
            else if (*end) followed = {report(console, **end, id), true};
        }
        held.main_loop().post([&working, left] {
            if (!*left) working.leave();
        });
    });
    held.work();
    const int signal = working.run();
    *left = true;
    follower.join();
    if (working.lost()) return leave_functions_behind(held, held.options().hard_stop, console.fail(*working.lost()));
    const std::optional<Error> loss = loss_of(held.close_store());
    // A signal may come when the answer has been told already.
    int code = followed.exit;
    if (signal > 0 && !followed.told) code = after_signal(console, id, signal, loss);
    else if (loss) console.fail(*loss);  // of other tasks of the file
    return leave_functions_behind(held, left_after_drain, code);
}

int run(Console& console, runtime::Registry& registry, const Options& options) {
    if (options.task.has_value() == options.agent.has_value() ||
        options.agent.has_value() != options.prompt.has_value())
        return console.fail({Errc::bad_input, "give either --agent FILE and a prompt, or --task ID"});
    if (options.prompt && options.prompt->empty())
        return console.fail({Errc::bad_input, "the prompt is empty; say what the agent is to do"}, {});
    if (options.task && (options.key || options.deadline))
        return console.fail(
            {Errc::bad_input, "--key and --deadline belong to a submit; the task of --task has its own"});
    // Before anything is opened: what is refused leaves nothing behind.
    if (options.agent)
        if (const auto definition = agent::read_agent_file(*options.agent); !definition)
            return console.fail(definition.error(), {});
    std::string id, after = "0";
    for (;;) {
        console.connection().release();
        HeldStoreOptions held_options;
        held_options.lock_wait = core::Micros{0};
        auto held = HeldStores::open(console.store(), registry, held_options);
        if (held) return work_here(console, **held, options, id, after);
        if (held.error().code != Errc::store_locked) return console.fail(held.error());

        // Somebody works the file already. When it leaves before our task is done, one of those who wait takes over.
        const Ask ask = [&](server::Request request) { return console.ask(Access::create, request); };
        if (id.empty()) {
            auto found = task_to_follow(options, ask);
            if (!found) return console.fail(found.error());
            id = *found;
            if (!console.json()) console.note("task " + id + "; another process works it");
        }
        Progress progress(console, ask, [&] { return console.connection().nobody_works(); });
        const auto end = progress.follow(id, after);
        if (!end) return console.fail(end.error());
        if (*end) return report(console, **end, id);
    }
}

}  // namespace

Verb run_verb(runtime::Registry& registry) {
    const auto declare = [&registry](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments.positional("PROMPT", options->prompt, "what the agent is asked")
            .option("--agent", "FILE", options->agent, "agent.toml: model, tools, limits")
            .option("--task", "ID", options->task, "go on with this task after a crash")
            .option("--key", "K", options->key, "idempotency key: a second run attaches to the first task")
            .option("--deadline", "D", options->deadline, "limit of the whole task: 5min, 1h, or an RFC 3339 instant")
            .footer(
                "Works the file until the task is final or needs a person; its journal goes to stderr, its answer "
                "to stdout. A crash loses nothing: `pawl run --task ID` goes on where it stopped.");
        return [options, &registry](Console& console) { return run(console, registry, *options); };
    };
    return {"run", "run an agent here, to its end", declare};
}

}  // namespace pawl::cli
