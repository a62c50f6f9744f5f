// POST /v1/tasks and POST /v1/tasks:bulk.
#include "server/resources.hpp"
#include "server/submission.hpp"

#include <boost/json.hpp>

namespace pawl::server {
namespace {

constexpr std::size_t bulk_tasks_max = 10'000;

// What a bulk answers for one element: its problem, or its task. Filled in as commands are answered.
struct BulkItem {
    Submission submission;
    std::optional<Result<core::Submitted>> submitted;
};

void append_item(JsonText& json, const BulkItem& item, const Request& request) {
    if (item.submitted && *item.submitted) {
        json.open().field("status", status_of(**item.submitted)).name("task");
        append_submitted(json, **item.submitted);
        json.close();
        return;
    }
    const Response refusal =
        item.submitted ? problem(request, item.submitted->error())
                       : problem(request, item.submission.error, item.submission.errors, item.submission.status);
    json.open().field("status", refusal.status).name("problem").raw(refusal.body).close();
}

void answer_bulk(const Call& call, const std::vector<BulkItem>& items) {
    JsonText json;
    std::int64_t refused = 0;
    json.open().name("results").open('[');
    for (const BulkItem& item : items) {
        append_item(json, item, *call.request);
        if (!item.submitted || !*item.submitted) ++refused;
    }
    json.close(']').field("submitted", std::ssize(items) - refused).field("refused", refused).close();
    call.answer(std::move(json));
}

}  // namespace

void submit_task(Call call) {
    Submission submission = read_submission(call.request->body, call.request->header("Idempotency-Key"), *call.port);
    if (!submission.command) {
        return call.respond(problem(*call.request, submission.error, std::move(submission.errors), submission.status));
    }
    call.send(std::move(*submission.command), [call](const core::Answer& answer) {
        const auto& submitted = std::get<core::Submitted>(answer);
        Headers headers{{"Location", "/v1/tasks/" + core::to_string(submitted.id)}};
        if (submitted.replayed) headers.emplace_back("Idempotent-Replayed", "true");
        JsonText json;
        append_submitted(json, submitted);
        call.answer(std::move(json), status_of(submitted), std::move(headers));
    });
}

void submit_bulk(Call call) {
    const auto elements = split_array(call.request->body);
    if (!elements) return call.malformed(elements.error());
    if (elements->size() > bulk_tasks_max) {
        return call.refuse({Errc::too_large, std::to_string(elements->size()) + " tasks in one request; at most " +
                                                 std::to_string(bulk_tasks_max) + " are taken, send the rest apart"});
    }
    auto items = std::make_shared<std::vector<BulkItem>>();
    std::vector<core::Command> commands;
    for (const std::string_view element : *elements) {
        BulkItem item{read_submission(element, {}, *call.port), std::nullopt};
        if (item.submission.command) commands.emplace_back(std::move(*item.submission.command));
        items->push_back(std::move(item));
    }
    if (commands.empty()) return answer_bulk(call, *items);

    call.port->send(std::move(commands), [call, items](std::vector<Result<core::Answer>> answers) {
        auto next = answers.begin();
        for (BulkItem& item : *items) {
            if (!item.submission.command) continue;
            const Result<core::Answer>& answer = *next++;
            item.submitted = answer ? Result<core::Submitted>(std::get<core::Submitted>(*answer))
                                    : Result<core::Submitted>(answer.error());
        }
        answer_bulk(call, *items);
    });
}

}  // namespace pawl::server
