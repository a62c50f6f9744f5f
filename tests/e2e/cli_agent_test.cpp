// `pawl run` with endpoints and agent files that are not as they should be: exit codes, and no key anywhere.
#include "agent/stand_in_model.hpp"
#include "e2e/cli.hpp"

#include <filesystem>

namespace pawl::e2e {
namespace {

using agent::ModelFault;
using agent::ScriptedTurn;

constexpr const char* key = "sk-live-0123456789abcdef";
constexpr const char* head = "name = \"doctor\"\nmodel = \"any\"\n";

class CliAgent : public CliTest {
protected:
    CliAgent() : CliTest(InMemory{}) { EXPECT_TRUE(model.start()); }

    test::ProcessResult run(const std::string& toml, const std::string& prompt = "Fix it.") {
        write("agent.toml", toml);
        return test::run(words({"run", "--agent", path("agent.toml"), prompt}), "",
                         {{"OPENAI_BASE_URL=" + model.base_url(), std::string("OPENAI_API_KEY=") + key}, ""});
    }
    bool is_anywhere(const std::string& text) const {
        for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(file()).parent_path())) {
            std::ifstream in(entry.path(), std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), {}};
            if (bytes.find(text) != std::string::npos) return true;
        }
        return false;
    }

    agent::StandInModel model{
        agent::script_of({ScriptedTurn::asks("check_disk", "{}"), ScriptedTurn::says("It is full.")})};
};

const std::string tool =
    "[[tool]]\nname = \"check_disk\"\ndescription = \"disk usage\"\ncommand = [\"echo\", \"93 %\"]\n";

TEST_F(CliAgent, AnAnswerGoesToStdout) {
    const auto done = run(head + tool);
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(done.out, "It is full.\n");
    EXPECT_FALSE(is_anywhere("0123456789abcdef"));
}

TEST_F(CliAgent, AnAgentFileThatIsRefusedStoresNothing) {
    expect_refused(run(std::string(head) + "modle = \"x\"\n"), 2, "did you mean model?");
    expect_refused(run(std::string(head) + "api_key = \"x\"\n"), 2, "api_key_env");
    expect_refused(run(head + tool + "parameters = { type = 7 }\n"), 2, "not a JSON Schema");
    expect_refused(run("name = "), 2, "not TOML");
    expect_refused(pawl({"run", "--agent", path("none.toml"), "x"}), 3, "cannot be read");
    EXPECT_FALSE(std::filesystem::exists(file()));
    EXPECT_EQ(run(head + tool).exit, 0);
}

TEST_F(CliAgent, ACommandWithoutItsOptionalArgumentIsNotRun) {
    const auto done = run(std::string(head) + "[[tool]]\nname = \"check_disk\"\ndescription = \"d\"\n" +
                          "command = [\"touch\", \"" + path("ran") + "{suffix}\"]\n" +
                          "parameters = { type = \"object\", properties = { suffix = { type = \"string\" } } }\n");
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_FALSE(std::filesystem::exists(path("ran")));
    EXPECT_NE(model.requests().at(1).body.find("the argument \\\"suffix\\\" is missing"), std::string::npos);
}

TEST_F(CliAgent, CredentialsInTheEndpointAreRefusedAndStoredNowhere) {
    const auto done = run(head + ("endpoint = \"http://user:" + std::string(key) + "@127.0.0.1/v1\"\n") + tool);
    expect_refused(done, 2, "agent.toml:3: ");
    EXPECT_EQ(done.err.find("0123456789abcdef"), std::string::npos) << done.err;
    std::filesystem::remove(path("agent.toml"));
    EXPECT_FALSE(is_anywhere("0123456789abcdef"));
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(CliAgent, AKeyThatStandsInTheFileIsRefusedAndNotShown) {
    const std::string tail = "0123456789ABCDEFGHIJ0123456789abcdefghij";
    for (const std::string prefix :
         {"gsk_", "xai-", "hf_", "ghp_", "gho_", "github_pat_", "glpat-", "AIza", "xoxb-", "sk_live_", "sk-proj-"}) {
        const auto done = run("instructions = \"use " + prefix + tail + "\"\n" + head + tool);
        expect_refused(done, 2, "agent.toml:1: ");
        EXPECT_EQ(done.err.find(tail), std::string::npos) << done.err;
    }
    expect_refused(run(head + tool + "env = { A = \"AKIA0123456789ABCDEF\" }\n"), 2, "API key");
    const std::string parameters =
        "parameters = { type = \"object\", properties = { a = { type = \"string\", description = \"hf_" + tail +
        "\" } } }\n";
    expect_refused(run(head + tool + parameters), 2, "API key");
    EXPECT_FALSE(std::filesystem::exists(file()));
    EXPECT_EQ(run(head + tool + "env = { A = \"hf_transfer_is_enabled_here\", B = \"gsk_\" }\n").exit, 0);
}

TEST_F(CliAgent, TheValueOfItsOwnKeyVariableIsRefusedWhateverItLooksLike) {
    const std::string secret = "correct horse battery";
    for (const std::string& where : {"instructions = \"say " + secret + "\"\n", std::string()}) {
        const std::string command =
            where.empty() ? "command = [\"echo\", \"" + secret + "\"]\n" : "command = [\"echo\"]\n";
        write("agent.toml",
              where + head + "api_key_env = \"OF_MY_OWN\"\n[[tool]]\nname = \"t\"\ndescription = \"d\"\n" + command);
        const auto done = test::run(words({"run", "--agent", path("agent.toml"), "x"}), "",
                                    {{"OPENAI_BASE_URL=" + model.base_url(), "OF_MY_OWN=" + secret}, ""});
        expect_refused(done, 2, "API key");
        EXPECT_EQ(done.err.find(secret), std::string::npos) << done.err;
    }
    EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(CliAgent, ARefusedKeyFailsTheTaskAndIsShownNowhere) {
    model.fault(0, ModelFault::unauthorized, 9);
    const auto done = run(head + tool);
    EXPECT_EQ(done.exit, 1) << done.err;
    EXPECT_NE(done.err.find("check the API key"), std::string::npos) << done.err;
    EXPECT_EQ((done.out + done.err).find("0123456789abcdef"), std::string::npos);
    EXPECT_FALSE(is_anywhere("0123456789abcdef"));
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliAgent, ASpentBudgetIsAPauseThatNamesTheLimit) {
    const auto done = run(head + tool + "[limits]\nturns = 1\n");
    EXPECT_EQ(done.exit, 8) << done.err;
    EXPECT_NE(done.err.find("limit of 1 turns is used up"), std::string::npos) << done.err;
    const std::string id(json({"list"}).at("tasks").at(0).at("id").as_string());
    for (const auto& text : {done.err, pawl({"result", id}).err}) {
        EXPECT_NE(text.find("`pawl --db " + file() + " cancel " + id + "`"), std::string::npos) << text;
        EXPECT_EQ(text.find("resume"), std::string::npos) << "it is refused: " << text;
    }
}

TEST_F(CliAgent, AnEndpointThatIsNoUrlFailsTheTaskAtOnce) {
    write("agent.toml", head + tool);
    const auto done = test::run(words({"run", "--agent", path("agent.toml"), "x"}), "",
                                {{"OPENAI_BASE_URL=ftp://models.example.com"}, ""});
    EXPECT_EQ(done.exit, 1) << done.err;
    EXPECT_NE(done.err.find("must start with http://"), std::string::npos) << done.err;
}

}  // namespace
}  // namespace pawl::e2e
