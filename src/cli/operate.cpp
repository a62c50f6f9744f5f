#include "cli/operate.hpp"

#include "cli/answer.hpp"
#include "cli/terminal_text.hpp"
#include "core/sha256.hpp"
#include "runtime/asio_loop.hpp"

#include <pwd.h>
#include <unistd.h>

namespace pawl::cli {

std::string new_request_id() {
    runtime::MachineRandom random;
    const std::uint64_t bits[2] = {random.next(), random.next()};
    return core::to_hex(std::string_view(reinterpret_cast<const char*>(bits), sizeof bits));
}

std::string operator_name() {
    const passwd* user = ::getpwuid(::getuid());
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    const std::string name = user ? user->pw_name : std::to_string(::getuid());
    return name + "@" + host;
}

int operate(Console& console, const std::string& verb, const std::string& task, server::JsonText body,
            const std::optional<std::string>& request_id) {
    console.about(task);
    body.field("who", operator_name());
    const std::string id = request_id ? *request_id : new_request_id();
    if (!Console::fits_header(id)) body.field("request_id", id);
    body.close();
    server::Request request = Console::post("/v1/tasks/" + task + "/" + verb, body.take());
    // One id for all tries of this command: the connection may repeat it after a cut.
    if (Console::fits_header(id)) request.headers.emplace_back("Pawl-Request-Id", id);

    const auto response = console.ask(Access::change, request);
    if (!response && response.error().code == Errc::idempotency_key_reused)
        return console.fail(response.error(), "give another --request-id, or none");
    if (!response) return console.fail(response.error());
    if (console.json()) {
        console.out_json(response->body);
        return exit_code::ok;
    }
    const Answer answer(*response);
    std::string line = answer.text("id") + "  " + answer.text("state");
    const std::string reason = answer.text("reason");
    if (reason != "none") line += " (" + reason + ")";
    if (!answer.flag("changed")) line += ", as it was";
    console.out(terminal_text(line) + "\n");
    return exit_code::ok;
}

}  // namespace pawl::cli
