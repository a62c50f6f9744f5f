#include "cli/console.hpp"
#include "cli/engine_verbs.hpp"
#include "cli/working.hpp"
#include "core/validate.hpp"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace pawl::cli {
namespace {

struct Options {
    bool until_idle = false;
    std::optional<int> concurrency;
    std::vector<std::string> queues, types;
};

// Each may be given several times, and hold several.
std::vector<std::string> split_commas(const std::vector<std::string>& given) {
    std::vector<std::string> names;
    for (std::string_view rest : given)
        for (bool more = true; more;) {
            const std::size_t comma = rest.find(',');
            more = comma != std::string_view::npos;
            names.emplace_back(rest.substr(0, comma));
            rest.remove_prefix(more ? comma + 1 : rest.size());
        }
    return names;
}

int worker(Console& console, runtime::Registry& registry, Options options) {
    log_to_stderr("info");
    options.queues = split_commas(options.queues);
    options.types = split_commas(options.types);
    for (const std::string& queue : options.queues)
        if (const auto good = core::check_name({"--queues", queue}); !good) return console.fail(good.error());
    if (options.concurrency && (*options.concurrency < 1 || *options.concurrency > 4'096))
        return console.fail(
            {Errc::bad_input, "--concurrency: " + std::to_string(*options.concurrency) + " is outside 1 to 4096"});
    if (!options.types.empty())
        if (const auto missing = registry.keep_only(options.types); !missing.empty())
            return console.fail({Errc::bad_input, "--types: this program has no type '" + missing.front() + "'"});

    HeldStoreOptions held_options;
    held_options.holder.engine.concurrency = options.concurrency.value_or(64);
    held_options.holder.engine.queues = options.queues;
    // Not for users: shows in tests that a workflow replays, since every wait drops its frame.
    const char* park = std::getenv("PAWL_PARK_EVERYWHERE");
    held_options.holder.engine.park_everywhere = park && std::string_view(park) == "1";
    auto held = HeldStores::open(console.store(), registry, held_options);
    if (!held) return console.fail(held.error());

    Working working(**held);
    // What the loop has not run by its end runs while the file is closed, when `working` is gone.
    const auto here = std::make_shared<bool>();
    if (options.until_idle)
        (*held)->when_idle(registry, options.queues, [&working, here = std::weak_ptr(here)] {
            if (!here.expired()) working.leave();
        });
    (*held)->work();
    spdlog::info("worker: working {}, {} tasks at once", console.store().shown, held_options.holder.engine.concurrency);
    working.run();
    if (working.lost())
        return leave_functions_behind(**held, (*held)->options().hard_stop, console.fail(*working.lost()));
    int code = exit_code::ok;
    if (const auto loss = loss_of((*held)->close_store())) code = console.fail(*loss);
    return leave_functions_behind(**held, left_after_drain, code);
}

}  // namespace

Verb worker_verb(runtime::Registry& registry) {
    const auto declare = [&registry](Arguments& arguments) -> Action {
        auto options = std::make_shared<Options>();
        arguments
            .flag("--until-idle", options->until_idle,
                  "exit when nothing that it serves is running or pending (back-offs and delays are waited for)")
            .option("--concurrency", "N", options->concurrency,
                    "tasks running at once, 1 to 4096 (default 64); over all shards")
            .list("--queues", "QUEUE,...", options->queues, "only these queues (default: all)")
            .list("--types", "TYPE,...", options->types, "only these types (default: all of the program)")
            .footer(
                "SIGTERM or SIGINT: claims nothing more, hands back what runs, exits 0 within 15 s; a second one "
                "exits at once. While it runs, the other verbs talk to it over its socket.");
        return [options, &registry](Console& console) { return worker(console, registry, *options); };
    };
    return {"worker", "work the queues of the file until a signal", declare};
}

}  // namespace pawl::cli
