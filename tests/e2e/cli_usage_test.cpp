// How the command line is used: help, misspelt words, JSON everywhere, stable exit codes.
#include "e2e/cli.hpp"

namespace pawl::e2e {
namespace {

class CliUsage : public CliTest {};

TEST_F(CliUsage, HelpNamesEveryVerb) {
    const auto help = pawl({"--help"});
    EXPECT_EQ(help.exit, 0);
    for (const char* verb : {"submit", "list", "get", "result", "events", "why", "cancel", "kill", "pause", "resume",
                             "resolve", "retry", "queue", "backup", "doctor", "version", "worker"}) {
        EXPECT_NE(help.out.find(std::string("  ") + verb), std::string::npos) << verb;
    }
    EXPECT_NE(pawl({"submit", "--help"}).out.find("--key"), std::string::npos);
    expect_refused(pawl({}), 2, "submit");
}

TEST_F(CliUsage, MisspeltWordsAreCorrected) {
    expect_refused(pawl({"sumbit", "echo"}), 2, "there is no verb \"sumbit\"; did you mean `submit`?");
    expect_refused(pawl({"queue", "lst"}), 2, "did you mean `list`?");
    expect_refused(pawl({"list", "--stat", "failed"}), 2, "there is no flag \"--stat\"; did you mean `--state`?");
    expect_refused(pawl({"list", "--jsno"}), 2, "did you mean `--json`?");
    expect_refused(pawl({"get"}), 2, "TASK");
    expect_refused(pawl({"get", "a", "b"}), 2, "unexpected argument \"b\"");
    expect_refused(pawl({"submit", "echo", "1", "--priority", "high"}), 2, "--priority");
}

TEST_F(CliUsage, AMissingFileIsNotMadeByReading) {
    for (const char* verb : {"list", "events", "doctor"}) expect_refused(pawl({verb}), 3, "no such file");
    for (const char* verb : {"get", "why", "result", "cancel", "pause", "retry"}) {
        expect_refused(pawl({verb, "t_1"}), 3, "no such file");
    }
    EXPECT_FALSE(std::ifstream(file()).good());
    submit({"echo"});
    EXPECT_TRUE(std::ifstream(file()).good());
}

TEST_F(CliUsage, ErrorsAreJsonOnRequest) {
    submit({"echo"});
    const auto done = pawl({"get", "t_00000000000000000000000000", "--json"});
    EXPECT_EQ(done.exit, 3);
    EXPECT_EQ(done.out, "");
    const auto error = parse(done.err).at("error").as_object();
    EXPECT_EQ(error.at("code").as_string(), "not_found");
    EXPECT_EQ(error.at("exit_code").as_int64(), 3);
    EXPECT_FALSE(error.at("suggestion").as_string().empty());

    const auto usage = pawl({"--json", "lits"});
    EXPECT_EQ(usage.exit, 2);
    EXPECT_EQ(parse(usage.err).at("error").at("code").as_string(), "bad_input");
}

TEST_F(CliUsage, EveryReadingVerbSpeaksJsonAlsoWhenThereIsNothing) {
    submit({"echo"});
    EXPECT_EQ(json({"list", "--state", "running"}).at("tasks").as_array().size(), 0u);
    EXPECT_EQ(json({"queue", "list"}).at("queues").as_array().size(), 1u);
    EXPECT_TRUE(json({"doctor"}).at("ok").as_bool());
    EXPECT_EQ(json({"version"}).at("api").as_string(), "v1");
}

TEST_F(CliUsage, GlobalOptionsStandAnywhere) {
    submit({"echo"});
    const auto before = test::run({PAWL_BINARY, "--json", "--db", file(), "list"});
    const auto after = test::run({PAWL_BINARY, "list", "--db", file(), "--json"});
    const auto environment = test::run({PAWL_BINARY, "list", "--json"}, {}, {{"PAWL_DB=" + file()}});
    EXPECT_EQ(before.exit, 0);
    EXPECT_EQ(before.out, after.out);
    EXPECT_EQ(before.out, environment.out);
}

TEST_F(CliUsage, ATaskIsSubmittedShownAndFoundByPartOfItsId) {
    const std::string id = submit({"echo", R"({"n": 12345678901234567890})", "--queue", "q", "--priority", "-7",
                                   "--tag", "red", "--tag", "blue"});
    EXPECT_EQ(boost::json::serialize(json({"get", id}).at("tags")), R"(["blue","red"])");
    EXPECT_NE(pawl({"get", id}).out.find("blue, red\n"), std::string::npos);
    ASSERT_EQ(id.size(), 28u);
    const auto get = pawl({"get", id.substr(18)});
    EXPECT_NE(get.out.find(id), std::string::npos);
    EXPECT_NE(get.out.find("12345678901234567890"), std::string::npos) << "long numbers stay as they are";
    EXPECT_NE(get.out.find("-7"), std::string::npos);
    EXPECT_EQ(json({"get", submit({"echo", "1", "--flow-key", "tenant-7"})}).at("flow_key").as_string(), "tenant-7");
    EXPECT_NE(pawl({"list", "--tag", "blue", "--queue", "q"}).out.find(id), std::string::npos);
    EXPECT_EQ(pawl({"list", "--tag", "green"}).out.find(id), std::string::npos);
}

TEST_F(CliUsage, InputComesFromAnArgumentAFileOrStdin) {
    write("in.json", "{\"a\": 1}\n");
    for (const auto& done : {pawl({"submit", "echo", "{\"a\": 1}"}), pawl({"submit", "echo", "@" + path("in.json")}),
                             pawl({"submit", "echo", "-"}, "{\"a\": 1}")}) {
        ASSERT_EQ(done.exit, 0) << done.err;
        EXPECT_NE(pawl({"get", done.out.substr(0, 28)}).out.find("{\"a\": 1}"), std::string::npos);
    }
    expect_refused(pawl({"submit", "echo", "@" + path("none.json")}), 3, "none.json");
}

TEST_F(CliUsage, ABulkFileGivesOneTaskForEachLine) {
    write("tasks.jsonl",
          "{\"type\":\"echo\",\"input\":1,\"key\":\"a\"}\n\n{\"type\":\"echo\",\"input\":1,\"key\":\"a\"}\n"
          "{\"type\":\"echo\",\"input\":2}\n");
    const auto done = pawl({"submit", "--bulk", path("tasks.jsonl")});
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 3);
    EXPECT_EQ(done.out.substr(0, 28), done.out.substr(29, 28)) << "one key, one task";
    EXPECT_EQ(tasks(), 2u);
}

TEST_F(CliUsage, ABulkFileWithABrokenLineSubmitsNothing) {
    submit({"echo"});
    write("tasks.jsonl", "{\"type\":\"echo\"}\n{\"type\":\"echo\"\n");
    expect_refused(pawl({"submit", "--bulk", path("tasks.jsonl")}), 2, "line 2: not valid JSON");
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliUsage, ARefusedLineOfABulkDoesNotStopTheOthers) {
    std::string lines = "{\"type\":\"no good\"}\n";
    for (int i = 0; i < 5'000; ++i) lines += "{\"type\":\"echo\",\"input\":" + std::to_string(i) + "}\n";
    const auto done = pawl({"submit", "--bulk", "-"}, lines);
    EXPECT_EQ(done.exit, 2);
    EXPECT_NE(done.err.find("line 1: type \"no good\""), std::string::npos) << done.err;
    EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 5'000);
    EXPECT_EQ(json({"doctor"}).at("tasks").at("pending").as_int64(), 5'000);
}

TEST_F(CliUsage, ABulkAsJsonNamesTheLinesAndSaysNothingElse) {
    const auto done = pawl({"submit", "--bulk", "-", "--json"}, "\n{\"type\":\"echo\"}\n{\"type\":\"no good\"}\n");
    EXPECT_EQ(done.exit, 2);
    EXPECT_EQ(done.err, "");
    const auto first = parse(done.out.substr(0, done.out.find('\n')));
    const auto second = parse(done.out.substr(done.out.find('\n') + 1));
    EXPECT_EQ(first.at("line").as_int64(), 2);
    EXPECT_EQ(first.at("status").as_int64(), 201);
    EXPECT_EQ(second.at("line").as_int64(), 3);
    EXPECT_EQ(second.at("problem").at("code").as_string(), "bad_input");
}

TEST_F(CliUsage, AnAgentIsSubmittedWithItsFile) {
    write("agent.toml", "name = \"doctor\"\nmodel = \"any\"\n[limits]\ndeadline = \"1h\"\n");
    expect_refused(pawl({"submit", "agent", R"({"text":"Fix it."})"}), 2, "--agent FILE");
    expect_refused(pawl({"submit", "echo", "1", "--agent", path("agent.toml")}), 2, "--agent goes with the type agent");
    EXPECT_EQ(pawl({"submit", "agent", R"({"text":"Fix it."})", "--agent", path("none.toml")}).exit, 3);
    for (const char* input : {R"({"txt":"x"})", R"({"text":""})", "7"})
        expect_refused(pawl({"submit", "agent", input, "--agent", path("agent.toml")}), 2, "an agent takes");
    expect_refused(pawl({"run", "--agent", path("agent.toml"), ""}), 2, "the prompt is empty");
    const std::string id = submit({"agent", R"({"text":"Fix it."})", "--agent", path("agent.toml")});
    EXPECT_FALSE(json({"get", id}).at("deadline").is_null()) << "the file's own limit counts";
    EXPECT_EQ(tasks(), 1u);
}

TEST_F(CliUsage, SuggestionsFitWhatWentWrong) {
    expect_refused(pawl({"list"}), 3,
                   "`pawl --db " + file() + " submit` and `pawl --db " + file() + " worker` make it");
    const auto no_input = pawl({"submit", "echo", "@" + path("none.json")});
    EXPECT_EQ(no_input.err.find("try:"), std::string::npos) << no_input.err;
    const auto no_bulk = pawl({"submit", "--bulk", path("none.jsonl")});
    EXPECT_EQ(no_bulk.err.find("try:"), std::string::npos) << no_bulk.err;
    const auto deep = pawl({"submit", "echo", std::string(65, '[') + std::string(65, ']')});
    EXPECT_EQ(deep.err.find("quotes"), std::string::npos) << deep.err;
    const auto no_agent = pawl({"run", "--agent", path("none.toml"), "x"});
    EXPECT_EQ(no_agent.err.find("try:"), std::string::npos) << no_agent.err;
    submit({"echo"});
    EXPECT_EQ(pawl({"backup", path("copy.db")}).exit, 0);
    const auto twice = pawl({"backup", path("copy.db")});
    EXPECT_EQ(twice.err.find(" why t_"), std::string::npos) << twice.err;
    const std::string id = submit({"sleep", R"({"wrong":1})"});
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
    const auto misfit = pawl({"result", id});
    EXPECT_EQ(misfit.exit, 1) << misfit.err;
    EXPECT_EQ(misfit.err.find(" retry t_"), std::string::npos) << misfit.err;
    EXPECT_EQ(pawl({"why", id}).out.find(" retry t_"), std::string::npos);
}

TEST_F(CliUsage, RefusalsSpeakOfOptionsAndSuggestWhatHelps) {
    const std::string id = submit({"echo"});
    expect_refused(pawl({"list", "--state", "foo", "--limit", "0"}), 2, "--state: there is no state \"foo\"");
    expect_refused(pawl({"list", "--state", "foo", "--limit", "0"}), 2, "; --limit: expected an integer from 1");
    expect_refused(pawl({"events", "--after", "x"}), 2, "--after: not a cursor");
    expect_refused(pawl({"list", "--type", "a b"}), 2, "--type: \"a b\" is malformed");
    expect_refused(pawl({"submit", "echo", "1", "--key", ""}), 2, "key: is empty");
    expect_refused(pawl({"resolve", id, "--fail"}), 2, "`pawl --db " + file() + " why " + id + "`");
    EXPECT_EQ(pawl({"pause", id, "--request-id", "r"}).exit, 0);
    expect_refused(pawl({"resume", id, "--request-id", "r"}), 2, "give another --request-id");
    expect_refused(pawl({"demo", "--kill-at", "0"}), 2, "--kill-at");
    expect_refused(test::run({PAWL_BINARY, "--db", "/dev/null", "submit", "echo"}), 2, "no regular file");
    expect_refused(pawl({"resolve", id}), 2, "`pawl --db " + file() + " why " + id + "` names the step");
}

TEST_F(CliUsage, HintsNameTheFileWhereItIsNotTheUsualOne) {
    const test::Surroundings here{{"PAWL_DB=" + file()}, {}};
    const std::string strange = path("it's one.db");
    expect_refused(test::run({PAWL_BINARY, "--db", strange, "list"}), 3,
                   "`pawl --db '" + path("it'\\''s one.db") + "' submit`");
    expect_refused(test::run({PAWL_BINARY, "list"}, {}, here), 3, "`pawl submit`");
}

TEST_F(CliUsage, AWaitThroughAPauseEndsAsAWait) {
    const std::string id = submit({"echo"});
    EXPECT_EQ(pawl({"pause", id}).exit, 0);
    EXPECT_EQ(pawl({"result", id, "--wait", "--timeout", "10ms"}).exit, 8);
    EXPECT_EQ(pawl({"result", id, "--wait", "--wait-through", "--timeout", "10ms"}).exit, 6);
}

TEST_F(CliUsage, ACommandThatFailsTellsWhatItSaid) {
    const std::string spoke = submit({"command", R"({"argv":["sh","-c","echo out of paper; exit 7"]})"});
    const std::string silent = submit({"command", R"({"argv":["false"]})"});
    const std::string past = submit({"sleep", R"({"seconds": -1})"});
    EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0);
    expect_refused(pawl({"result", spoke}), 1, "the command exited with 7: out of paper");
    expect_refused(pawl({"result", silent}), 1, "the command exited with 1, and said nothing");
    expect_refused(pawl({"result", past}), 1, "submit it again with an input that fits");
}

TEST_F(CliUsage, TheShapeOfTheOutputIsChosen) {
    const std::string one = submit({"echo"}), two = submit({"echo"});
    const auto lines = pawl({"list", "-o", "jsonl"});
    EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 2);
    EXPECT_EQ(parse(lines.out.substr(0, lines.out.find('\n'))).at("id").as_string(), two);
    EXPECT_EQ(pawl({"list", "-o", "json"}).out, pawl({"list", "--json"}).out);
    EXPECT_EQ(pawl({"list", "-o", "table"}).out, pawl({"list"}).out);
    EXPECT_EQ(pawl({"queue", "list", "--output=jsonl"}).out.front(), '{');
    EXPECT_EQ(pawl({"list", "-o", "jsonl", "--state", "running"}).out, "");
    EXPECT_EQ(pawl({"get", two, "--output", "yaml"}).out.find("---\nid: \"" + two + "\"\n"), 0U);
    const auto stream = pawl({"events", one, "-o", "yaml"}).out;
    EXPECT_NE(stream.find("kind: \"submitted\"\n"), std::string::npos) << stream;
    EXPECT_EQ(pawl({"list", "--state", "running", "-o", "yaml"}).out.find("---\ntasks: []\n"), 0U);
    const auto unknown = pawl({"get", "nobody", "-oyaml"});
    EXPECT_EQ(unknown.exit, 3);
    EXPECT_EQ(parse(unknown.err).at("error").as_object().at("exit_code").as_int64(), 3);
    const auto misspelt = pawl({"lst", "-o", "yaml"});
    EXPECT_EQ(parse(misspelt.err).at("error").as_object().at("code").as_string(), "bad_input");
    expect_refused(pawl({"list", "-o", "xml"}), 2, "there are table, json, jsonl, yaml");
    EXPECT_EQ(pawl({"--version"}).out.substr(0, 5), "pawl ");
}

TEST_F(CliUsage, OptionsThatWouldBeIgnoredAreRefused) {
    const std::string id = submit({"echo"});
    expect_refused(pawl({"run", "--task", id, "--key", "k"}), 2, "--key and --deadline belong to a submit");
    expect_refused(pawl({"run", "--task", id, "--deadline", "5s"}), 2, "--key and --deadline belong to a submit");
    expect_refused(pawl({"worker", "--queues", "b d"}), 2, "--queues");
    expect_refused(pawl({"worker", "--types", "echo,none"}), 2, "no type 'none'");
    expect_refused(pawl({"submit", "echo", "1", "--priority", "high"}), 2,
                   "\"high\" is no whole number that fits; it means: -100");
    EXPECT_EQ(pawl({"worker", "--until-idle", "--types", "echo,sleep", "--queues", "default,other"}).exit, 0);
    EXPECT_EQ(json({"get", id}).at("state").as_string(), "completed");
}

TEST_F(CliUsage, HelpOfAVerbNamesTheGlobalOptionsAndNoToolOfOurs) {
    EXPECT_NE(pawl({"list", "--help"}).out.find("--db FILE"), std::string::npos);
    EXPECT_EQ(pawl({"--help"}).out.find("demo-tool"), std::string::npos);
}

TEST_F(CliUsage, VerbsMoveATaskAndSayWhereItIs) {
    const std::string id = submit({"echo"});
    EXPECT_NE(pawl({"pause", id, "--reason", "audit"}).out.find("paused (operator)"), std::string::npos);
    const auto why = pawl({"why", id});
    EXPECT_NE(why.out.find("audit"), std::string::npos) << why.out;
    EXPECT_NE(why.out.find("pawl --db " + file() + " resume " + id), std::string::npos) << why.out;
    const auto result = pawl({"result", id, "--wait"});
    EXPECT_EQ(result.exit, 8) << "a paused task is reported at once";
    EXPECT_NE(result.err.find(" resume " + id), std::string::npos) << result.err;

    EXPECT_EQ(pawl({"resume", id}).exit, 0);
    EXPECT_EQ(pawl({"result", id}).exit, 6) << "not final, and not asked to wait";
    EXPECT_NE(pawl({"cancel", id}).out.find("cancelled (user)"), std::string::npos);
    EXPECT_NE(pawl({"cancel", id}).out.find("as it was"), std::string::npos);
    EXPECT_EQ(pawl({"result", id}).exit, 7);
    EXPECT_NE(pawl({"retry", id}).out.find("pending"), std::string::npos);
    expect_refused(pawl({"resolve", id, "--happened"}), 2, id);
    expect_refused(pawl({"resolve", id}), 2, "one of --happened, --not-happened, --fail");

    const auto events = pawl({"events", id});
    for (const char* kind : {"submitted", "paused", "resumed", "cancelled", "reopened"}) {
        EXPECT_NE(events.out.find(kind), std::string::npos) << kind << "\n" << events.out;
    }
}

TEST_F(CliUsage, ARequestIdMakesAVerbRepeatSafe) {
    const std::string id = submit({"echo"});
    pawl({"pause", id, "--request-id", "r1"});
    pawl({"resume", id});
    EXPECT_EQ(json({"pause", id, "--request-id", "r1"}).at("state").as_string(), "paused");
    EXPECT_EQ(json({"get", id}).at("state").as_string(), "pending");
}

TEST_F(CliUsage, EventsAreOneJsonObjectALine) {
    const std::string id = submit({"echo"});
    submit({"echo"});
    const auto all = pawl({"events", "--json"});
    EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 2);
    const auto first = parse(all.out.substr(0, all.out.find('\n')));
    EXPECT_EQ(first.at("task").as_string(), id);
    const std::string cursor(first.at("cursor").as_string());
    const auto rest = pawl({"events", "--json", "--after", cursor});
    EXPECT_EQ(std::count(rest.out.begin(), rest.out.end(), '\n'), 1);
}

