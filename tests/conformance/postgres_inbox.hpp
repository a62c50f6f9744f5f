// A user who submits in transactions of his own, beside workers and clients.
#pragma once

#include "conformance/postgres_members.hpp"
#include "core/canonical_json.hpp"
#include "core/fingerprint.hpp"
#include "store/postgres/connection.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::test {

/// A program of a user's, with a connection of its own.
class User {
public:
    explicit User(const std::string& url, const store::PgSettings& settings = {{"lock_timeout", "20s"}}) {
        const auto opened = connection_.open(store::parse_postgres_url(url).value(), 60s, settings);
        EXPECT_TRUE(opened) << opened.error().message;
    }
    void exec(const std::string& script) {
        const auto done = connection_.exec(script, 60s);
        EXPECT_TRUE(done) << script << ": " << done.error().message;
    }
    /// The id, or nothing: then error() says why.
    std::optional<TaskId> submit(const std::string& arguments) {
        std::string text;
        store::PgPipeline pipeline(connection_);
        pipeline.add_text("submit", "select pawl_submit(" + arguments + ")",
                          [&](store::PgRows& rows) { text = rows.text(0, 0); });
        const auto done = pipeline.run(60s);
        if (!done) error_ = done.error();
        return done ? parse_task_id(text) : std::nullopt;
    }
    TaskId submitted(const std::string& arguments) {
        const auto id = submit(arguments);
        EXPECT_TRUE(id) << arguments << ": " << error_.message;
        return id.value_or(TaskId{});
    }
    /// SQLSTATE of the refusal.
    std::string refusal(const std::string& arguments) {
        EXPECT_FALSE(submit(arguments)) << arguments;
        return error_.sqlstate;
    }
    const std::string& said() const { return error_.message; }
    int pid() const { return connection_.backend_pid(); }

private:
    store::PgConnection connection_;
    store::PgError error_;
};

class PostgresInbox : public PostgresMany {
protected:
    void SetUp() override {
        PostgresMany::SetUp();
        if (schema) client = member();
    }
    User user() { return User(schema->url()); }
    /// A worker, and no thread of its own that would call it.
    std::unique_ptr<Member> worker() {
        auto made = member();
        made->claim_some(0);
        return made;
    }
    /// Its batches take in all that is committed.
    void take_all(Member& m) {
        while (number("select count(*) from inbox") != 0 && !HasFailure()) m.run({Tick{}});
    }
    std::vector<ClaimedTask> claim_all(Member& m, int tasks) {
        std::vector<ClaimedTask> claimed;
        while (std::ssize(claimed) < tasks && !HasFailure())
            for (ClaimedTask& task : m.claim_some(tasks)) claimed.push_back(std::move(task));
        return claimed;
    }
    /// Until the session waits for a lock.
    void wait_until_blocked(int pid) {
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (number("select count(*) from pg_locks where not granted and pid = " + std::to_string(pid)) == 0)
            ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    }
    /// As a client makes it.
    static Submit keyed(const std::string& key, const std::string& input, int number = 1) {
        Submit made = submit(number);
        made.key = key;
        made.input = input;
        made.fingerprint = fingerprint({made.lane.space, made.lane.type, canonical_json(input).value()});
        return made;
    }

    std::unique_ptr<Member> client;
};

}  // namespace pawl::test
