#include "agent/command_tool.hpp"

#include "agent/placeholder.hpp"
#include "agent/process.hpp"
#include "core/utf8.hpp"
#include "runtime/attempt.hpp"

#include <spdlog/spdlog.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

namespace pawl::agent {

void tag_invoke(to_json_t, JsonOut& out, const ToolResult& result) {
    out.begin_object();
    out.key("content");
    out.string(result.content);
    out.key("error");
    out.boolean(result.error);
    out.end_object();
}

ToolResult tag_invoke(from_json_t<ToolResult>, const JsonIn& in) {
    if (in.text().starts_with('"')) return {std::string(in.string()), false};
    const auto error = in.find("error");
    return {std::string(in.need("content").string()), error && error->boolean()};
}

namespace {

// Readable once the attempt is to stop.
class StopEvent {
public:
    StopEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    ~StopEvent() { ::close(fd_); }
    StopEvent(const StopEvent&) = delete;
    StopEvent& operator=(const StopEvent&) = delete;
    int fd() const { return fd_; }

private:
    const int fd_;
};

// Tells the event of a stop. A kill is passed on at once to `group`, whose number is its own for as long as this lives.
class StopSignal {
public:
    StopSignal(const Attempt& attempt, const StopEvent& event, std::int64_t group = 0) : attempt_(attempt) {
        detail::set_stop_hook(attempt_, [fd = event.fd(), group](int level) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
            if (level >= 2 && group > 1) ::kill(static_cast<pid_t>(-group), SIGKILL);
        });
    }
    ~StopSignal() { detail::set_stop_hook(attempt_, {}); }
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

private:
    const Attempt& attempt_;
};

// Who works the task, as people and receivers name it; the fence beside it says which of its claims.
std::string worker_id() {
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    return std::string(host) + ":" + std::to_string(::getpid());
}

ProcessSpec spec_of(const ToolDefinition& tool, std::vector<std::string> argv, const std::string& arguments,
                    const Attempt& attempt) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.environment = {{"PAWL_IDEMPOTENCY_KEY", attempt.key()},
                        {"PAWL_FENCE", std::to_string(attempt.fence())},
                        {"PAWL_WORKER", worker_id()}};
    for (const auto& [name, value] : tool.env) spec.environment.emplace_back(name, value);
    spec.cwd = tool.cwd;
    spec.stdin_text = arguments;
    spec.stdout_max = 256 * 1024;
    return spec;
}

WaitLimits limits_of(const Attempt& attempt, int stop_fd) {
    WaitLimits limits;
    limits.deadline =
        std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                               attempt.deadline() - std::chrono::system_clock::now());
    limits.stop_fd = stop_fd;
    return limits;
}

std::string output_of(const ProcessOutcome& outcome) {
    std::string text = outcome.out;
    if (outcome.out_cut) text += "\n[cut: the output was longer]";
    return text;
}

// It may have done its work all the same, unless there is none to do.
[[noreturn]] void cut_off(const ToolDefinition& tool, const std::string& what) {
    if (tool.effect == "read") throw retryable(what);
    throw unknown_outcome(what);
}

ToolResult result_of(const ToolDefinition& tool, const ProcessOutcome& outcome) {
    using End = ProcessOutcome::End;
    if (outcome.end == End::exited && outcome.exit_code == 0) return {core::valid_utf8(output_of(outcome)), false};
    const std::string what = tool.name + " " + outcome.describe();
    if (outcome.end == End::exited || outcome.end == End::signalled) {
        std::string text = what + "\n" + output_of(outcome);
        if (!outcome.err.empty()) text += "\nstderr: " + outcome.err;
        return {core::valid_utf8(text), true};
    }
    cut_off(tool, what);
}

Result<Process> start_process(const ProcessSpec& spec, const Attempt& attempt, const StopEvent& stopped) {
    const StopSignal stop(attempt, stopped);
    return Process::start(spec, limits_of(attempt, stopped.fd()));
}

bool is_cut(const Error& error) { return error.code == Errc::timed_out || error.code == Errc::stopping; }