TEST_F(CliUsage, AnAnswerThatCannotBeWrittenIsToldAndIsNoSuccess) {
    const std::string id = submit({"echo"});
    const auto to_full_disk = [&](std::vector<std::string> verb) {
        std::vector<std::string> all = words(std::move(verb));
        all.insert(all.begin(), {"/bin/sh", "-c", "exec \"$0\" \"$@\" > /dev/full"});
        return test::run(all);
    };
    for (const std::vector<std::string>& verb :
         {std::vector<std::string>{"submit", "echo", "1"}, {"list"}, {"events"}, {"get", id}, {"--help"}}) {
        expect_refused(to_full_disk(verb), 10, "stdout could not be written (No space left on device)");
    }
    EXPECT_EQ(tasks(), 2u) << "what was asked for is done";
    const auto error = parse(to_full_disk({"list", "--json"}).err).at("error").as_object();
    EXPECT_EQ(error.at("code").as_string(), "output_lost");
    EXPECT_EQ(error.at("exit_code").as_int64(), 10);
    const auto follow = to_full_disk({"events", "-f"});
    EXPECT_EQ(follow.exit, 10) << "it does not follow for nobody";
    EXPECT_EQ(to_full_disk({"result", id}).exit, 6) << "nothing was to be written";
}

TEST_F(CliUsage, AQueueIsPausedAndLimited) {
    submit({"echo", "1", "--queue", "mails"});
    EXPECT_EQ(json({"queue", "set", "mails", "--concurrency", "2", "--depth-max", "1", "--pause"}).at("paused"), true);
    EXPECT_NE(pawl({"queue", "list"}).out.find("mails"), std::string::npos);
    expect_refused(pawl({"submit", "echo", "1", "--queue", "mails"}), 2, "mails");
    EXPECT_EQ(json({"queue", "set", "mails", "--resume"}).at("paused"), false);
    expect_refused(pawl({"queue", "set", "mails"}), 2, "nothing to set");
}

