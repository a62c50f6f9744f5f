#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "server/json_text.hpp"

#include <memory>

namespace pawl::cli {
namespace {

struct SetOptions {
    std::string queue;
    std::optional<int> concurrency, depth_max;
    bool pause = false, resume = false;
};

std::string limit_text(const Answer& queue, std::string_view name) {
    return queue.number(name) == 0 ? "-" : queue.text(name);
}

void show(Console& console, const std::vector<Answer>& queues) {
    Table table({"QUEUE", "RUNNING", "PENDING", "WAITING", "CONCURRENCY", "DEPTH-MAX", "PAUSED"});
    for (const Answer& queue : queues) {
        table.add({queue.text("name"), queue.text("running"), queue.text("pending"), queue.text("waiting"),
                   limit_text(queue, "concurrency"), limit_text(queue, "depth_max"),
                   queue.flag("paused") ? "yes" : "no"});
    }
    console.out(table.str());
}

int list_queues(Console& console) {
    const auto response = console.ask(Access::read, Console::get("/v1/queues"));
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_answer(*response, "queues");
    } else {
        show(console, Answer(*response).objects("queues"));
    }
    return exit_code::ok;
}

int set_queue(Console& console, const SetOptions& options) {
    if (options.pause && options.resume) {
        return console.fail({Errc::bad_input, "--pause and --resume exclude each other"});
    }
    if (!options.pause && !options.resume && !options.concurrency && !options.depth_max) {
        return console.fail({Errc::bad_input, "nothing to set: give --concurrency, --depth-max, --pause or --resume"});
    }
    server::JsonText body;
    body.open();
    if (options.concurrency) body.field("concurrency", *options.concurrency);
    if (options.depth_max) body.field("depth_max", *options.depth_max);
    if (options.pause || options.resume) body.field("paused", options.pause);
    body.close();
    server::Request request = Console::post("/v1/queues/" + options.queue, body.take());
    request.method = "PUT";
    const auto response = console.ask(Access::create, request);
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
    } else {
        show(console, {Answer(*response)});
    }
    return exit_code::ok;
}

}  // namespace

Verb queue_verb() {
    const auto declare_set = [](Arguments& arguments) -> Action {
        auto options = std::make_shared<SetOptions>();
        arguments.required("QUEUE", options->queue, "name of the queue; it need not have tasks yet")
            .option("--concurrency", "N", options->concurrency,
                    "running tasks at once; 0 = no limit. Of several shards each gets its part, at least 1")
            .option("--depth-max", "N", options->depth_max, "tasks that may wait; 0 = no limit")
            .flag("--pause", options->pause, "start no task of it")
            .flag("--resume", options->resume, "start its tasks again");
        return [options](Console& console) { return set_queue(console, *options); };
    };
    Verb list{"list", "show the queues", [](Arguments&) -> Action { return list_queues; }};
    Verb set{"set", "change limits of a queue, pause or resume it", declare_set};
    return {"queue", "show queues and set their limits", {}, {std::move(list), std::move(set)}};
}

}  // namespace pawl::cli