ProcessOutcome run_process(const ToolDefinition& tool, const ProcessSpec& spec, const Attempt& attempt) {
    const StopEvent stopped;
    auto process = start_process(spec, attempt, stopped);
    if (!process && is_cut(process.error()))
        throw retryable("tool " + tool.name + " was not started: " + process.error().message);
    if (!process) throw final_error("tool " + tool.name + " could not start: " + process.error().message);
    // A tool that only reads may be cut and repeated: it needs no record of its process.
    if (tool.effect != "read" && !detail::begin_effect(attempt, encode_identity(process->identity())))
        throw retryable("tool " + tool.name + " was not started: the attempt was stopped before");
    const StopSignal stop(attempt, stopped, process->identity().group);
    const WaitLimits limits = limits_of(attempt, stopped.fd());
    if (auto released = process->release(limits); !released) {
        const std::string what = "tool " + tool.name + " could not start: " + released.error().message;
        if (!is_cut(released.error())) throw final_error(what);
        cut_off(tool, what);  // it may have begun between that and its end
    }
    return process->wait(limits);
}

}  // namespace

ToolResult run_command_tool(const ToolDefinition& tool, const std::string& arguments, const Attempt& attempt) {
    auto argv = fill_in(tool, tool.command, arguments);
    if (!argv) throw final_error(argv.error().message);
    return result_of(tool, run_process(tool, spec_of(tool, std::move(*argv), arguments, attempt), attempt));
}

CommandOutput run_argv(const ToolDefinition& tool, const std::vector<std::string>& argv, const std::string& stdin_text,
                       const Attempt& attempt) {
    using End = ProcessOutcome::End;
    const ProcessOutcome outcome = run_process(tool, spec_of(tool, argv, stdin_text, attempt), attempt);
    if (outcome.end != End::exited && outcome.end != End::signalled) {
        cut_off(tool, "the command " + outcome.describe());
    }
    return {outcome.end == End::exited ? outcome.exit_code : 128 + outcome.signal, core::valid_utf8(output_of(outcome)),
            core::valid_utf8(outcome.err)};
}

void tag_invoke(to_json_t, JsonOut& out, const CommandOutput& output) {
    out.begin_object();
    out.key("exit_code");
    out.integer(static_cast<std::int64_t>(output.exit_code));
    out.key("stdout");
    out.string(output.stdout_text);
    out.key("stderr");
    out.string(output.stderr_text);
    out.end_object();
}

CommandOutput tag_invoke(from_json_t<CommandOutput>, const JsonIn& in) {
    return {static_cast<int>(in.need("exit_code").integer()), std::string(in.need("stdout").string()),
            std::string(in.need("stderr").string())};
}

std::optional<ToolResult> run_check(const ToolDefinition& tool, const std::string& arguments, const Attempt& attempt) {
    auto argv = fill_in(tool, tool.check, arguments);
    if (!argv) throw unknown_outcome("the check could not be made: " + argv.error().message);
    const StopEvent stopped;
    auto process = start_process(spec_of(tool, std::move(*argv), arguments, attempt), attempt, stopped);
    if (!process) throw unknown_outcome("the check could not start: " + process.error().message);
    const StopSignal stop(attempt, stopped, process->identity().group);
    const WaitLimits limits = limits_of(attempt, stopped.fd());
    if (auto released = process->release(limits); !released)
        throw unknown_outcome("the check could not start: " + released.error().message);
    const ProcessOutcome outcome = process->wait(limits);
    if (outcome.end == ProcessOutcome::End::exited && outcome.exit_code == 0)
        return ToolResult{core::valid_utf8(output_of(outcome)), false};
    if (outcome.end == ProcessOutcome::End::exited && outcome.exit_code == 1) return std::nullopt;
    throw unknown_outcome("the check " + outcome.describe());
}

void end_recorded_process(const std::string& identity) {
    const auto decoded = decode_identity(identity);
    if (!decoded) return;  // a step that was not a command recorded it
    if (const auto ended = kill_if_same(*decoded); !ended) throw unknown_outcome(ended.error().message);
}

void end_recorded_processes(const std::vector<std::string>& identities, core::Micros limit) {
    std::vector<ProcessIdentity> processes;
    for (const std::string& identity : identities)
        if (auto decoded = decode_identity(identity)) processes.push_back(std::move(*decoded));
    for (const auto& ended : kill_all_same(processes, limit))
        if (!ended) spdlog::error("{}; the worker that claims its task asks a person", ended.error().message);
}

}  // namespace pawl::agent
