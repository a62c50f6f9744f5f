#include "cli/targets.hpp"

#include "cli/answer.hpp"
#include "cli/operate.hpp"
#include "cli/table.hpp"
#include "cli/terminal_text.hpp"
#include "server/json_text.hpp"

#include <vector>

namespace pawl::cli {
namespace {

std::string count_of(std::int64_t n) { return std::to_string(n) + (n == 1 ? " task" : " tasks"); }

// The pages of one run over a filter. A task that is submitted meanwhile is on none of them.
class Sweep {
public:
    Sweep(Console& console, std::string verb, const Targets& targets, const Field& field)
        : console_(console),
          verb_(std::move(verb)),
          targets_(targets),
          field_(field),
          request_id_(targets.request_id ? *targets.request_id : new_request_id()) {}

    /// One after the other; `seen` gets each answer. Errors: of the page that could not be had.
    template <class Seen>
    Result<void> run(bool dry_run, const Seen& seen) {
        std::string cursor;
        do {
            const auto response = console_.ask(dry_run ? Access::read : Access::change, request_for(dry_run, cursor));
            if (!response) return response.error();
            is_incomplete_ = is_incomplete_ || console_.is_incomplete();
            const Answer page(*response);
            seen(page);
            cursor = page.has("next_cursor") ? page.text("next_cursor") : std::string();
        } while (!cursor.empty());
        return {};
    }

    /// A shard of the store was away when a page was asked for.
    bool is_incomplete() const { return is_incomplete_; }

private:
    server::Request request_for(bool dry_run, const std::string& cursor) const {
        server::JsonText body;
        body.open().field("verb", verb_).field("who", operator_name()).field("dry_run", dry_run);
        body.field("request_id", request_id_);
        if (field_.value) body.field(field_.name, *field_.value);
        body.close();
        server::Request request = Console::post("/v1/tasks:operate", body.take());
        const auto add = [&](const char* name, const std::optional<std::string>& value) {
            if (value) request.query.emplace_back(name, *value);
        };
        add("state", targets_.state);
        add("type", targets_.type);
        add("queue", targets_.queue);
        add("tag", targets_.tag);
        if (!cursor.empty()) request.query.emplace_back("cursor", cursor);
        return request;
    }

    Console& console_;
    const std::string verb_;
    const Targets& targets_;
    const Field& field_;
    const std::string request_id_;
    bool is_incomplete_ = false;
};

int none(const Console& console, const std::string& verb) {
    return console.fail({Errc::not_found, verb + ": no task fits the filter; nothing was changed"},
                        "`pawl list` with the same filter shows what there is");
}

int show(Console& console, Sweep& sweep, const std::string& verb) {
    Table table({"ID", "STATE", "REASON"});
    server::JsonText ids;
    ids.open('[');
    std::int64_t matched = 0;
    const auto done = sweep.run(true, [&](const Answer& page) {
        for (const Answer& task : page.objects("results")) {
            const std::string reason = task.text("reason");
            table.add({task.text("id"), task.text("state"), reason == "none" ? "-" : reason});
            ids.text(task.text("id"));
            ++matched;
        }
    });
    ids.close(']');
    if (!done) return console.fail(done.error());
    if (matched == 0) return none(console, verb);
    if (console.json()) {
        server::JsonText json;
        json.open().field("verb", verb).field("dry_run", true).field("matched", matched);
        json.raw_field("tasks", ids.str()).close();
        console.out_json(json.str());
        return exit_code::ok;
    }
    console.out(table.str());
    console.note(verb + " would be sent to " + count_of(matched) + "; nothing was changed");
    return exit_code::ok;
}

int ask_for_yes(Console& console, Sweep& sweep, const std::string& verb) {
    std::int64_t matched = 0;
    const auto done = sweep.run(true, [&](const Answer& page) { matched += page.number("matched"); });
    if (!done) return console.fail(done.error());
    if (matched == 0) return none(console, verb);
    return console.fail({Errc::bad_input, verb + ": the filter fits " + count_of(matched) + "; nothing was changed"},
                        "repeat it with --dry-run to see them, with --yes to do it");
}

int change(Console& console, Sweep& sweep, const std::string& verb) {
    std::int64_t matched = 0, changed = 0, refused = 0;
    server::JsonText refusals;
    refusals.open('[');
    const auto done = sweep.run(false, [&](const Answer& page) {
        matched += page.number("matched");
        changed += page.number("changed");
        refused += page.number("refused");
        for (const Answer& task : page.objects("results")) {
            if (!task.has("problem")) continue;
            const std::string detail = task.object("problem").text("detail");
            if (console.json()) refusals.open().field("id", task.text("id")).field("detail", detail).close();
            else console.note(terminal_text(detail));
        }
    });
    refusals.close(']');
    if (console.json() && (matched > 0 || !done)) {
        server::JsonText json;
        json.open().field("verb", verb).field("matched", matched).field("changed", changed).field("refused", refused);
        json.raw_field("refusals", refusals.str()).close();
        console.out_json(json.str());
    } else if (matched > 0) {
        console.out(verb + ": " + std::to_string(changed) + " of " + count_of(matched) + " changed" +
                    (refused > 0 ? ", " + std::to_string(refused) + " refused" : "") + "\n");
    }
    if (!done) return console.fail(done.error(), "some tasks may be done; repeat it for the rest");
    if (sweep.is_incomplete()) return exit_code::store;
    if (matched == 0) return none(console, verb);
    return refused > 0 ? exit_code::usage : exit_code::ok;
}

}  // namespace

void declare_targets(Arguments& arguments, Targets& targets) {
    arguments.positional("TASK", targets.task, "id of the task, or a unique part of it; or a filter:")
        .option("--state", "STATE,...", targets.state, "all tasks in these states")
        .option("--type", "TYPE", targets.type, "all tasks of this type")
        .option("--queue", "QUEUE", targets.queue, "all tasks of this queue")
        .option("--tag", "TAG", targets.tag, "all tasks with this tag")
        .flag("--all", targets.all, "all tasks that the verb can change")
        .flag("--dry-run", targets.dry_run, "show which tasks the filter fits, and change nothing")
        .flag("--yes", targets.yes, "do it for all that fit the filter")
        .option("--request-id", "ID", targets.request_id, "the same id again changes nothing more");
}

int operate_on(Console& console, const std::string& verb, const Targets& targets, const Field& field) {
    if (targets.task && targets.is_filter())
        return console.fail({Errc::bad_input, verb + ": a TASK and a filter were given; nothing was changed"},
                            "give one of them");
    if (!targets.task && !targets.is_filter())
        return console.fail({Errc::bad_input, verb + ": no TASK was given; nothing was changed"},
                            "give a TASK, or a filter: --state, --type, --queue, --tag, or --all");
    if (targets.task && targets.dry_run)
        return console.fail({Errc::bad_input, verb + ": --dry-run goes with a filter; nothing was changed"},
                            "`pawl why " + *targets.task + "` shows what the task is doing");
    if (targets.task) {
        server::JsonText body;
        body.open();
        if (field.value) body.field(field.name, *field.value);
        return operate(console, verb, *targets.task, std::move(body), targets.request_id);
    }
    Sweep sweep(console, verb, targets, field);
    if (targets.dry_run) return show(console, sweep, verb);
    return targets.yes ? change(console, sweep, verb) : ask_for_yes(console, sweep, verb);
}

}  // namespace pawl::cli
