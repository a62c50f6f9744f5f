// Several stores on one schema, as several processes have them.
#pragma once

#include "conformance/harness.hpp"
#include "store/postgres/postgres_store.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pawl::test {

/// One store and what wakes it. Of one thread, as a store is.
class Member {
public:
    explicit Member(const std::string& url, store::PostgresOptions options = {}) {
        options.wake = [this] {
            std::lock_guard lock(mutex_);
            is_woken_ = true;
            woken_.notify_all();
        };
        store_ = store::open_postgres(url, options).value();
    }

    Store& store() { return *store_; }
    std::int32_t worker() const { return store_->epoch(); }
    /// The process dies.
    void die() { store_.reset(); }

    Applied run(const std::vector<Command>& batch) {
        Result<Applied> applied = store_->apply(batch);
        EXPECT_TRUE(applied) << applied.error().message;
        return applied ? std::move(*applied) : Applied{};
    }
    template <class Answered>
    Answered ask(Command command) {
        const Applied applied = run({std::move(command)});
        if (applied.replies.empty()) return {};
        return answer_of<Answered>(applied, 0);
    }
    std::vector<ClaimedTask> claim_some(int tasks_max, const std::string& type = "mail") {
        return ask<Claimed>(claim(tasks_max, type)).tasks;
    }
    /// Looks, and looks again whenever it is woken, until `is_done` says so of a look's answer.
    template <class IsDone>
    void look_until(IsDone&& is_done) {
        for (;;) {
            const Applied applied = run({Tick{}});
            if (testing::Test::HasFailure() || is_done(applied)) return;
            std::unique_lock lock(mutex_);
            if (!woken_.wait_for(lock, 20s, [this] { return is_woken_; })) {
                ADD_FAILURE() << "nothing woke it";
                return;
            }
            is_woken_ = false;
        }
    }
    /// Looks until it hears of that task.
    Notice hear_of(TaskRef task) {
        Notice heard;
        look_until([&](const Applied& applied) {
            for (const Notice& notice : applied.notices) {
                if (notice.task != task) continue;
                heard = notice;
                return true;
            }
            return false;
        });
        return heard;
    }

private:
    std::mutex mutex_;
    std::condition_variable woken_;
    bool is_woken_ = false;
    std::unique_ptr<Store> store_;
};

class PostgresMany : public testing::Test {
protected:
    void SetUp() override {
        PAWL_NEEDS_POSTGRES();
        schema.emplace();
    }
    void TearDown() override {
        if (!schema) return;
        const auto findings = store::open_postgres_reader(schema->url()).value()->check();
        ASSERT_TRUE(findings) << findings.error().message;
        EXPECT_EQ(*findings, std::vector<std::string>{});
    }

    std::unique_ptr<Member> member(store::PostgresOptions options = {}) {
        return std::make_unique<Member>(schema->url(), std::move(options));
    }
    /// With a clock that stands still, and no eye on others but what `dead` says.
    std::unique_ptr<Member> still_member(std::vector<std::int32_t> dead = {}) {
        store::PostgresOptions options;
        options.clock = &clock;
        options.dead = std::move(dead);
        return member(std::move(options));
    }
    /// As if its lease had run out.
    void let_lease_end(const Member& of) {
        schema->exec("update worker set lease_until = 0 where id = " + std::to_string(of.worker()));
    }
    std::int64_t number(const std::string& query) { return std::stoll(schema->value(query)); }
    TaskRow row(const TaskId& id) { return store::open_postgres_reader(schema->url()).value()->get(id).value(); }

    /// Each of them on a thread of its own.
    template <class Body>
    static void in_parallel(std::vector<std::unique_ptr<Member>>& members, Body&& body) {
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < members.size(); ++i)
            threads.emplace_back([&, i] { body(*members[i], static_cast<int>(i)); });
        for (std::thread& thread : threads) thread.join();
    }

    ManualClock clock;
    std::optional<TestSchema> schema;
};

}  // namespace pawl::test
