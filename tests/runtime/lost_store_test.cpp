// A store that fails under the engine, on real threads: who is told, and how work goes on.
#include "runtime/holder_fixture.hpp"
#include "runtime/idle.hpp"
#include "support/store_over.hpp"

#include <spdlog/sinks/ostream_sink.h>

#include <atomic>
#include <future>
#include <sstream>
#include <thread>

namespace pawl::testing {
namespace {

using detail::TaskVerb;

/// What is logged as an error meanwhile.
class LogCapture {
public:
    LogCapture() : before_(spdlog::default_logger()) {
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_, true);
        auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
        logger->set_level(spdlog::level::err);
        spdlog::set_default_logger(std::move(logger));
    }
    ~LogCapture() { spdlog::set_default_logger(before_); }
    std::string text() const { return text_.str(); }

private:
    std::ostringstream text_;
    const std::shared_ptr<spdlog::logger> before_;
};

class LostStoreTest : public HolderTest {
protected:
    Meeting meeting;
};

// Works until that many submits are in; the next one is lost.
class LostStore final : public StoreOver {
public:
    explicit LostStore(std::unique_ptr<core::Store> store, int submits = 0)
        : StoreOver(std::move(store)), submits_(submits) {}
    Result<core::Applied> apply(std::span<const core::Command> batch) override {
        for (const core::Command& command : batch)
            if (std::holds_alternative<core::Submit>(command)) submits_--;
        if (submits_ < 0) return Error{Errc::store_unavailable, "the disk is gone"};
        return StoreOver::apply(batch);
    }

private:
    int submits_;
};

TEST_F(LostStoreTest, AfterALostStoreWorkGoesOnWithTheNextOne) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        auto store = store::open_sqlite(file(), clock);
        if (!store || ++openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store)));
    };
    serve("squares", squares);
    start();

    const auto lost = backend->submit("squares", "3", SubmitOptions().key("k"));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Errc::store_unavailable);

    EXPECT_EQ(wait(submit("squares", "3", SubmitOptions().key("k"))).value(), "9");
    EXPECT_EQ(openings, 2);
}

TEST_F(LostStoreTest, AStoreThatIsLostForGoodIsToldAndNoClientWaitsForEver) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_corrupt, "the file is damaged"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();
    std::promise<Errc> told;
    holder->loop().post([&] { holder->on_fatal([&](const Error& error) { told.set_value(error.code); }); });

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions()));
    EXPECT_EQ(told.get_future().get(), Errc::store_corrupt);

    const auto late = backend->submit("squares", "3", SubmitOptions());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::store_unavailable);
}

TEST_F(LostStoreTest, AStoreThatAnotherProgramLocksForAWhileIsOpenedOnceItIsFree) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings == 2) return Error{Errc::store_locked, "another program uses the file"};
        auto store = store::open_sqlite(file(), clock);
        if (!store || openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store)));
    };
    serve("squares", squares);
    start();

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions().key("k")));

    Result<detail::Backend::Submitted> again = Error{};
    do again = backend->submit("squares", "3", SubmitOptions().key("k"));
    while (!again);
    EXPECT_EQ(wait(again->id).value(), "9");
    EXPECT_EQ(openings, 3);
}

// No space for what a worker records, from the moment that the flag is set.
class FullStore final : public StoreOver {
public:
    FullStore(std::unique_ptr<core::Store> store, const std::atomic<bool>& full)
        : StoreOver(std::move(store)), full_(full) {}
    Result<core::Applied> apply(std::span<const core::Command> batch) override {
        for (const core::Command& command : batch)
            if (full_ && std::holds_alternative<core::Record>(command)) return Error{Errc::disk_full, "no space"};
        return StoreOver::apply(batch);
    }

private:
    const std::atomic<bool>& full_;
};

TEST_F(LostStoreTest, WhatCouldNotBeRecordedUntilTheEndIsCounted) {
    std::atomic<bool> full = false;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        return std::unique_ptr<core::Store>(
            std::make_unique<FullStore>(store::open_sqlite(file(), clock).value(), full));
    };
    options.engine.stop_grace = 10ms;
    options.engine.hard_stop = 10ms;
    const LogCapture log;
    serve("sum", sums_a_local, &meeting);
    start();
    const std::string id = submit("sum", "7");
    meeting.begun.pass();
    full = true;
    meeting.go_on.open();
    while (meeting.returned == 0) std::this_thread::yield();

    drain();

    const runtime::StoreEnd end = holder->close_store();
    EXPECT_EQ(end.lost_records, 1u);
    EXPECT_NE(log.text().find("task " + id + ": what it recorded last could not be stored"), std::string::npos)
        << log.text();
    close();
}

// A page that no claim can be read over: it opens, and each batch fails.
class DamagedStore final : public StoreOver {
public:
    using StoreOver::StoreOver;
    Result<core::Applied> apply(std::span<const core::Command>) override {
        return Error{Errc::store_corrupt, "database disk image is malformed"};
    }
};

