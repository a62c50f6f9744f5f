#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/terminal_text.hpp"
#include "cli/verbs.hpp"
#include "core/shown.hpp"
#include "core/utf8.hpp"
#include "server/json_text.hpp"

#include <filesystem>
#include <memory>

namespace pawl::cli {
namespace {

int backup(Console& console, const std::string& file) {
    std::error_code failed;
    // The process that writes it may have another working directory.
    const std::string path = std::filesystem::absolute(file, failed).lexically_normal().string();
    if (file.empty() || failed) return console.fail({Errc::bad_input, "FILE is no path"});
    if (core::first_invalid_utf8(path) != path.size())
        return console.fail({Errc::bad_input, "FILE " + core::shown(path) + " is not UTF-8; name a file that is"});
    server::JsonText body;
    body.open().field("file", path).close();
    const auto response = console.ask(Access::read, Console::post("/v1/backup", body.take()));
    // What is refused here is the copy's name, never a task.
    if (!response && response.error().code == Errc::refused) return console.fail(response.error(), {});
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
    } else {
        console.out("wrote " + terminal_text(Answer(*response).text("file")) + "\n");
    }
    return exit_code::ok;
}

}  // namespace

Verb backup_verb() {
    const auto declare = [](Arguments& arguments) -> Action {
        auto file = std::make_shared<std::string>();
        arguments.required("FILE", *file, "a file that does not exist yet");
        return [file](Console& console) { return backup(console, *file); };
    };
    return {"backup", "write a consistent copy while the file is in use", declare};
}

}  // namespace pawl::cli
