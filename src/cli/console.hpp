// What every verb has at hand: the global options, the three streams, and the way to the store.
#pragma once

#include "cli/connection.hpp"
#include "cli/exit_code.hpp"
#include "server/message.hpp"

#include <pawl/result.hpp>

#include <set>
#include <string>
#include <string_view>

namespace pawl::cli {

/// What stdout gets. All but `table` are for programs: one JSON value an answer, as such or written as YAML.
enum class Shape { table, json, jsonl, yaml };

/// Global options, before or after the verb.
struct GlobalOptions {
    StoreUrl store;       ///< --store, --db, PAWL_STORE, PAWL_DB, ./pawl.db
    std::string options;  ///< what in a command line names it: "--db FILE ", or nothing
    Shape shape = Shape::table;
};

class Console {
public:
    explicit Console(GlobalOptions options, Connection::Defaults defaults = {})
        : options_(std::move(options)), connection_(options_.store, std::move(defaults)) {}

    const StoreUrl& store() const { return options_.store; }
    /// Answers are for a program, not for a person.
    bool json() const { return options_.shape != Shape::table; }
    Connection& connection() { return connection_; }

    /// Results go to stdout, everything else to stderr. Text of others must have gone through cli/terminal_text.hpp.
    void out(std::string_view text) const;
    void note(std::string_view text) const;
    /// Something could not be written to stdout: whoever prints on and on ends then.
    bool output_lost() const { return output_error_ != 0; }
    /// The exit code of a verb that would give `code`: when its output was lost, tells so, and no code is 0.
    int finish(int code) const;
    /// An answer as JSON on stdout; with -o jsonl the elements of its member `list` instead, one a line.
    void out_answer(const server::Response& response, const char* list) const;
    /// One JSON value and a line feed on stdout; with -o yaml a YAML document.
    void out_json(std::string_view json) const;

    /// Tells what failed and what to do, as one line of JSON (which is YAML, too) unless the shape is `table`. Returns
    /// the exit code.
    int fail(const Error& error) const;
    int fail(const Error& error, std::string_view suggestion) const;

    /// The task that the verb is about: what is suggested then names it in place of TASK.
    void about(std::string task) { task_ = std::move(task); }
    /// A command line that can be pasted: with --db where that was given. `words`: "why t_...".
    std::string command(std::string_view words) const;
    /// The text with every `pawl VERB ...` in it made a command line that can be pasted.
    std::string pasteable(std::string_view text) const;

    /// One request to whoever holds the file, or in process. Every status from 400 on is an error.
    Result<server::Response> ask(Access access, const server::Request& request);

    /// Shards of the store were away, and the answers are without what lies on them. finish() makes it exit code 9.
    bool is_incomplete() const { return !missing_.empty(); }

    /// Whether the text can travel as a header's value: printable ASCII.
    static bool fits_header(std::string_view text);
    /// Request for `path`, percent-encoding is not needed.
    static server::Request get(std::string path);
    static server::Request post(std::string path, std::string body);

private:
    GlobalOptions options_;
    Connection connection_;
    void tell_missing(const server::Response& response);

    std::string task_;
    std::set<std::string> missing_;  ///< shards that the newest answer was without
    mutable int output_error_ = 0;   ///< errno of the first write to stdout that failed
};

}  // namespace pawl::cli
