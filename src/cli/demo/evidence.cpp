#include "cli/demo/evidence.hpp"

#include "cli/terminal_text.hpp"
#include "core/step_key.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace pawl::cli::demo {

namespace {

using core::EntryKind;

std::string seconds(core::Micros length) {
    char text[32];
    std::snprintf(text, sizeof text, "%7.3f s", static_cast<double>(length.count()) / 1e6);
    return text;
}

// The keys of steps whose result was on disk when the process died.
std::set<std::string> recorded_before(const Evidence& evidence, int killed_after) {
    std::set<std::string> keys;
    for (const core::Entry& entry : evidence.journal)
        if (entry.kind == EntryKind::step_completed && entry.no <= killed_after)
            keys.insert(core::step_key(evidence.task.id, entry.path, 0));
    return keys;
}

Finding each_step_once(const Evidence& evidence) {
    std::map<std::string, int> results;
    for (const core::Entry& entry : evidence.journal)
        if (entry.kind == EntryKind::step_completed || entry.kind == EntryKind::step_failed) results[entry.path]++;
    const bool once = std::ranges::all_of(results, [](const auto& r) { return r.second == 1; });
    return {"each step has exactly one recorded result", once && !results.empty(),
            std::to_string(results.size()) + " steps"};
}

Finding nothing_executed_again(const Evidence& evidence, const Sandbox& sandbox, int killed_after,
                               std::int64_t restarted_us, const std::vector<ModelRequest>& models) {
    const auto recorded = recorded_before(evidence, killed_after);
    int again = 0;
    for (const auto& start : sandbox.ledger())
        if (start.at_us >= restarted_us && recorded.contains(start.key)) again++;
    for (const auto& request : models)
        if (request.at_us >= restarted_us && recorded.contains(request.key)) again++;
    return {"no finished step was executed again", again == 0,
            std::to_string(recorded.size()) + " were finished before the kill, " + std::to_string(again) +
                " executed after it"};
}

Finding resumed(const Evidence& evidence, int killed_after) {
    const auto next = std::ranges::find_if(evidence.journal, [&](const auto& e) { return e.no == killed_after + 1; });
    const bool final_before = next == evidence.journal.end();
    const bool taken = !final_before && next->kind == EntryKind::taken_over;
    return {"resumed where it stopped", final_before || taken,
            final_before
                ? "it was already complete"
                : "entry " + std::to_string(killed_after + 1) + " is " + std::string(core::to_string(next->kind))};
}

}  // namespace

bool Evidence::all_hold() const {
    return std::ranges::all_of(findings, [](const Finding& f) { return f.holds; });
}

Result<Evidence> collect(const Sandbox& sandbox, int killed_after, std::int64_t restarted_us,
                         const std::vector<ModelRequest>& models) {
    auto reader = store::open_sqlite_reader(sandbox.db());
    if (!reader) return reader.error();
    Evidence evidence;
    auto task = (*reader)->get(core::TaskRef{1});
    if (!task) return task.error();
    evidence.task = std::move(*task);
    auto journal = (*reader)->journal(evidence.task.ref, 0, 10'000);
    if (!journal) return journal.error();
    evidence.journal = std::move(*journal);

    evidence.findings.push_back({"the task completed", evidence.task.state == TaskState::completed,
                                 std::string(to_string(evidence.task.state))});
    if (killed_after > 0) evidence.findings.push_back(resumed(evidence, killed_after));
    evidence.findings.push_back(each_step_once(evidence));
    if (killed_after > 0)
        evidence.findings.push_back(nothing_executed_again(evidence, sandbox, killed_after, restarted_us, models));
    const int cleaned = sandbox.times_cleaned();
    evidence.findings.push_back({"clean_logs had its effect one time only", cleaned == 1,
                                 std::to_string(cleaned) + (cleaned == 1 ? " time" : " times") + ", by the folder"});
    evidence.findings.push_back({"the disk is below its limit", sandbox.used_bytes() <= Sandbox::limit_bytes,
                                 std::to_string(sandbox.used_bytes() * 100 / Sandbox::limit_bytes) + " % used"});

    boost::system::error_code error;
    const auto output = boost::json::parse(evidence.task.output, error);
    if (!error && output.is_object())
        if (const auto* text = output.get_object().if_contains("text"); text && text->is_string())
            evidence.answer = std::string(text->get_string());
    return evidence;
}

std::string timeline(const Evidence& evidence, int killed_after) {
    std::string out;
    if (evidence.journal.empty()) return out;
    const core::Instant start = evidence.journal.front().at;
    core::Instant last = start;
    for (const core::Entry& entry : evidence.journal) {
        if (killed_after > 0 && entry.no == killed_after + 1)
            out += "             ~~~~ kill -9: nothing for " + seconds(entry.at - last) + ", then a new process ~~~~\n";
        std::string line = seconds(entry.at - start) + "  " + std::to_string(entry.no) + "  " +
                           std::string(core::to_string(entry.kind));
        if (!entry.path.empty()) line += "  " + terminal_text(entry.path);
        if (!entry.result.empty()) line += "  " + terminal_text(entry.result);
        out += cut_to_width(line, 110) + "\n";
        last = entry.at;
    }
    return out;
}

}  // namespace pawl::cli::demo
