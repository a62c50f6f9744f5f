#include "core/journal.hpp"
#include "core/task_row.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace pawl;

TEST(Names, EveryErrorCodeIsFoundAgainByItsName) {
    std::set<std::string_view> seen;
    for (int i = 0; i <= static_cast<int>(Errc::stopping); ++i) {
        const auto code = static_cast<Errc>(i);
        EXPECT_EQ(errc_from_string(to_string(code)), code);
        EXPECT_TRUE(seen.insert(to_string(code)).second) << to_string(code);
    }
    EXPECT_EQ(seen.count("unknown"), 0u);
}

TEST(Names, AnUnknownErrorCodeIsTakenAsAnUnknownOutcome) {
    EXPECT_EQ(errc_from_string("from_the_future"), Errc::store_unavailable);
    EXPECT_EQ(errc_from_string(""), Errc::store_unavailable);
}

TEST(Names, EveryTaskStateIsFoundAgainByItsName) {
    for (int i = 0; i <= static_cast<int>(TaskState::cancelled); ++i) {
        const auto state = static_cast<TaskState>(i);
        EXPECT_EQ(task_state_from_string(to_string(state)), state);
    }
    EXPECT_EQ(task_state_from_string("Pending"), std::nullopt);
    EXPECT_EQ(task_state_from_string("unknown"), std::nullopt);
}

TEST(Names, ReasonsAreDistinctAndTheOperatorsIsSpelledAsInTheVocabulary) {
    std::set<std::string_view> seen;
    for (int i = 0; i <= static_cast<int>(Reason::killed); ++i) {
        EXPECT_TRUE(seen.insert(to_string(static_cast<Reason>(i))).second) << i;
    }
    EXPECT_EQ(seen.count("unknown"), 0u);
    EXPECT_EQ(to_string(Reason::by_operator), "operator");
}

TEST(Names, EntryKindsKeepTheirNumbersAndNames) {
    // The numbers are on disk: this list only ever grows.
    const std::pair<int, std::string_view> on_disk[] = {
        {1, "submitted"},     {2, "claimed"},          {3, "parked"},
        {4, "woken"},         {5, "handed_back"},      {6, "taken_over"},
        {7, "paused"},        {8, "resumed"},          {9, "completed"},
        {10, "failed"},       {11, "cancelled"},       {12, "reopened"},
        {13, "ending"},       {14, "pause_requested"}, {15, "signalled"},
        {16, "answered"},     {17, "patched"},         {18, "progress"},
        {19, "value_set"},    {40, "step_started"},    {41, "step_attempt_failed"},
        {42, "step_lost"},    {43, "step_completed"},  {44, "step_failed"},
        {45, "step_unknown"}, {46, "step_resolved"},   {47, "step_cancelled"},
        {48, "step_begun"},   {50, "timer_set"},       {51, "timer_fired"},
        {52, "wait_set"},     {53, "wait_ended"},      {54, "signal_refused"},
    };
    int known = 0;
    for (const auto& [number, name] : on_disk) EXPECT_EQ(to_string(static_cast<core::EntryKind>(number)), name);
    for (int i = 0; i < 256; ++i) known += to_string(static_cast<core::EntryKind>(i)) != "unknown";
    EXPECT_EQ(known, static_cast<int>(std::size(on_disk)));
}

TEST(Names, EndingsAreDistinct) {
    std::set<std::string_view> seen;
    for (int i = 0; i <= static_cast<int>(core::Ending::kill); ++i) {
        EXPECT_TRUE(seen.insert(to_string(static_cast<core::Ending>(i))).second);
    }
}
