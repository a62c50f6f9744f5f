#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"

namespace pawl::cli {
namespace {

std::string worker_line(const Answer& answer) {
    if (!answer.has("worker")) return "none works this file; start one with `pawl worker`";
    const Answer worker = answer.object("worker");
    std::string types;
    for (const Answer& type : worker.objects("types")) types += (types.empty() ? "" : ", ") + type.text("type");
    return worker.text("busy") + " busy of " + worker.text("slots") + " slots; types: " + types;
}

int doctor(Console& console) {
    const auto response = console.ask(Access::read, Console::get("/v1/doctor"));
    if (!response) return console.fail(response.error());
    const Answer answer(*response);
    const bool sound = answer.flag("ok");
    if (console.json()) {
        console.out_json(response->body);
        return sound ? exit_code::ok : exit_code::store;
    }
    std::string out = "file    " + terminal_text(answer.text("store")) + "\n";
    out += std::string("store   ") + (sound ? "sound" : "damaged") + "\n";
    for (const std::string& finding : answer.texts("findings")) out += "        " + terminal_text(finding) + "\n";
    const Answer counts = answer.object("tasks");
    std::string tasks;
    for (const std::string& state : counts.names()) {
        if (counts.number(state) > 0) tasks += (tasks.empty() ? "" : ", ") + counts.text(state) + " " + state;
    }
    out += "tasks   " + (tasks.empty() ? std::string("none") : tasks) + "\n";
    out += "worker  " + terminal_text(worker_line(answer)) + "\n";
    console.out(out);
    if (!sound) console.note("pawl: the file is damaged; restore a backup");
    return sound ? exit_code::ok : exit_code::store;
}

}  // namespace

Verb doctor_verb() {
    return {"doctor", "check the file deeply, and who works it", [](Arguments&) -> Action { return doctor; }};
}

}  // namespace pawl::cli