TEST_F(CliUsage, ABackupIsACompleteStore) {
    const std::string id = submit({"echo", "\"kept\""});
    EXPECT_EQ(pawl({"backup", path("copy.db")}).exit, 0);
    EXPECT_NE(test::run({PAWL_BINARY, "--db", path("copy.db"), "get", id}).out.find("kept"), std::string::npos);
    expect_refused(pawl({"backup", path("copy.db")}), 2, "copy.db");
    EXPECT_EQ(pawl({"doctor"}).exit, 0);
}

TEST_F(CliUsage, StoredControlSequencesAreShownNotObeyed) {
    const std::string id = submit({"echo", R"("\u001b]52;c;cm0=\u0007\u009b31m")"});
    submit({"echo",
            "\"\xc2\x9b"
            "31m\x7f\"",
            "--key", "k\xe2\x80\xae"});
    for (const auto& done :
         {pawl({"get", id}), pawl({"list"}), pawl({"list", "--json"}), pawl({"events"}), pawl({"get", id, "--json"})}) {
        EXPECT_EQ(done.exit, 0) << done.err;
        for (const char* sequence : {"\x1b", "\xc2\x9b", "\x7f", "\xe2\x80\xae"}) {
            EXPECT_EQ(done.out.find(sequence), std::string::npos) << done.out;
        }
    }
}

}  // namespace
}  // namespace pawl::e2e
