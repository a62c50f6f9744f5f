// Requests that wait: nothing is missed between looking and waiting, and every one is answered once.
#include "support/api.hpp"

#include <gtest/gtest.h>

namespace pawl::server {
namespace {

using namespace std::chrono_literals;

// A port whose waits the test wakes, and whose reads end when the test says so.
class HandPort final : public Port {
public:
    explicit HandPort(const core::Clock& clock) : clock_(clock), store_(clock) {}

    struct HandWait final : Wait {
        explicit HandWait(HandPort& p) : port(p) {}
        ~HandWait() override { std::erase(port.waits, this); }
        HandPort& port;
        core::Micros limit{};
        std::function<void(bool)> woken;
    };

    void send(std::vector<core::Command>, std::function<void(std::vector<Result<core::Answer>>)>) override {}
    void read(std::function<void(core::Reader&)> work, std::function<void()> done) override {
        work(store_);
        reads_done.push_back(std::move(done));
    }
    std::unique_ptr<Wait> wait(std::optional<core::TaskId>, Change, core::Micros limit,
                               std::function<void(bool)> woken) override {
        auto wait = std::make_unique<HandWait>(*this);
        wait->limit = limit;
        wait->woken = std::move(woken);
        waits.push_back(wait.get());
        return wait;
    }
    std::optional<WorkerStatus> worker() const override { return std::nullopt; }
    std::vector<LiveStep> live_steps(core::TaskRef) const override { return {}; }
    void set_defaults(core::SubmitRequest&) const override {}
    std::string store_name() const override { return "memory"; }
    const core::Clock& clock() const override { return clock_; }
    core::Instant store_now() const override { return {}; }
    core::Random& random() override { return random_; }

    void finish_read() {
        ASSERT_FALSE(reads_done.empty());
        auto done = std::move(reads_done.front());
        reads_done.erase(reads_done.begin());
        done();
    }
    void wake(bool changed) {
        ASSERT_EQ(waits.size(), 1u);
        auto woken = waits.front()->woken;  // the wait may be replaced while it is called
        woken(changed);
    }

    std::vector<HandWait*> waits;
    std::vector<std::function<void()>> reads_done;

private:
    const core::Clock& clock_;
    store::MemoryStore store_;
    test::CountingRandom random_;
};

class LongPollTest : public testing::Test {
protected:
    LongPollTest() : port(clock), polls(std::make_unique<LongPolls>(port)) {}

    void start(core::Micros limit) {
        polls->start({core::TaskId{}, Change::state, limit,
                      [this](core::Reader&, bool last) -> std::optional<Response> {
                          ++looks;
                          if (!ready && !last) return std::nullopt;
                          return Response{ready ? 200 : 202, {}, ""};
                      },
                      [this](Response r) { answers.push_back(r.status); }});
    }

    test::ManualClock clock;
    HandPort port;
    std::unique_ptr<LongPolls> polls;
    bool ready = false;
    int looks = 0;
    std::vector<int> answers;
};

TEST_F(LongPollTest, AnswersAtOnceWhenThereIsAnAnswer) {
    ready = true;
    start(5s);
    port.finish_read();
    EXPECT_EQ(answers, std::vector{200});
    EXPECT_TRUE(port.waits.empty()) << "nothing goes on after the answer";
}

TEST_F(LongPollTest, WithoutAWaitItLooksOnce) {
    start(0s);
    EXPECT_TRUE(port.waits.empty());
    port.finish_read();
    EXPECT_EQ(answers, std::vector{202});
}

TEST_F(LongPollTest, AChangeMakesItLookAgain) {
    start(5s);
    port.finish_read();
    EXPECT_TRUE(answers.empty());
    port.wake(true);
    port.finish_read();
    EXPECT_TRUE(answers.empty()) << "a change that is not the one it waits for";
    ready = true;
    port.wake(true);
    port.finish_read();
    EXPECT_EQ(answers, std::vector{200});
    EXPECT_EQ(looks, 3);
}

TEST_F(LongPollTest, AChangeDuringTheLookIsNotMissed) {
    start(5s);
    ready = true;  // happens after the read, before its end reaches the loop
    port.wake(true);
    port.finish_read();
    EXPECT_TRUE(answers.empty());
    port.finish_read();
    EXPECT_EQ(answers, std::vector{200});
}

TEST_F(LongPollTest, TheLimitEndsTheWaitWithWhatIsSo) {
    start(5s);
    port.finish_read();
    clock.advance(2s);
    port.wake(true);
    port.finish_read();
    EXPECT_EQ(port.waits.at(0)->limit, core::Micros(3s)) << "the limit is of the whole request";
    port.wake(false);
    port.finish_read();
    EXPECT_EQ(answers, std::vector{202});
    EXPECT_TRUE(port.waits.empty());
}

TEST_F(LongPollTest, StopAnswersEveryWaiterAndLaterOnesDoNotWait) {
    start(5s);
    start(5s);
    port.finish_read();
    port.finish_read();
    polls->stop();
    port.finish_read();
    port.finish_read();
    EXPECT_EQ(answers, (std::vector{202, 202}));
    start(5s);
    port.finish_read();
    EXPECT_EQ(answers.size(), 3u);
}

TEST_F(LongPollTest, AReadThatEndsAfterThePollsAreGoneIsDropped) {
    start(5s);
    polls.reset();
    port.finish_read();
    EXPECT_TRUE(answers.empty());
    EXPECT_TRUE(port.waits.empty());
}

}  // namespace
}  // namespace pawl::server
