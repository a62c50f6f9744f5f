// Faults between a store and its server, and within the server, while commands drawn from a seed go on: the answers are
// those of a memory store that nothing happened to. So each acknowledged command happened, and none of them twice.
#include "conformance/memory_and_postgres.hpp"
#include "conformance/random_commands.hpp"
#include "store/postgres/postgres_url.hpp"
#include "support/cut_proxy.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace pawl::test {
namespace {

using namespace core;
using namespace std::chrono_literals;

int server_port() { return std::stoi(store::parse_postgres_url(*test_postgres_url())->hosts.front().port); }

// A trigger on the journal that fails at its n-th call, at once or with the commit.
class FaultTrigger {
public:
    explicit FaultTrigger(const TestSchema& schema) : schema_(schema) {
        schema_.exec(R"(
            create sequence fault_calls;
            create table fault_plan(at bigint, code text);
            insert into fault_plan values(0, '');
            create function fault() returns trigger language plpgsql as $$
            declare plan fault_plan;
            begin
                select * from fault_plan into plan;
                if nextval('fault_calls') = plan.at then
                    if plan.code = 'kill' then
                        perform pg_terminate_backend(pg_backend_pid());
                        perform pg_sleep(60);
                    end if;
                    raise exception 'injected' using errcode = plan.code;
                end if;
                return null;
            end $$;
            create trigger fault_now after insert on journal for each statement execute function fault();
            create constraint trigger fault_later after insert on journal deferrable initially deferred
                for each row execute function fault();)");
    }
    /// `code`: an SQLSTATE, or "kill" for the session.
    void arm(int calls, const std::string& code) {
        schema_.exec("update fault_plan set code = '" + code + "', at = (select last_value + " + std::to_string(calls) +
                     " from fault_calls)");
        is_armed_ = true;
    }
    void disarm() {
        if (std::exchange(is_armed_, false)) schema_.exec("update fault_plan set at = 0");
    }

private:
    const TestSchema& schema_;
    bool is_armed_ = false;
};

class Faults {
public:
    Faults(RandomCommands& random, CutProxy& proxy, const TestSchema& schema)
        : random_(random), proxy_(proxy), trigger_(schema) {}

    // While a session that was cut lingers on the server, it has its keys: a submit with one would be put off.
    void arm(bool has_keys) {
        using Cut = CutProxy::Cut;
        static const std::vector<std::string> codes{"40001", "40P01", "55P03", "57014", "23505", "kill"};
        const bool lingers = !has_keys && random_.chance(50);
        switch (random_.below(8)) {
            case 0:
                return proxy_.arm(Cut::before_commit, 0, lingers);
            case 1:
                return proxy_.arm(Cut::during_commit, 0, lingers);
            case 2:
                return proxy_.arm(Cut::after_commit, 0, lingers);
            case 3:
                return proxy_.arm(Cut::at_bytes, static_cast<std::size_t>(random_.below(6'000)), lingers);
            case 4:
                return proxy_.arm(Cut::in_answer, static_cast<std::size_t>(random_.below(3'000)), lingers);
            case 5:
                return trigger_.arm(1 + random_.below(6),
                                    codes[static_cast<std::size_t>(random_.below(has_keys ? 5 : 6))]);
            default:
                return;
        }
    }
    void disarm() {
        proxy_.disarm();
        trigger_.disarm();
    }

private:
    RandomCommands& random_;
    CutProxy& proxy_;
    FaultTrigger trigger_;
};

bool has_keys(const std::vector<Command>& batch) {
    return std::any_of(batch.begin(), batch.end(), [](const Command& command) {
        const auto* submit = std::get_if<Submit>(&command);
        return submit && !submit->key.empty();
    });
}

class PostgresFaults : public testing::TestWithParam<int> {
protected:
    void SetUp() override { PAWL_NEEDS_POSTGRES(); }
};

TEST_P(PostgresFaults, WhatWasAnsweredHappenedOnceWhateverWasCut) {
    CutProxy proxy(server_port());
    RandomCommands commands(static_cast<std::uint64_t>(GetParam()));
    MemoryAndPostgres stores(proxy.port());
    Faults faults(commands, proxy, stores.schema());
    for (int i = 0; i < 100 && !testing::Test::HasFailure(); ++i) {
        SCOPED_TRACE("seed " + std::to_string(GetParam()) + ", sequence " + std::to_string(i));
        const std::vector<Command> batch = commands.batch();
        faults.arm(has_keys(batch));
        const Applied answers = stores.apply(batch);
        faults.disarm();
        commands.learn(answers);
        if (commands.chance(50)) stores.clock().advance(Micros(1s) * commands.below(8));
        if (commands.chance(3)) stores.crash();
        if (commands.chance(3)) {
            faults.arm(true);
            stores.close();
            faults.disarm();
        }
    }
    stores.compare();
    EXPECT_GT(proxy.cuts(), 5) << "too few faults to show anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, PostgresFaults, testing::Range(1, 11));

}  // namespace
}  // namespace pawl::test
