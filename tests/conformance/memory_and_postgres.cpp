#include "conformance/memory_and_postgres.hpp"

#include "conformance/shown_answers.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/postgres_url.hpp"

#include <gtest/gtest.h>

namespace pawl::test {

using namespace core;

namespace {

constexpr int repeats_max = 20;  // of one batch; each of them is five attempts

}  // namespace

std::string text_of(const std::vector<Command>& batch) {
    std::string text;
    for (const Command& command : batch) text += "\n  " + shown(command);
    return text;
}

MemoryAndPostgres::MemoryAndPostgres(int port) : url_(schema_.url()) {
    const std::string own = ":" + store::parse_postgres_url(url_)->hosts.front().port + "/";
    if (port != 0) url_ = schema_.url_with(own, ":" + std::to_string(port) + "/");
    open();
}

void MemoryAndPostgres::open() {
    memory_.reset();
    postgres_.reset();
    // Both begin with the wall clock's time; on a server it never lies behind what was recorded.
    const Micros behind{count(now_) - count(clock_.wall())};
    if (behind > Micros{0}) clock_.jump_wall(behind);
    memory_ = std::make_unique<store::MemoryStore>(disk_, clock_);
    store::PostgresOptions options;
    options.clock = &clock_;
    options.dead = std::exchange(dead_, {});
    auto opened = store::open_postgres(url_, options);
    for (int n = 0; !opened && n < repeats_max; ++n) opened = store::open_postgres(url_, options);
    postgres_ = std::move(opened).value();
}

void MemoryAndPostgres::crash() {
    if (postgres_->epoch() != 0) {
        dead_.push_back(postgres_->epoch());
        schema_.exec("update worker set lease_until = 0, seen = greatest((select max(at) from journal), " +
                     std::to_string(count(purged_)) + ") where id = " + std::to_string(postgres_->epoch()));
    }
    disk_->crash();
    open();
}

void MemoryAndPostgres::close() {
    apply({});  // after it both know what time it is
    ASSERT_TRUE(memory_->close());
    const Result<void> closed = postgres_->close();
    ASSERT_TRUE(closed) << closed.error().message;
    open();
}

Applied MemoryAndPostgres::apply(const std::vector<Command>& batch) {
    const Applied expected = memory_->apply(batch).value();
    EXPECT_TRUE(memory_->flush());
    std::vector<Command> translated;
    for (const Command& command : batch) translated.push_back(names_.to_there(command));
    Result<Applied> got = postgres_->apply(translated);
    for (int n = 0; !got && postgres_->keeps_batch() && n < repeats_max; ++n, ++repeats_)
        got = postgres_->apply(translated);
    EXPECT_TRUE(got) << got.error().message << " to" << text_of(batch);
    if (!got) return expected;
    names_.learn(expected, *got);
    EXPECT_EQ(shown(without_own_matters(expected)), shown(without_own_matters(names_.to_here(*got))))
        << "to" << text_of(batch);
    now_ = expected.now;
    for (const Command& command : batch)
        if (std::holds_alternative<Purge>(command)) purged_ = now_;
    return expected;
}

// What other tests on the server have not ended yet may hold the feed's end back.
void MemoryAndPostgres::wait_for_feed() {
    constexpr int all = 100'000;
    const std::size_t expected = memory_->feed({}, all).value().size();
    while (postgres_->feed({}, all).value().size() < expected) {}
}

void MemoryAndPostgres::compare() {
    wait_for_feed();
    TwinReader expected(*memory_);
    TwinReader got(*postgres_, &names_);
    EXPECT_EQ(shown_all(expected), shown_all(got));
}

}  // namespace pawl::test
