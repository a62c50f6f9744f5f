// GET /v1/tasks/{id}/journal: entries after a number; waits for new ones.
#include "server/parameters.hpp"
#include "server/resources.hpp"
#include "server/task_json.hpp"

#include <limits>

namespace pawl::server {
namespace {

constexpr int entries_default = 256;
constexpr int entries_max = 1'000;
constexpr int read_at_once = 32;
constexpr std::size_t answer_bytes_max = 4u << 20;  // a single entry may be 1 MiB

struct JournalRequest {
    core::TaskId id;
    int after = 0;
    int limit = entries_default;
};

std::optional<Response> look(core::Reader& reader, const JournalRequest& asked, bool last, const Call& call) {
    // The row first: entries that come between the two reads are then shown with an older state, never a final
    // state without its last entry.
    const auto row = reader.get(asked.id);
    if (!row) return call.refusal(row.error());
    const bool news = row->last_no > asked.after;
    if (!news && !last && !is_final(row->state)) return std::nullopt;

    JsonText json;
    json.open().field("task", core::to_string(row->id)).field("state", to_string(row->state));
    json.field("reason", to_string(row->reason)).name("entries").open('[');
    int after = asked.after;
    int left = asked.limit;
    while (left > 0 && json.str().size() < answer_bytes_max) {
        const auto entries = reader.journal(row->ref, after, std::min(left, read_at_once));
        if (!entries) return call.refusal(entries.error());
        for (const core::Entry& entry : *entries) append_entry(json, entry);
        if (entries->empty()) break;
        after = entries->back().no;
        left -= static_cast<int>(entries->size());
    }
    json.close(']').field("next_after", after).field("more", after < row->last_no).close();
    return json_response(std::move(json));
}

void poll(const Call& call, core::TaskRef ref, const JournalRequest& asked, core::Micros wait) {
    call.polls->start({ref, Change::entry, wait,
                       [call, asked](core::Reader& reader, bool last) { return look(reader, asked, last, call); },
                       call.respond});
}

}  // namespace

void get_journal(Call call, std::string task) {
    Parameters parameters(*call.request);
    JournalRequest asked;
    asked.after = static_cast<int>(parameters.integer("after", 0, std::numeric_limits<int>::max(), 0));
    asked.limit = static_cast<int>(parameters.integer("limit", 1, entries_max, entries_default));
    const core::Micros wait = parameters.wait();
    if (auto errors = parameters.errors(); !errors.empty()) return call.refuse(std::move(errors));

    find_row(call, task, [call, asked, wait](const core::TaskRow& row) mutable {
        asked.id = row.id;
        poll(call, row.ref, asked, wait);
    });
}

}  // namespace pawl::server
