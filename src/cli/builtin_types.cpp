// Types that need no code of a user.
#include "agent/agent_loop.hpp"
#include "agent/command_type.hpp"
#include "cli/program.hpp"

#include <pawl/workflow.hpp>

#include <cmath>

namespace pawl::cli {

namespace {

struct SleepInput {
    double seconds = 0;
};
BOOST_DESCRIBE_STRUCT(SleepInput, (), (seconds))

// JSON that stays as it came, digit for digit.
struct AsIs {
    std::string json;
};
void tag_invoke(to_json_t, JsonOut& out, const AsIs& value) { out.raw(value.json); }
AsIs tag_invoke(from_json_t<AsIs>, const JsonIn& in) { return {in.text()}; }

// One step whose result is its input: the shortest task there is, for trying things out. What it returns is the input
// itself: a parsed number would not keep its digits.
AsIs same(const std::string& input) { return {input}; }

Workflow<std::string> echo(Context& ctx, std::string input) {
    co_await ctx.step("echo", same, input).on_loop();
    co_return input;
}

Workflow<std::string> sleep_then_return(Context& ctx, std::string json) {
    const auto input = from_json<SleepInput>(json);
    if (!(input.seconds >= 0 && input.seconds <= 315'360'000))
        throw JsonError("/seconds: expected 0 to 315360000 (ten years)");
    co_await ctx.sleep(Duration(std::llround(input.seconds * 1'000)));
    co_return json;
}

}  // namespace

void add_builtin_types(runtime::Registry& registry) {
    detail::RegisteredType& echo_type = registry.add("echo");
    echo_type.input_schema = "{}";
    echo_type.run = echo;
    detail::RegisteredType& sleep_type = registry.add("sleep");
    sleep_type.input_schema = schema_of<SleepInput>();
    sleep_type.run = sleep_then_return;
    agent::add_command_type(registry);
    agent::add_agent_type(registry);
}

}  // namespace pawl::cli
