// pawl::Client on a file that another process holds, and on one that nobody works.
#include "e2e/cli.hpp"

#include <pawl/client.hpp>

#include <thread>

namespace pawl::e2e {
namespace {

using namespace std::chrono_literals;

constexpr TaskType<std::string, std::string> echo_type{"echo"};
constexpr TaskType<std::string, void> unserved_type{"nobody-serves-this"};

class ClientOpen : public CliTest {
protected:
    Client client() const { return Client::open("sqlite:" + file()).value(); }
    void work() const { EXPECT_EQ(pawl({"worker", "--until-idle"}).exit, 0); }
};

TEST_F(ClientOpen, BadInputOfTheUrlIsRefusedAtOnce) {
    const auto other = Client::open("mysql://db");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::bad_input);
    EXPECT_NE(other.error().message.find("sqlite:"), std::string::npos) << other.error().message;
}

TEST_F(ClientOpen, ATaskIsStoredWhenNobodyWorksTheFileAndItsResultIsReadLater) {
    const auto task = client().submit(echo_type, "hello").value();
    EXPECT_EQ(task.status().value().state, TaskState::pending);
    EXPECT_NE(task.why().find("no worker"), std::string::npos) << task.why();
    EXPECT_EQ(task.wait_for(0ms).error().code, Errc::timed_out);
    work();
    EXPECT_EQ(task.wait().value(), "hello");
    EXPECT_EQ(client().find<std::string>(task.id()).wait().value(), "hello");
}

TEST_F(ClientOpen, AWaitHearsOfTheEndFromTheProcessThatHoldsTheFile) {
    const auto task = client().submit(echo_type, "hello").value();
    const test::Background worker(words({"worker"}));
    EXPECT_EQ(task.wait().value(), "hello");
    const auto second = client().submit(echo_type, "again").value();
    EXPECT_EQ(second.wait().value(), "again");
}

TEST_F(ClientOpen, TheSameKeyIsTheSameTaskAndOtherInputIsRefused) {
    const SubmitOptions options = SubmitOptions().key("k").priority(7).tags({"a"}).deadline(1h);
    const auto first = client().submit(echo_type, "hello", options).value();
    const auto again = client().submit(echo_type, "hello", options).value();
    EXPECT_FALSE(first.replayed());
    EXPECT_TRUE(again.replayed());
    EXPECT_EQ(again.id(), first.id());
    EXPECT_EQ(client().submit(echo_type, "other", options).error().code, Errc::idempotency_key_reused);
    const auto stored = json({"get", first.id()});
    EXPECT_EQ(stored.at("priority").as_int64(), 7);
    EXPECT_EQ(stored.at("key").as_string(), "k");
}

TEST_F(ClientOpen, ManyTasksAreStoredAndEachIsRefusedOnItsOwn) {
    const auto stored = client().submit_many(echo_type, {"a", "b", std::string(2u << 20, 'x')});
    ASSERT_EQ(stored.size(), 3u);
    EXPECT_TRUE(stored[0] && stored[1]);
    EXPECT_EQ(stored[2].error().code, Errc::too_large) << stored[2].error().message;
    work();
    EXPECT_EQ(stored[1]->wait().value(), "b");
}

TEST_F(ClientOpen, ATaskIsCancelledOnceAndItsWaitSaysSo) {
    const auto task = client().submit(unserved_type, "x").value();
    EXPECT_TRUE(task.pause());
    EXPECT_EQ(task.wait().error().code, Errc::task_paused);
    EXPECT_TRUE(task.resume());
    EXPECT_TRUE(task.cancel());
    EXPECT_EQ(task.wait().error().code, Errc::task_cancelled);
    EXPECT_TRUE(task.retry());
    EXPECT_TRUE(task.kill());
    EXPECT_EQ(task.status().value().reason, Reason::killed);
}

TEST_F(ClientOpen, BadInputIsRefusedAndNothingIsStored) {
    EXPECT_EQ(client().submit(echo_type, "x", SubmitOptions().key("\xff")).error().code, Errc::bad_input);
    EXPECT_EQ(client().submit(echo_type, "x", SubmitOptions().deadline(-5ms)).error().code, Errc::bad_input);
    EXPECT_EQ(client().submit(echo_type, "x", SubmitOptions().priority(101)).error().code, Errc::bad_input);
    EXPECT_EQ(client().find<std::string>("t_nothing").status().error().code, Errc::not_found);
    EXPECT_EQ(client().find<std::string>("t_00000000000000000000000000").wait().error().code, Errc::not_found);
    submit({"echo"});
    EXPECT_EQ(tasks(), 1u);
}

}  // namespace
}  // namespace pawl::e2e
