#include "options.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <vector>

namespace bench {
namespace {

constexpr std::string_view usage_text =
    "usage: pawl_bench [W1 W2 W3 W4 W7 W8 fleet claims idle] [--workload W] [--k N] [--form loop|pool]\n"
    "                  [--workers N] [--store sqlite|postgres|postgres://...] [--shards N] [--quick] [--json FILE]\n"
    "                  [--dir DIR]\n"
    "  --store URL  SQLite files (default), or schemas of a PostgreSQL server; `postgres` is the one that\n"
    "               PAWL_TEST_POSTGRES names (./dev bench starts one)\n"
    "  fleet, claims  PostgreSQL only: W1 and W2 by 1, 2 and 4 processes (--workers N: by so many); claims with a\n"
    "               million tasks queued\n"
    "  --quick      the whole run within 40 s\n"
    "  --json FILE  the figures as JSON, too\n"
    "  --skip-limits  do not measure the machine: for profiles of a workload\n"
    "  --shards N   on PostgreSQL: each store has N schemas (default 1)\n"
    "  --dir DIR    where the stores are made: on the disk to be measured (default: beside the program)\n";

const std::vector<std::string> known{"W1", "W2", "W3", "W4", "W7", "W8", "fleet", "claims", "idle"};

std::optional<std::string> workload_of(std::string name) {
    for (const std::string& workload : known) {
        const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
        if (std::ranges::equal(name, workload, same)) return workload;
    }
    return std::nullopt;
}

// Where an option's value goes that may be any text.
std::string* text_option(Options& options, const std::string& word) {
    if (word == "--json") return &options.json;
    if (word == "--dir") return &options.folder;
    if (word == "--child") return &options.child;
    if (word == "--child-store") return &options.child_store;
    if (word == "--child-type") return &options.child_type;
    if (word == "--child-board") return &options.child_board;
    return nullptr;
}

std::nullopt_t refuse(const std::string& text, int& exit_code) {
    std::cerr << "pawl_bench: " << text << "\n" << usage_text;
    exit_code = 2;
    return std::nullopt;
}

std::optional<int> number_in(const std::string& value, int most) {
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || *end != '\0' || number < 1 || number > most) return std::nullopt;
    return number;
}

}  // namespace

std::optional<Options> parse(int argc, char** argv, int& exit_code) {
    Options options;
    const std::vector<std::string> words(argv + 1, argv + argc);
    for (std::size_t i = 0; i < words.size(); i++) {
        const std::string& word = words[i];
        if (word == "--help" || word == "-h") {
            std::cout << usage_text;
            exit_code = 0;
            return std::nullopt;
        }
        if (word == "--quick") {
            options.quick = true;
            continue;
        }
        if (word == "--skip-limits") {
            options.skip_limits = true;
            continue;
        }
        if (!word.starts_with("--")) {
            const auto workload = workload_of(word);
            if (!workload) return refuse("no workload " + word, exit_code);
            options.workloads.insert(*workload);
            continue;
        }
        if (i + 1 == words.size()) return refuse(word + " is unknown or needs a value", exit_code);
        const std::string& value = words[++i];
        if (word == "--workload") {
            const auto workload = workload_of(value);
            if (!workload) return refuse("no workload " + value, exit_code);
            options.workloads.insert(*workload);
        } else if (word == "--k" || word == "--workers" || word == "--child-no") {
            const auto number = number_in(value, std::numeric_limits<int>::max());
            if (!number) return refuse(word + " " + value + " is no number above 0", exit_code);
            if (word == "--k") options.k = number;
            else if (word == "--workers") options.workers = number;
            else options.child_no = *number;
        } else if (word == "--form") {
            if (value != "loop" && value != "pool") return refuse("--form " + value + ": loop or pool", exit_code);
            options.form = value;
        } else if (word == "--store") {
            const char* server = std::getenv("PAWL_TEST_POSTGRES");
            const bool is_url = value.starts_with("postgres://") || value.starts_with("postgresql://");
            if (value != "sqlite" && value != "postgres" && !is_url)
                return refuse("--store " + value + ": sqlite, postgres or a URL", exit_code);
            if (value == "postgres" && !server) return refuse("PAWL_TEST_POSTGRES names no server", exit_code);
            options.server = is_url ? value : value == "postgres" ? server : "";
        } else if (word == "--shards") {
            options.shards = number_in(value, 256).value_or(0);
            if (options.shards == 0) return refuse("--shards " + value + " is no number from 1 to 256", exit_code);
        } else if (std::string* text = text_option(options, word)) {
            *text = value;
        } else {
            return refuse("no option " + word, exit_code);
        }
    }
    for (const char* name : {"fleet", "claims"})
        if (options.server.empty() && options.workloads.contains(name))
            return refuse(std::string(name) + " needs --store postgres: a file has one worker", exit_code);
    return options;
}

}  // namespace bench
