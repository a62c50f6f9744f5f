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
namespace {

// The API names a parameter as `?state: ...`; here it is an option.
std::string with_options(std::string message) {
    for (std::size_t at = message.find('?'); at != std::string::npos; at = message.find('?', at + 1)) {
        const bool leads = at == 0 || message.compare(at - std::min<std::size_t>(at, 2), 2, "; ") == 0;
        const std::size_t end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at + 1);
        const bool is_name = end != std::string::npos && end > at + 1 && message[end] == ':';
        if (leads && is_name) message.replace(at, 1, "--");
    }
    return message;
}

}  // namespace

void Console::out(std::string_view text) const {
    if (output_error_ != 0) return;
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
    output_error_ = errno != 0 ? errno : EIO;
}

int Console::finish(int code) const {
    if (output_error_ == 0) return code == exit_code::ok && is_incomplete() ? exit_code::store : code;
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

std::string Console::command(std::string_view words) const { return ("pawl " + options_.options).append(words); }

std::string Console::pasteable(std::string_view text) const {
    constexpr std::string_view name = "pawl ";
    std::string out;
    while (!text.empty()) {
        const bool starts = text.starts_with(name) && (out.empty() || out.back() == '`');
        const std::string_view words = text.substr(std::min(text.size(), name.size()));
        const std::string_view line = words.substr(0, words.find('`'));
        if (starts && !line.ends_with("--help") && !line.starts_with("--db") && !line.starts_with("--store")) {
            out += command({});
            text.remove_prefix(name.size());
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

int Console::fail(const Error& error) const {
    std::error_code ignored;
    const bool no_file = error.code == Errc::not_found && options_.store.is_file() &&
                         !std::filesystem::exists(options_.store.place, ignored);
    if (no_file) return fail(error, "--db names the file; `pawl submit` and `pawl worker` make it");
    std::string suggestion(suggestion_for(error.code));
    if (const auto at = suggestion.find(" TASK`"); at != std::string::npos && !task_.empty())
        suggestion.replace(at + 1, 4, terminal_text(task_));
    return fail(error, suggestion);
}

int Console::fail(const Error& error, std::string_view short_suggestion) const {
    const int exit_code = exit_of(error.code);
    const std::string suggestion = pasteable(short_suggestion), message = pasteable(with_options(error.message));
    if (json()) {
        server::JsonText text;
        text.open().name("error").open();
        text.field("code", to_string(error.code)).field("message", message);
        text.text_or_null("suggestion", suggestion).field("exit_code", exit_code).close().close();
        note(terminal_json(text.str()));
        return exit_code;
    }
    note("pawl: " + terminal_text(message, Lines::keep));
    if (!suggestion.empty()) note("  try: " + suggestion);
    return exit_code;
}

Result<server::Response> Console::ask(Access access, const server::Request& request) {
    auto response = connection_.call(access, request);
    if (response && !response->ok()) return server::error_of(*response);
    if (response && options_.store.is_sharded()) tell_missing(*response);
    return response;
}

// Told once, and again when it was back meanwhile.
void Console::tell_missing(const server::Response& response) {
    std::set<std::string> missing;
    if (response.body.find("\"missing\":[") != std::string::npos)
        for (const Answer& shard : Answer(response).objects("missing")) {
            const std::string number = shard.text("shard");
            missing.insert(number);
            if (missing_.contains(number)) continue;
            const std::string text = "shard " + number + " is missing here: " + terminal_text(shard.text("detail"));
            server::JsonText line;
            line.open().name("warning").open().field("code", "shard_missing").field("shard", shard.number("shard"));
            note(json() ? line.field("message", text).close().close().str() : "pawl: " + text);
        }
    missing_ = std::move(missing);
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
