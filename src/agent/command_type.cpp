#include "agent/command_type.hpp"

#include "agent/command_tool.hpp"
#include "core/duration.hpp"
#include "core/shown.hpp"

#include <pawl/workflow.hpp>

#include <algorithm>
#include <array>

namespace pawl::agent {

namespace {

constexpr std::array<std::string_view, 6> fields{"argv", "stdin", "timeout", "effect", "env", "cwd"};

struct Command {
    ToolDefinition tool;
    std::string stdin_text;
    std::vector<std::string> argv;
};

// Read by hand: `stdin` cannot be the name of a member. Every refusal names its field.
Command read_command(const std::string& json) {
    const JsonDoc doc(json);
    const JsonIn in = doc.root();
    for (const std::string& key : in.keys())
        if (std::ranges::find(fields, key) == fields.end())
            throw JsonError("/" + core::shown(key) +
                            ": unknown field; known are argv, stdin, timeout, effect, env, cwd");
    Command command;
    ToolDefinition& tool = command.tool;
    tool.name = "command";
    const JsonIn argv = in.need("argv");
    if (argv.size() == 0) argv.refuse("a list of at least one string");
    for (std::size_t i = 0; i < argv.size(); i++) command.argv.emplace_back(argv.at(i).string());
    if (const auto text = in.find("stdin")) command.stdin_text = text->string();
    if (const auto text = in.find("effect")) tool.effect = text->string();
    if (tool.effect != "read" && tool.effect != "idempotent" && tool.effect != "once")
        in.need("effect").refuse("read, idempotent or once");
    if (const auto text = in.find("timeout")) {
        const auto length = core::parse_duration(text->string());
        if (!length || length->count() < 1'000) text->refuse("a length such as 30s or 5min");
        tool.timeout_ms = length->count() / 1'000;
    }
    if (const auto text = in.find("cwd")) tool.cwd = text->string();
    if (const auto env = in.find("env"))
        for (const std::string& name : env->keys()) tool.env[name] = env->need(name).string();
    return command;
}

CommandOutput run(const Command& command, const Attempt& attempt) {
    return run_argv(command.tool, command.argv, command.stdin_text, attempt);
}

Workflow<std::string> command_workflow(Context& ctx, std::string input) {
    const Command command = read_command(input);
    detail::StepOptions options;
    options.timeout = Duration(command.tool.timeout_ms);
    options.effect = effect_of(command.tool);
    options.intent_by_step = command.tool.effect != "read";
    options.recover = std::make_shared<const std::function<void(const std::string&)>>(end_recorded_process);
    options.result_if_told = to_json(CommandOutput{0, "", ""});
    const CommandOutput output = co_await ctx.step("command", run, command).with(options);
    if (output.exit_code != 0) {
        const std::string& said = output.stderr_text.empty() ? output.stdout_text : output.stderr_text;
        throw final_error("the command exited with " + std::to_string(output.exit_code) +
                          (said.empty() ? ", and said nothing" : ": " + said));
    }
    co_return to_json(output);
}

}  // namespace

void add_command_type(runtime::Registry& registry) {
    detail::RegisteredType& type = registry.add("command");
    type.input_schema =
        R"({"type":"object","required":["argv"],"properties":{"argv":{"type":"array","items":)"
        R"({"type":"string"},"minItems":1},"stdin":{"type":"string"},"timeout":{"type":"string"},)"
        R"("effect":{"enum":["read","idempotent","once"]},"env":{"type":"object"},"cwd":{"type":"string"}},)"
        R"("additionalProperties":false})";
    type.run = command_workflow;
}

}  // namespace pawl::agent