TEST_F(LostStoreTest, AStoreThatIsDamagedAgainAfterItWasOpenedAnewIsLostForGood) {
    std::atomic<int> openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        openings++;
        return std::unique_ptr<core::Store>(std::make_unique<DamagedStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();
    std::promise<Errc> told;
    holder->loop().post([&] { holder->on_fatal([&](const Error& error) { told.set_value(error.code); }); });

    EXPECT_EQ(told.get_future().get(), Errc::store_corrupt);

    EXPECT_EQ(openings, 2);
    const auto late = backend->submit("squares", "3", SubmitOptions());
    EXPECT_EQ(late.error().code, Errc::store_unavailable);
    EXPECT_NE(late.error().message.find("nothing was stored"), std::string::npos) << late.error().message;
    EXPECT_EQ(holder->close_store().not_closed->code, Errc::store_unavailable);
}

TEST_F(LostStoreTest, WhoWaitsForATaskWaitsOnWhenItsStoreWasOpenedAnew) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        auto store = store::open_sqlite(file(), clock);
        if (!store || ++openings > 1) return store;
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(std::move(*store), 1));
    };
    serve("sleeps", sleeps_long);
    start();
    const std::string id = submit("sleeps", "0");
    auto ended = std::async(std::launch::async, [&] { return wait(id); });

    EXPECT_FALSE(backend->submit("sleeps", "0", SubmitOptions()));
    const std::string after = submit("sleeps", "0");
    EXPECT_EQ(backend->wait(after, 1ms).error().code, Errc::timed_out);
    EXPECT_TRUE(backend->operate(id, TaskVerb::cancel));

    EXPECT_EQ(ended.get().error().code, Errc::task_cancelled);
}

TEST_F(LostStoreTest, WhoWaitsHearsThatTheStoreIsLostForGood) {
    int openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_corrupt, "the file is damaged"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value(), 1));
    };
    serve("squares", squares);
    start();
    const std::string id = submit("squares", "3", SubmitOptions().delay(std::chrono::hours(1)));
    auto ended = std::async(std::launch::async, [&] { return wait(id); });
    std::promise<void> idle;
    holder->loop().post([&] { runtime::when_idle(*holder, registry, {}, [&] { idle.set_value(); }); });

    EXPECT_FALSE(backend->submit("squares", "3", SubmitOptions()));

    const auto told = ended.get();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Errc::store_unavailable);
    EXPECT_NE(told.error().message.find("the file is damaged"), std::string::npos);
    idle.get_future().wait();
    EXPECT_EQ(wait(id).error().code, Errc::store_unavailable) << "and who comes later";
}

TEST_F(LostStoreTest, WhatIsQueuedWhileTheStoreIsLostIsAnsweredAtTheEnd) {
    std::atomic<int> openings = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        if (++openings > 1) return Error{Errc::store_unavailable, "the disk does not answer"};
        return std::unique_ptr<core::Store>(std::make_unique<LostStore>(store::open_sqlite(file(), clock).value()));
    };
    serve("squares", squares);
    start();

    // Until one is queued while the store's thread waits for its next try; the others are answered by such a try.
    std::future<bool> late;
    const auto is_answered = [&] { return late.wait_for(0s) == std::future_status::ready; };
    do {
        late = std::async(std::launch::async,
                          [&] { return backend->submit("squares", "3", SubmitOptions()).has_value(); });
        while (!holder->batcher().has_work() && !is_answered()) std::this_thread::yield();
    } while (is_answered() || openings < 3);
    const runtime::StoreEnd end = holder->close_store();

    EXPECT_FALSE(late.get());
    ASSERT_TRUE(end.not_closed) << "what was running is not handed back";
    EXPECT_NE(end.not_closed->message.find("the disk does not answer"), std::string::npos) << end.not_closed->message;
}

class NeglectedStore final : public StoreOver {
public:
    NeglectedStore(std::unique_ptr<core::Store> store, std::atomic<int>& tries)
        : StoreOver(std::move(store)), tries_(tries) {}
    bool wants_upkeep() const override { return true; }
    Result<void> upkeep() override {
        tries_++;
        return Error{Errc::disk_full, "checkpoint: no space left"};
    }

private:
    std::atomic<int>& tries_;
};

TEST_F(LostStoreTest, UpkeepThatFailsCostsNobodyTheStore) {
    std::atomic<int> openings = 0, tries = 0;
    open_store = [&]() -> Result<std::unique_ptr<core::Store>> {
        openings++;
        return std::unique_ptr<core::Store>(
            std::make_unique<NeglectedStore>(store::open_sqlite(file(), clock).value(), tries));
    };
    serve("squares", squares);
    start();

    for (int n = 0; n < 20; n++) {
        auto ended = backend->submit("squares", std::to_string(n), SubmitOptions());
        ASSERT_TRUE(ended) << ended.error().message;
        EXPECT_EQ(wait(ended->id).value(), std::to_string(n * n));
    }
    close();

    EXPECT_GE(tries, 1);
    EXPECT_EQ(openings, 1);
}

}  // namespace
}  // namespace pawl::testing
