// GET /v1/tasks/{id}/why: gathers the facts; server/why.hpp says what follows from them.
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/why.hpp"

#include <algorithm>

namespace pawl::server {
namespace {

constexpr int entries_back = 200;
constexpr int queue_rows_max = 1'000;

// Ready tasks of the queue that a claim takes before this one. Bounded: beyond a thousand the number does not matter.
Result<void> count_ahead(core::Reader& reader, WhyFacts& facts) {
    core::ListFilter filter;
    filter.space = facts.row.lane.space;
    filter.queue = facts.row.lane.queue;
    filter.states = {TaskState::pending};
    filter.tasks_max = queue_rows_max;
    const auto rows = reader.list(filter);
    if (!rows) return rows.error();
    facts.ahead = std::count_if(rows->begin(), rows->end(), [&](const core::TaskRow& other) {
        const bool ready = !other.due || *other.due <= facts.now;
        return ready && std::pair(other.sort_key, other.ref) < std::pair(facts.row.sort_key, facts.row.ref);
    });
    facts.ahead_at_least = std::ssize(*rows) >= queue_rows_max;
    return {};
}

// What an approval asks stands in the journal.
Result<void> read_waits(core::Reader& reader, WhyFacts& facts) {
    constexpr std::size_t waits_shown = 3;
    const auto& waits = facts.row.memo.waits;
    for (std::size_t i = 0; i < std::min(waits.size(), waits_shown); ++i) {
        auto entry = reader.journal(facts.row.ref, waits[i].no - 1, 1);
        if (!entry) return entry.error();
        if (!entry->empty()) facts.waits.push_back(std::move(entry->front()));
    }
    return {};
}

Result<void> gather(core::Reader& reader, std::string_view task, WhyFacts& facts) {
    const auto id = find_id(reader, task);
    if (!id) return id.error();
    auto row = reader.get(*id);
    if (!row) return row.error();
    facts.row = std::move(*row);

    auto recent = reader.journal(facts.row.ref, std::max(0, facts.row.last_no - entries_back), entries_back);
    if (!recent) return recent.error();
    facts.recent = std::move(*recent);

    if (auto read = read_waits(reader, facts); !read) return read;
    const auto queues = reader.queues();
    if (!queues) return queues.error();
    for (const core::QueueStatus& queue : *queues) {
        if (queue.space == facts.row.lane.space && queue.name == facts.row.lane.queue) facts.queue = queue;
    }
    const auto workers = reader.workers();
    if (!workers) return workers.error();
    if (!workers->empty()) facts.worker = best_worker(*workers, facts.row);
    if (facts.row.state == TaskState::pending) return count_ahead(reader, facts);
    return {};
}

void append_why(JsonText& json, const WhyFacts& facts, const Why& answer) {
    json.open()
        .field("id", core::to_string(facts.row.id))
        .field("type", facts.row.lane.type)
        .field("state", to_string(facts.row.state))
        .field("reason", answer.reason)
        .field("text", answer.text)
        .name("next")
        .open('[');
    for (const std::string& command : answer.next) json.text(command);
    json.close(']')
        .field("until", answer.until)
        .text_or_null("step", answer.step)
        .field("attempt", answer.attempt == 0 ? std::optional<int>() : std::optional<int>(answer.attempt))
        .raw_field("error", answer.error ? core::encode_failure(*answer.error) : std::string())
        .field("ahead", answer.ahead)
        .close();
}

}  // namespace

void get_why(Call call, std::string task) {
    Parameters parameters(*call.request);
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    auto facts = std::make_shared<WhyFacts>();
    auto gathered = std::make_shared<Result<void>>();
    facts->now = call.port->store_now();
    facts->wall = call.port->clock().wall();
    call.port->read([facts, gathered, task](core::Reader& reader) { *gathered = gather(reader, task, *facts); },
                    [call, facts, gathered] {
                        if (!*gathered) return call.refuse(gathered->error());
                        // What runs is asked of the port on its own thread, after the row was read: a step that started
                        // since then is news, not a contradiction.
                        if (!facts->worker) facts->worker = call.port->worker();
                        facts->live = call.port->live_steps(facts->row.ref);
                        JsonText json;
                        append_why(json, *facts, why(*facts));
                        call.answer(std::move(json));
                    });
}

}  // namespace pawl::server
