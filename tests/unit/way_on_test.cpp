// What a person is told to do next.
#include "cli/way_on.hpp"

#include "core/command.hpp"
#include "server/json_text.hpp"

#include <gtest/gtest.h>

namespace pawl::cli {
namespace {

std::string way_on_of_pause(const std::string& reason, std::string_view text) {
    server::JsonText body;
    body.open().field("id", "t_1").field("state", "paused").field("reason", reason).field("needs_person", true);
    body.name("error").open().field("message", text).close();
    return way_on(Answer(server::Response{200, {}, body.close().str()}), false);
}

TEST(WayOn, ASpentBudgetIsRaisedByANewSubmit) {
    EXPECT_NE(way_on_of_pause("budget", "100 model calls").find("with a higher limit"), std::string::npos);
}

TEST(WayOn, NoLimitMakesRoomInAFullJournal) {
    const std::string text = way_on_of_pause("budget", core::journal_full_text);
    EXPECT_EQ(text.find("higher limit"), std::string::npos) << text;
    EXPECT_NE(text.find("smaller tasks"), std::string::npos) << text;
}

}  // namespace
}  // namespace pawl::cli
