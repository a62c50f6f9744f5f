#include "server/task_json.hpp"

#include <chrono>

namespace pawl::server {
namespace {

std::string_view reason_text(std::int64_t number) { return to_string(static_cast<Reason>(number)); }

// What `number` means depends on the kind (core/journal.hpp); a reader of the API must not need that table.
void append_number(JsonText& json, const core::Entry& entry) {
    using core::EntryKind;
    switch (entry.kind) {
        case EntryKind::claimed:
            json.field("version", entry.number);
            return;
        case EntryKind::parked:
        case EntryKind::paused:
        case EntryKind::resumed:
        case EntryKind::failed:
        case EntryKind::cancelled:
            json.field("reason", reason_text(entry.number));
            return;
        case EntryKind::taken_over:
            json.field("crash_count", entry.number);
            return;
        case EntryKind::reopened:
            json.field("void_from", entry.number);
            return;
        case EntryKind::ending:
            json.field("ending", to_string(static_cast<core::Ending>(entry.number)));
            return;
        case EntryKind::step_started:
        case EntryKind::step_begun:
        case EntryKind::step_attempt_failed:
        case EntryKind::step_lost:
        case EntryKind::step_completed:
        case EntryKind::step_failed:
        case EntryKind::step_unknown:
        case EntryKind::step_resolved:
            json.field("attempt", entry.number);
            return;
        case EntryKind::wait_set:
            json.field("waits_for", entry.number == 1 ? "approval" : "signal");
            return;
        case EntryKind::wait_ended:
            if (entry.number == 0) json.field("timed_out", true);
            else json.field("message", entry.number);
            return;
        case EntryKind::signal_refused:
            json.field("message", entry.number);
            return;
        default:
            return;
    }
}

// A failure as such, and who asked for what happened in fields of its own.
void append_error(JsonText& json, const std::string& error) {
    if (error.empty()) return;
    const core::Asked asked = core::decode_asked(error);
    const bool is_no_failure = error.starts_with('{') && !error.starts_with(R"({"class")");
    if (!is_no_failure) {
        core::Failure failure = core::decode_failure(error);
        failure.asked = {};
        json.raw_field("error", core::encode_failure(failure));
    }
    if (!asked.by.empty()) json.field("by", asked.by);
    if (!asked.request.empty()) json.field("request", asked.request);
    if (!asked.note.empty()) json.field("note", asked.note);
}

// Leaves the object open.
void open_task(JsonText& json, const core::TaskRow& row) {
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    json.open()
        .field("id", core::to_string(row.id))
        .field("type", row.lane.type)
        .field("queue", row.lane.queue)
        .field("state", to_string(row.state))
        .field("reason", to_string(row.reason))
        .field("priority", row.priority)
        .text_or_null("key", row.key)
        .text_or_null("flow_key", row.lane.key)
        .field("created_at", row.created)
        .field("updated_at", row.updated)
        .field("due_at", row.due)
        .field("expires_at", row.expires)
        .field("deadline", row.deadline)
        .field("version", row.lane.version == 0 ? std::optional<int>() : std::optional<int>(row.lane.version))
        .field("max_attempts", row.max_attempts)
        .field("crash_count", row.crash_count)
        .field("last_entry", row.last_no)
        .field("active_ms", static_cast<std::int64_t>(duration_cast<milliseconds>(row.active).count()))
        .field("ending", row.ending == core::Ending::none ? std::optional<std::string_view>()
                                                          : std::optional<std::string_view>(to_string(row.ending)))
        .field("pause_requested", row.pause_requested)
        .field("needs_person", needs_person(row.state, row.reason));
}

void append_memo(JsonText& json, const core::Memo& memo) {
    json.name("waits_for").open('[');
    for (const core::OpenWait& wait : memo.waits) {
        json.open().field("kind", wait.is_approval ? "approval" : "signal").field("step", wait.path);
        if (!wait.is_approval) json.field("name", core::name_of_path(wait.path));
        json.field("due_at", wait.due).close();
    }
    json.close(']').field("unread_messages", memo.unread).raw_field("progress", memo.progress);
    json.name("values").open();
    for (const auto& [key, value] : memo.values) json.raw_field(key, value);
    json.close();
}

}  // namespace

void append_task(JsonText& json, const core::TaskRow& row) {
    open_task(json, row);
    json.close();
}

void append_whole_task(JsonText& json, const core::TaskRow& row, const std::vector<std::string>& tags) {
    open_task(json, row);
    json.name("tags").open('[');
    for (const std::string& tag : tags) json.text(tag);
    json.close(']');
    append_memo(json, row.memo);
    json.raw_field("input", row.input);
    json.raw_field("output", row.state == TaskState::completed ? row.output : std::string());
    json.raw_field("error", row.error).close();
}

void append_entry(JsonText& json, const core::Entry& entry, const core::TaskId* task) {
    json.open();
    if (task) json.field("cursor", core::to_string(entry.cursor)).field("task", core::to_string(*task));
    json.field("no", entry.no).field("kind", core::to_string(entry.kind)).field("at", entry.at);
    if (!entry.path.empty()) json.field("path", entry.path);
    append_number(json, entry);
    if (entry.due) json.field("due_at", *entry.due);
    if (!entry.result.empty()) json.raw_field("result", entry.result);
    append_error(json, entry.error);
    if (entry.cost_uusd != 0) json.field("cost_uusd", entry.cost_uusd);
    json.close();
}

void append_queue(JsonText& json, const core::QueueStatus& queue) {
    json.open()
        .field("name", queue.name)
        .field("concurrency", queue.concurrency)
        .field("depth_max", queue.depth_max)
        .field("paused", queue.paused)
        .field("running", queue.running)
        .field("pending", queue.pending)
        .field("waiting", queue.waiting)
        .close();
}

namespace {

void append_served(JsonText& json, const std::vector<core::ServedType>& types, const std::vector<std::string>& queues) {
    json.name("types").open('[');
    for (const core::ServedType& type : types) {
        json.open()
            .field("type", type.type)
            .field("version", type.version)
            .field("compatible_from", type.compatible_from)
            .close();
    }
    json.close(']').name("queues").open('[');
    for (const std::string& queue : queues) json.text(queue);
    json.close(']');
}

}  // namespace

void append_worker(JsonText& json, const std::optional<WorkerStatus>& worker) {
    if (!worker) {
        json.null();
        return;
    }
    json.open();
    append_served(json, worker->types, worker->queues);
    json.field("slots", worker->slots).field("busy", worker->busy).field("draining", worker->draining).close();
}

void append_worker(JsonText& json, const core::WorkerRow& worker) {
    json.open().field("id", worker.id).field("host", worker.host).field("pid", worker.pid);
    json.field("program", worker.program).field("version", worker.version);
    append_served(json, worker.types, worker.queues);
    json.field("slots", worker.slots)
        .field("busy", worker.running)
        .field("registered_at", worker.registered)
        .field("seen_at", worker.seen)
        .close();
}

bool needs_person(TaskState state, Reason reason) {
    return state == TaskState::paused || (state == TaskState::waiting && reason == Reason::approval);
}

}  // namespace pawl::server
