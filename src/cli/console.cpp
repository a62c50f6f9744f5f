#include "cli/console.hpp"

#include "cli/answer.hpp"
#include "cli/suggestion.hpp"
#include "cli/terminal_text.hpp"
#include "cli/yaml.hpp"
#include "server/body.hpp"
#include "server/json_text.hpp"
#include "server/problem.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace pawl::cli {

void Console::out(std::string_view text) const {
    if (output_error_ != 0) return;
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
    output_error_ = errno != 0 ? errno : EIO;
}

int Console::finish(int code) const {
    if (output_error_ == 0) return code;
    const std::string message = std::string("stdout could not be written (") + std::strerror(output_error_) +
                                "): the answer is lost; what the command does is done";
    const int lost = code == exit_code::ok ? exit_code::output : code;
    if (json()) {
        server::JsonText text;
        text.open().name("error").open().field("code", "output_lost").field("message", message);
        text.field("suggestion", "`pawl list` shows the tasks").field("exit_code", lost).close().close();
        note(text.str());
    } else {
        note("pawl: " + message);
    }
    return lost;
}

void Console::note(std::string_view text) const {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fputc('\n', stderr);
}

void Console::out_json(std::string_view json) const {
    const std::string shown = terminal_json(json);
    out(options_.shape == Shape::yaml ? yaml_of(shown) : shown + "\n");
}

void Console::out_answer(const server::Response& response, const char* list) const {
    if (options_.shape != Shape::jsonl) return out_json(response.body);
    const std::string raw = raw_member(response, list);
    const auto elements = server::split_array(raw);
    for (const std::string_view element : elements ? *elements : std::vector<std::string_view>{}) out_json(element);
}

int Console::fail(const Error& error) const {
    std::error_code ignored;
    const bool no_file = error.code == Errc::not_found && !std::filesystem::exists(options_.file, ignored);
    return fail(error,
                no_file ? "--db names the file; `pawl submit` and `pawl worker` make it" : suggestion_for(error.code));
}

int Console::fail(const Error& error, std::string_view suggestion) const {
    const int exit_code = exit_of(error.code);
    if (json()) {
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
