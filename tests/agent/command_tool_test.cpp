// One attempt of a command tool, between its intent and its end.
#include "agent/command_tool.hpp"
#include "runtime/asio_loop.hpp"
#include "runtime/attempt.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <csignal>

namespace pawl::agent {
namespace {

using namespace std::chrono_literals;

// As where its program lies on a file server that falls silent: the process has gone through the gate, and nobody knows
// whether it has begun.
TEST(CommandTool, ThatIsCutWhileItsProgramIsLoadedMayHaveBegun) {
    for (const char* effect : {"idempotent", "once"}) {
        const runtime::MachineClock clock;
        detail::AttemptState state;
        state.path = "touch#1";
        state.clock = &clock;
        state.timeout = 50ms;
        state.send_intent = [&state](const std::string& identity) {
            const auto pid = static_cast<pid_t>(decode_identity(identity).value().group);
            ::kill(pid, SIGSTOP);
            siginfo_t info{};
            ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED);
            state.answer_intent(true);
        };
        state.begin();
        ToolDefinition tool;
        tool.name = "touch";
        tool.command = {"true"};
        tool.effect = effect;

        try {
            run_command_tool(tool, "{}", Attempt(state));
            ADD_FAILURE() << effect << ": it was cut";
        } catch (const StepError& e) { EXPECT_EQ(e.cls, ErrorClass::unknown) << effect << ": " << e.what(); }
    }
}

}  // namespace
}  // namespace pawl::agent
