// `pawl run --agent` as a user has it: killed, stopped, taken over; an agent file or a model that cannot be used.
#include "agent/stand_in_model.hpp"
#include "e2e/cli.hpp"

#include <csignal>
#include <future>

#include <sys/stat.h>

namespace pawl::e2e {
namespace {

using agent::ScriptedTurn;

constexpr const char* answer = "All is done.";

class RunAgent : public CliTest {
protected:
    RunAgent()
        : CliTest(InMemory()),
          model_(agent::script_of(
              {ScriptedTurn::asks("look", "{}"), ScriptedTurn::asks("act", "{}"), ScriptedTurn::says(answer)})) {
        EXPECT_TRUE(model_.start());
        write("agent.toml", file_text());
        // Each start of the tool is a line; while `gate` exists it waits until somebody opens that.
        write("act.sh", "echo \"$PAWL_IDEMPOTENCY_KEY $$\" >> " + path("starts") + "\n[ -e " + path("gate") +
                            " ] && { echo started > " + path("gate") + "; cat " + path("gate") +
                            " > /dev/null; }\necho acted\n");
    }
    std::string file_text(const std::string& more = {}) const {
        return "name = \"worker\"\nmodel = \"any\"\n" + more +
               "[[tool]]\nname = \"look\"\ndescription = \"looks\"\ncommand = [\"true\"]\neffect = \"read\"\n"
               "[[tool]]\nname = \"act\"\ndescription = \"acts\"\ncommand = [\"/bin/sh\", \"" +
               path("act.sh") + "\"]\neffect = \"idempotent\"\n";
    }
    test::Surroundings surroundings() const {
        return {{"OPENAI_BASE_URL=" + model_.base_url(), "OPENAI_API_KEY=sk-secret-0123456789"}, {}};
    }
    std::vector<std::string> run_words() const { return words({"run", "--agent", path("agent.toml"), "Do it."}); }
    test::ProcessResult resume(const std::string& id) const {
        return test::run(words({"run", "--task", id}), {}, surroundings());
    }

    void close_gate() const { ASSERT_EQ(::mkfifo(path("gate").c_str(), 0600), 0); }
    void remove_gate() const { std::filesystem::remove(path("gate")); }
    /// Returns once the tool waits.
    void wait_for_tool() const {
        std::string line;
        std::ifstream gate(path("gate"));
        std::getline(gate, line);
        EXPECT_EQ(line, "started");
    }
    void open_gate() const { std::ofstream(path("gate")) << "go\n"; }

    struct Start {
        std::string key;
        pid_t pid = 0;
    };
    std::vector<Start> starts() const {
        std::vector<Start> out;
        std::ifstream in(path("starts"));
        for (Start start; in >> start.key >> start.pid;) out.push_back(start);
        return out;
    }
    // Nobody may be there to reap it: then it is dead all the same.
    static bool is_alive(pid_t pid) {
        std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
        std::string number, name, state;
        in >> number >> name >> state;
        return in && state != "Z";
    }
    /// The id that a run in the background says.
    static std::string id_of(test::Background& run) {
        const std::string line = run.wait_for_line("run --task t_");
        return line.substr(line.rfind("t_"));
    }
    std::string state(const std::string& id) const { return std::string(json({"get", id}).at("state").as_string()); }

