// A handler that kills its process: paused as poison after its limit, beside neighbours that complete.
#include "e2e/crash_program.hpp"

#include <csignal>

namespace pawl::crash {
namespace {

constexpr int deaths_max = 20;  // far more than any of these tests needs

class Poison : public e2e::CrashProgram {
protected:
    /// Starts the worker again and again; how often it died.
    int deaths_until_idle() const {
        int deaths = 0;
        for (int exit = -1; exit != 0 && deaths < deaths_max;) {
            exit = work().exit;
            EXPECT_TRUE(exit == 0 || exit == 128 + SIGKILL) << exit;
            deaths += exit == 0 ? 0 : 1;
        }
        return deaths;
    }
    /// The deaths that its journal counts, since the beginning. A first death after a clean end may have left no claim
    /// behind, and then counts for nothing (docs/dev/decisions/0003).
    std::size_t counted(const std::string& id) const {
        const std::string events = pawl({"events", id}).out;
        std::size_t count = 0;
        for (std::size_t at = events.find("taken_over"); at != std::string::npos;
             at = events.find("taken_over", at + 1))
            ++count;
        return count;
    }
};

TEST_F(Poison, EndsPausedAndItsNeighboursComplete) {
    std::vector<std::string> neighbours{submit({"steps", "100"}), submit({"steps", "200"})};
    const std::string deadly = submit({"poison", "0"});
    neighbours.push_back(submit({"echo", "1"}));
    neighbours.push_back(submit({"steps", "300"}));

    const int deaths = deaths_until_idle();
    EXPECT_GE(deaths, 5);
    EXPECT_LT(deaths, deaths_max) << "it was never taken out";
    EXPECT_EQ(state(deadly), "paused");
    EXPECT_EQ(reason(deadly), "poison");
    EXPECT_EQ(pawl({"result", deadly}).exit, 8);
    EXPECT_EQ(json({"why", deadly}).at("reason").as_string(), "poison");
    for (const std::string& id : neighbours) {
        test::run(program({"run", "--task", id}), {}, surroundings());
        EXPECT_EQ(state(id), "completed") << pawl({"events", id}).out;
    }
}

TEST_F(Poison, GoesOnAfterResumeOnceItsCauseIsGone) {
    const std::string deadly = submit({"poison", "0"});
    deaths_until_idle();
    ASSERT_EQ(reason(deadly), "poison");
    write("ledger", "harmless\n");
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(state(deadly), "paused") << "only a person moves it";
    EXPECT_EQ(pawl({"resume", deadly}).exit, 0);
    EXPECT_EQ(work().exit, 0);
    EXPECT_EQ(pawl({"result", deadly}).out, "\"cured\"\n");
}

TEST_F(Poison, ResumedWithItsCauseStillThereHasItsFullCountAgain) {
    const std::string deadly = submit({"poison", "0"});
    const int first = deaths_until_idle();
    EXPECT_EQ(counted(deadly), 5U);
    EXPECT_EQ(pawl({"resume", deadly}).exit, 0);
    const int second = deaths_until_idle();
    EXPECT_EQ(counted(deadly), 10U);
    EXPECT_EQ(reason(deadly), "poison");
    for (const int deaths : {first, second}) EXPECT_TRUE(deaths == 5 || deaths == 6) << deaths;
}

}  // namespace
}  // namespace pawl::crash
