#include "cli/console.hpp"

#include "cli/suggestion.hpp"
#include "cli/terminal_text.hpp"
#include "server/json_text.hpp"
#include "server/problem.hpp"

#include <algorithm>
#include <cstdio>

namespace pawl::cli {

void Console::out(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void Console::note(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fputc('\n', stderr);
}

void Console::out_json(std::string_view json) const { out(terminal_json(json) + "\n"); }

int Console::fail(const Error& error) const { return fail(error, suggestion_for(error.code)); }

int Console::fail(const Error& error, std::string_view suggestion) const {
    const int exit_code = exit_of(error.code);
    if (options_.json) {
        server::JsonText text;
        text.open().name("error").open();
        text.field("code", to_string(error.code)).field("message", error.message);
        text.text_or_null("suggestion", suggestion).field("exit_code", exit_code).close().close();
        note(terminal_json(text.str()));
        return exit_code;
    }
    note("pawl: " + terminal_text(error.message, Lines::keep));
    if (!suggestion.empty()) note("  try: " + std::string(suggestion));
    return exit_code;
}

Result<server::Response> Console::ask(Access access, const server::Request& request) {
    auto response = connection_.call(access, request);
    if (response && !response->ok()) return server::error_of(*response);
    return response;
}

bool Console::fits_header(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

server::Request Console::get(std::string path) {
    server::Request request;
    request.path = std::move(path);
    return request;
}

server::Request Console::post(std::string path, std::string body) {
    server::Request request;
    request.method = "POST";
    request.path = std::move(path);
    request.body = std::move(body);
    request.headers.emplace_back("Content-Type", "application/json");
    return request;
}

}  // namespace pawl::cli