    agent::StandInModel model_;
};

TEST_F(RunAgent, KilledInTheMiddleOfAToolGoesOnWhereItStopped) {
    close_gate();
    test::Background first(run_words(), surroundings());
    const std::string id = id_of(first);
    wait_for_tool();
    first.signal(SIGKILL);
    EXPECT_EQ(first.wait().exit, 128 + SIGKILL);
    remove_gate();
    ASSERT_EQ(starts().size(), 1u);
    EXPECT_TRUE(is_alive(starts().front().pid)) << "the tool outlives its worker: recovery has something to end";

    const auto again = resume(id);
    EXPECT_EQ(again.exit, 0) << again.err;
    EXPECT_EQ(again.out, std::string(answer) + "\n");
    EXPECT_EQ(model_.requests().size(), 3u) << "a recorded model call was made again";
    ASSERT_EQ(starts().size(), 2u);
    EXPECT_EQ(starts()[0].key, starts()[1].key);
    EXPECT_FALSE(is_alive(starts().front().pid)) << "two of the same tool were alive";
}

TEST_F(RunAgent, StoppedInTheMiddleOfAToolLetsItEndAndHandsTheTaskBack) {
    close_gate();
    test::Background first(run_words(), surroundings());
    const std::string id = id_of(first);
    wait_for_tool();
    first.signal(SIGTERM);
    open_gate();
    const auto stopped = first.wait();
    EXPECT_EQ(stopped.exit, 128 + SIGTERM) << stopped.out;
    EXPECT_NE(stopped.out.find("stopping: what runs has 10 s to end"), std::string::npos) << stopped.out;
    EXPECT_NE(stopped.out.find("go on with: pawl --db " + file() + " run --task " + id), std::string::npos)
        << stopped.out;
    EXPECT_EQ(state(id), "pending");
    remove_gate();

    const auto again = resume(id);
    EXPECT_EQ(again.exit, 0) << again.err;
    EXPECT_EQ(again.out, std::string(answer) + "\n");
    EXPECT_EQ(starts().size(), 1u) << "what it did was recorded before it left";
}

TEST_F(RunAgent, StoppedWhileItsLastModelCallEndsPrintsTheAnswerAndExitsAsItsTaskEnded) {
    std::promise<void> asked, go_on;
    agent::StandInModel slow([&](int, const std::vector<agent::Message>&) {
        asked.set_value();
        go_on.get_future().wait();
        return ScriptedTurn::says(answer);
    });
    ASSERT_TRUE(slow.start());
    test::Background run(run_words(), {{"OPENAI_BASE_URL=" + slow.base_url(), "OPENAI_API_KEY=none"}, {}});
    const std::string id = id_of(run);
    asked.get_future().wait();
    run.signal(SIGINT);
    ASSERT_NE(run.wait_for_line("stopping: what runs has 10 s to end"), "");
    go_on.set_value();
    const auto done = run.wait();
    EXPECT_EQ(done.exit, 0) << done.out;
    EXPECT_NE(done.out.find(answer), std::string::npos) << done.out;
    EXPECT_EQ(done.out.find("handed back"), std::string::npos) << done.out;
    EXPECT_EQ(state(id), "completed");
}

TEST_F(RunAgent, AToolThatHappenedIsResolvedWithATextAndTheModelReadsIt) {
    std::string toml = file_text();
    toml.replace(toml.rfind("idempotent"), 10, "once\"\non_unknown = \"pause");
    write("agent.toml", toml);
    close_gate();
    test::Background first(run_words(), surroundings());
    const std::string id = id_of(first);
    wait_for_tool();
    first.signal(SIGKILL);
    first.wait();
    remove_gate();
    const auto paused = resume(id);
    EXPECT_EQ(paused.exit, 8) << paused.err;
    EXPECT_NE(paused.err.find("`pawl --db " + file() + " resolve " + id), std::string::npos) << paused.err;

    EXPECT_EQ(pawl({"resolve", id, "--happened", "--result", "\"cleaned by hand\""}).exit, 0);
    const auto again = resume(id);
    EXPECT_EQ(again.exit, 0) << again.err;
    EXPECT_NE(model_.requests().back().body.find("cleaned by hand"), std::string::npos);
}

TEST_F(RunAgent, InterruptedWhileItsTaskSleepsExitsWithTheSignalsCode) {
    const std::string id = submit({"sleep", R"({"seconds": 600})"});
    for (const int signal : {SIGTERM, SIGINT}) {
        test::Background run(words({"run", "--task", id}));
        ASSERT_NE(run.wait_for_line("parked"), "");
        run.signal(signal);
        EXPECT_EQ(run.wait().exit, 128 + signal);
        EXPECT_EQ(state(id), "waiting");
    }
}

TEST_F(RunAgent, TakesOverWhenTheWorkerOfItsFileIsKilled) {
    close_gate();
    auto worker = std::make_unique<test::Background>(words({"worker"}), surroundings());
    ASSERT_NE(worker->wait_for_line("working"), "");
    test::Background run(run_words(), surroundings());
    ASSERT_NE(run.wait_for_line("another process works it"), "");
    wait_for_tool();
    remove_gate();
    worker->signal(SIGKILL);
    worker->wait();
    const auto done = run.wait();
    EXPECT_EQ(done.exit, 0) << done.out;
    EXPECT_NE(done.out.find(answer), std::string::npos) << done.out;
    EXPECT_EQ(model_.requests().size(), 3u);
}

// ---- bad input -----------------------------------------------------------------------------------------------------

class RunAgentBadInput : public RunAgent {};

TEST_F(RunAgentBadInput, AnAgentFileThatCannotBeUsedIsRefusedByItsLine) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {file_text("instrutions = \"x\"\n"), "instructions"},
        {file_text("api_key = \"sk-live-0123456789\"\n"), "literal key"},
        {file_text("[limits]\nturns = -1\n"), "turns"},
        {file_text("[limits]\ndeadline = \"soon\"\n"), "deadline"},
        {file_text("[limits]\ntokns = 5\n"), "tokens"},
        {"name = \"x\"\nname = \"y\"\n", "agent.toml"},
        {"name = \n", "agent.toml"},
        {"model = \"any\"\n", "name"},
    };
    submit({"echo"});
    for (const auto& [text, part] : cases) {
        write("agent.toml", text);
        const auto done = test::run(run_words(), {}, surroundings());
        expect_refused(done, 2, part);
        EXPECT_EQ(done.err.find("sk-live"), std::string::npos) << "the key is shown";
        EXPECT_EQ(tasks(), 1u) << part;
    }
    expect_refused(test::run(words({"run", "--agent", path("none.toml"), "x"})), 3, "none.toml");
}

TEST_F(RunAgentBadInput, AModelThatRefusesTheKeyFailsTheTaskAndSaysWhy) {
    model_.fault(0, agent::ModelFault::unauthorized, 100);
    const auto done = test::run(run_words(), {}, surroundings());
    EXPECT_EQ(done.exit, 1) << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_NE(done.err.find("401"), std::string::npos) << done.err;
    EXPECT_EQ(done.err.find("sk-secret"), std::string::npos) << "the key is shown: " << done.err;
    EXPECT_EQ(model_.requests().size(), 1u) << "a refused key was tried again";
    EXPECT_EQ(pawl({"submit", "echo"}).exit, 0);
}

TEST_F(RunAgentBadInput, AModelThatErrsAndIsCutIsTriedAgain) {
    model_.fault(0, agent::ModelFault::rate_limited, 1);
    model_.fault(1, agent::ModelFault::garbage, 1);
    model_.fault(2, agent::ModelFault::cut, 1);
    const auto done = test::run(run_words(), {}, surroundings());
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(done.out, std::string(answer) + "\n");
    EXPECT_EQ(starts().size(), 1u);
}

}  // namespace
}  // namespace pawl::e2e
