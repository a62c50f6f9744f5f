#include "cli/bulk.hpp"

#include "cli/answer.hpp"
#include "cli/input_text.hpp"
#include "cli/terminal_text.hpp"
#include "server/body.hpp"

#include <string_view>
#include <vector>

namespace pawl::cli {
namespace {

constexpr std::size_t file_bytes_max = 1u << 30;
// Of one request: the server takes bodies of 4 MiB, and its answer to each line is longer than a short line.
constexpr std::size_t request_bytes_max = 3u << 20;
constexpr std::size_t request_lines_max = 2'000;

struct Line {
    std::size_t number;
    std::string_view text;
};

Result<std::vector<Line>> split(std::string_view text) {
    std::vector<Line> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const auto body = server::Body::parse(line);
        if (!body) {
            return Error{body.error().code,
                         "line " + std::to_string(number) + ": " + body.error().message + "; nothing was submitted"};
        }
        lines.push_back({number, line});
    }
    return lines;
}

// Tells the answers to lines[first ...]; returns how many were refused.
std::size_t tell(const Console& console, const server::Response& response, const std::vector<Line>& lines,
                 std::size_t first) {
    const std::string raw = raw_member(response, "results");
    const auto results = server::split_array(raw);
    std::size_t refused = 0, at = first;
    std::string out;
    for (const std::string_view result : results ? *results : std::vector<std::string_view>{}) {
        server::Response one;
        one.body = result;
        const Answer answer(one);
        const std::size_t number = lines.at(at++).number;
        if (answer.has("problem")) {
            ++refused;
            if (!console.json())
                console.note("pawl: line " + std::to_string(number) + ": " +
                             terminal_text(answer.object("problem").text("detail")));
        }
        if (console.json()) {
            // The result is an object of ours, and never empty.
            out += "{\"line\":" + std::to_string(number) + "," + terminal_json(result).substr(1) + "\n";
        } else if (answer.has("task")) {
            out += terminal_text(answer.object("task").text("id")) + "\n";
        }
    }
    console.out(out);
    return refused;
}

}  // namespace

int submit_bulk(Console& console, const std::string& file) {
    const auto text = read_input(file == "-" ? file : "@" + file, file_bytes_max);
    if (!text) return console.fail(text.error(), {});
    const auto lines = split(*text);
    if (!lines) return console.fail(lines.error());

    std::size_t refused = 0;
    for (std::size_t first = 0, end = 0; first < lines->size(); first = end) {
        std::string body = "[";
        while (end < lines->size() && end - first < request_lines_max &&
               (end == first || body.size() + (*lines)[end].text.size() < request_bytes_max)) {
            if (end > first) body += ",";
            body += (*lines)[end++].text;
        }
        const auto response = console.ask(Access::create, Console::post("/v1/tasks:bulk", body + "]"));
        if (!response) {
            const std::string where = "stopped at line " + std::to_string((*lines)[first].number) + " of " + file;
            return console.fail({response.error().code, where + ": " + response.error().message});
        }
        refused += tell(console, *response, *lines, first);
    }
    return refused == 0 ? exit_code::ok : exit_code::usage;
}

}  // namespace pawl::cli
