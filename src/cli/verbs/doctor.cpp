#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"
#include "server/json_text.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace pawl::cli {
namespace {

std::string worker_line(const Answer& answer) {
    if (!answer.has("worker")) return "none works this file; start one with `pawl worker`";
    const Answer worker = answer.object("worker");
    std::string types;
    for (const Answer& type : worker.objects("types")) types += (types.empty() ? "" : ", ") + type.text("type");
    return worker.text("busy") + " busy of " + worker.text("slots") + " slots; types: " + types;
}

std::string worker_lines(const Answer& answer) {
    const std::vector<Answer> workers = answer.objects("workers");
    if (workers.empty()) return "workers none; start one with `pawl worker`\n";
    std::string lines;
    for (const Answer& worker : workers) {
        std::string types;
        for (const Answer& type : worker.objects("types"))
            types += (types.empty() ? "" : ", ") + type.text("type") + " v" + type.text("version");
        lines += (lines.empty() ? "workers " : "        ") +
                 terminal_text(worker.text("id") + ": " + worker.text("program") + " " + worker.text("version") +
                               " on " + worker.text("host") + " (pid " + worker.text("pid") + "), " +
                               worker.text("busy") + " busy of " + worker.text("slots") + " slots, last seen " +
                               worker.text("seen_at") + "; types: " + types) +
                 "\n";
    }
    return lines;
}

std::string shard_lines(const Answer& answer) {
    std::string lines;
    for (const Answer& shard : answer.objects("shards")) {
        const std::string what = shard.has("detail")
                                     ? "missing: " + shard.text("detail")
                                     : (shard.flag("ok") ? "sound: " : "damaged: ") + shard.text("store");
        lines += (lines.empty() ? "shards  " : "        ") + terminal_text(shard.text("shard") + " " + what) + "\n";
    }
    return lines;
}

// A file that is too damaged to be opened is looked at without opening it as a store. The same shape of answer.
Result<server::Response> look_inside(const Console& console, const Error& damage) {
    auto findings = store::inspect_sqlite_file(console.store().place);
    if (!findings) return findings.error();
    if (findings->empty()) findings->push_back(damage.message);
    server::JsonText json;
    json.open().field("ok", false).field("store", console.store().shown).name("findings").open('[');
    for (const std::string& finding : *findings) json.text(finding);
    json.close(']').name("tasks").null().name("worker").null().close();
    server::Response response;
    response.body = json.take();
    return response;
}

int doctor(Console& console) {
    auto response = console.ask(Access::read, Console::get("/v1/doctor"));
    const bool is_file = console.store().is_file();
    if (!response && is_file && response.error().code == Errc::store_corrupt)
        response = look_inside(console, response.error());
    if (!response) return console.fail(response.error());
    const Answer answer(*response);
    const bool sound = answer.flag("ok");
    if (console.json()) {
        console.out_json(response->body);
        return sound ? exit_code::ok : exit_code::store;
    }
    std::string out = (is_file ? "file    " : "server  ") + terminal_text(answer.text("store")) + "\n";
    const bool is_damaged = !sound && !console.is_incomplete();
    out += std::string("store   ") + (sound ? "sound" : is_damaged ? "damaged" : "not seen as a whole") + "\n";
    out += shard_lines(answer);
    for (const std::string& finding : answer.texts("findings")) out += "        " + terminal_text(finding) + "\n";
    if (!answer.has("tasks")) {  // it could not be opened
        console.out(out);
        console.note("pawl: this is a damaged Pawl store, or none; restore a backup, or name another --db");
        return exit_code::store;
    }
    const Answer counts = answer.object("tasks");
    std::string tasks;
    for (const std::string& state : counts.names()) {
        if (counts.number(state) > 0) tasks += (tasks.empty() ? "" : ", ") + counts.text(state) + " " + state;
    }
    out += "tasks   " + (tasks.empty() ? std::string("none") : tasks) + "\n";
    if (is_file) out += "worker  " + terminal_text(worker_line(answer)) + "\n";
    else out += worker_lines(answer);
    console.out(out);
    if (is_damaged || !answer.texts("findings").empty()) console.note("pawl: the file is damaged; restore a backup");
    return sound ? exit_code::ok : exit_code::store;
}

}  // namespace

Verb doctor_verb() {
    return {"doctor", "check the file deeply, and who works it", [](Arguments&) -> Action { return doctor; }};
}

}  // namespace pawl::cli
