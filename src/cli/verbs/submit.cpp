#include "agent/agent_file.hpp"
#include "agent/agent_loop.hpp"
#include "cli/answer.hpp"
#include "cli/bulk.hpp"
#include "cli/console.hpp"
#include "cli/input_text.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"
#include "core/canonical_json.hpp"
#include "server/json_text.hpp"

#include <pawl/json.hpp>

#include <memory>

namespace pawl::cli {
namespace {

struct Options {
    std::optional<std::string> type, input, bulk, agent;
    std::optional<std::string> key, queue, deadline, delay, queue_timeout, on_existing, flow_key;
    std::optional<int> priority, max_attempts;
    std::vector<std::string> tags;
};

bool begins_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos &&
           std::string_view("{[\"-0123456789").find(text[first]) != std::string_view::npos;
}

// An agent's task has one kind of input; whatever else would fail when it is worked.
Result<void> check_prompt(const std::string& input) {
    const std::string shape = "; an agent takes {\"text\": \"...\"}";
    try {
        const JsonDoc doc(input);
        if (!doc.root().need("text").string().empty()) return {};
        return Error{Errc::bad_input, "input: its text is empty" + shape};
    } catch (const JsonError& e) { return Error{Errc::bad_input, std::string("input: ") + e.what() + shape}; }
}

// The rules of the fields are the router's; here only the input, which must be JSON to stand in the body.
Result<std::string> body_of(const Options& options) {
    const auto input = read_input(options.input.value_or("null"), input_file_bytes_max);
    if (!input) return input.error();
    if (auto valid = core::check_json(*input); !valid) {
        const bool bare_text = valid.error().code == Errc::bad_input && !begins_like_json(*input);
        return Error{valid.error().code,
                     "input: " + valid.error().message + (bare_text ? " (a text goes in quotes: '\"hello\"')" : "")};
    }
    if (options.agent)
        if (auto fits = check_prompt(*input); !fits) return fits.error();
    server::JsonText body;
    body.open().field("type", *options.type).raw_field("input", *input);
    std::optional<std::string> deadline = options.deadline;
    if (options.agent) {
        const auto definition = agent::read_agent_file(*options.agent);
        if (!definition) return definition.error();
        body.field("definition", agent::encode(*definition));
        const auto limit_ms = definition->limits.deadline_ms;
        if (!deadline && limit_ms) deadline = std::to_string(*limit_ms) + "ms";
    }
    const auto add = [&](const char* name, const auto& value) {
        if (value) body.field(name, *value);
    };
    add("key", options.key);
    add("queue", options.queue);
    add("priority", options.priority);
    add("deadline", deadline);
    add("delay", options.delay);
    add("queue_timeout", options.queue_timeout);
    add("max_attempts", options.max_attempts);
    add("on_existing", options.on_existing);
    add("flow_key", options.flow_key);
    if (!options.tags.empty()) {
        body.name("tags").open('[');
        for (const std::string& tag : options.tags) body.text(tag);
        body.close(']');
    }
    body.close();
    return body.take();
}

// What stands beside --bulk, which takes everything from its lines.
std::string beside_bulk(const Options& o) {
    const std::pair<const char*, bool> given[] = {
        {"TYPE", o.type.has_value()},
        {"JSON", o.input.has_value()},
        {"--key", o.key.has_value()},
        {"--queue", o.queue.has_value()},
        {"--priority", o.priority.has_value()},
        {"--deadline", o.deadline.has_value()},
        {"--delay", o.delay.has_value()},
        {"--queue-timeout", o.queue_timeout.has_value()},
        {"--max-attempts", o.max_attempts.has_value()},
        {"--on-existing", o.on_existing.has_value()},
        {"--flow-key", o.flow_key.has_value()},
        {"--tag", !o.tags.empty()},
        {"--agent", o.agent.has_value()},
    };
    std::string names;
    for (const auto& [name, is_given] : given)
        if (is_given) names += (names.empty() ? "" : ", ") + std::string(name);
    return names;
}

int submit(Console& console, const Options& options) {
    if (options.bulk) {
        if (const std::string names = beside_bulk(options); !names.empty())
            return console.fail({Errc::bad_input, "--bulk takes everything from the file's lines, also what " + names +
                                                      " says; nothing was submitted"});
        return submit_bulk(console, *options.bulk);
    }
    if (!options.type) return console.fail({Errc::bad_input, "TYPE is missing"}, "`pawl submit echo '\"hello\"'`");
    if (options.agent && *options.type != agent::agent_type_name)
        return console.fail({Errc::bad_input, "--agent goes with the type agent"},
                            "`pawl submit agent '{\"text\": \"...\"}' --agent FILE`");
    const auto body = body_of(options);
    if (!body) return console.fail(body.error(), {});
    server::Request request = Console::post("/v1/tasks", *body);
    // A key in the header as well: the connection may then repeat the request after a cut.
    if (options.key && Console::fits_header(*options.key))
        request.headers.emplace_back("Idempotency-Key", *options.key);

    const auto response = console.ask(Access::create, request);
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
        return exit_code::ok;
    }
    const Answer answer(*response);
    console.out(terminal_text(answer.text("id")) + "\n");
    if (answer.flag("replayed")) {
        console.note("pawl: this key's task was submitted before; it is " + terminal_text(answer.text("state")));
    }
    return exit_code::ok;
}

}  // namespace

Verb submit_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto o = std::make_shared<Options>();
        arguments.positional("TYPE", o->type, "what runs, for example echo")
            .positional("JSON", o->input, "its input; @FILE, or - for stdin; default null")
            .option("--key", "K", o->key, "idempotency key: the same key and input give the same task")
            .option("--queue", "Q", o->queue, "queue, default \"default\"")
            .option("--priority", "N", o->priority, "-100 to 100, higher first, default 0")
            .option("--deadline", "D", o->deadline, "30s, 5min, 1h from now, or 2030-01-01T00:00:00Z")
            .option("--delay", "D", o->delay, "first start no earlier than this from now")
            .option("--queue-timeout", "D", o->queue_timeout, "fail when it was not started by then")
            .option("--max-attempts", "N", o->max_attempts, "for steps that set none; 0 = no limit, needs a deadline")
            .option("--on-existing", "WHAT", o->on_existing, "attach (default), reject, retry_if_failed, replace")
            .option("--flow-key", "K", o->flow_key, "flow-control key (tenant, user)")
            .list("--tag", "TAG", o->tags, "may be given several times")
            .option("--agent", "FILE", o->agent, "of the type agent: its model, tools and limits")
            .option("--bulk", "FILE", o->bulk,
                    "many tasks: one {\"type\", \"input\", \"key\", ...} a line; - for stdin");
        return [o](Console& console) { return submit(console, *o); };
    };
    return {"submit", "store a task and print its id", declare};
}

}  // namespace pawl::cli
