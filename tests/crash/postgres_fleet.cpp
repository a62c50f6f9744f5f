#include "crash/postgres_fleet.hpp"

#include "core/journal.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/postgres_url.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <poll.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pawl::crash {
namespace {

constexpr TaskType<int, int> slow_steps_type{"slow_steps"};

// As a program of a user's does it, that keeps its connection. The id, once the commit was confirmed.
store::PgResult<std::string> submit_in_transaction(store::PgConnection& connection, const std::string& arguments) {
    std::string id;
    if (auto begun = connection.exec("begin", 10s); !begun) return begun.error();
    store::PgPipeline pipeline(connection);
    pipeline.add_text("submit", "select pawl_submit(" + arguments + ")",
                      [&](store::PgRows& rows) { id = rows.text(0, 0); });
    if (auto submitted = pipeline.run(10s); !submitted) return submitted.error();
    if (auto committed = connection.exec("commit", 10s); !committed) return committed.error();
    return id;
}

}  // namespace

ChaosLength ChaosLength::from_environment() {
    ChaosLength found;
    if (const char* seed = std::getenv("PAWL_CHAOS_SEED")) found.seed = std::stoull(seed);
    if (const char* seconds = std::getenv("PAWL_CHAOS_SECONDS")) {
        found.is_long = true;
        found.length = std::chrono::seconds(std::stol(seconds));
        found.lease = 15s;
    }
    return found;
}

void let_pass(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

std::string entries_of(core::EntryKind kind) {
    return "select count(*) from journal where kind = " + std::to_string(static_cast<int>(kind));
}

int port_of(const std::string& url) { return std::stoi(store::parse_postgres_url(url)->hosts.front().port); }

std::string with_port(std::string url, int port) {
    const std::string old = ":" + std::to_string(port_of(url)) + "/";
    return url.replace(url.find(old), old.size(), ":" + std::to_string(port) + "/");
}

// ---- workers -----------------------------------------------------------------------------------------------------

PostgresFleet::PostgresFleet(std::string asked, std::vector<std::string> urls, std::chrono::milliseconds lease)
    : asked_(std::move(asked)), urls_(std::move(urls)), workers_(urls_.size()) {
    std::ofstream(path("ledger")).flush();
    surroundings_.environment = {"PAWL_LEDGER=" + path("ledger"),
                                 "PAWL_TEST_LEASE_MS=" + std::to_string(lease.count())};
    // Makes the tables.
    const auto made = run({"submit", "slow_steps", "0"});
    EXPECT_EQ(made.exit, 0) << made.err;
}

test::ProcessResult PostgresFleet::run(std::vector<std::string> verb) const {
    verb.insert(verb.begin(), {CRASH_PROGRAM, "--store", asked_});
    return test::run(verb, {}, surroundings_);
}

void PostgresFleet::start(std::size_t no, const std::string& concurrency) {
    const std::string log = path("worker" + std::to_string(no));
    workers_.at(no) = std::make_unique<test::Background>(
        std::vector<std::string>{"/bin/sh", "-c", "exec \"$@\" >'" + log + "' 2>&1", "sh", CRASH_PROGRAM, "--store",
                                 urls_.at(no), "worker", "--concurrency", concurrency},
        surroundings_);
}

void PostgresFleet::start_all() {
    for (std::size_t no = 0; no < size(); ++no) start(no);
}

void PostgresFleet::kill(std::size_t no) {
    worker(no).signal(SIGKILL);
    EXPECT_EQ(worker(no).wait().exit, 128 + SIGKILL);
    workers_.at(no).reset();
}

void PostgresFleet::expect_alive() {
    for (std::size_t no = 0; no < size(); ++no) {
        if (!workers_[no] || !workers_[no]->has_ended()) continue;
        const std::string said = all_said(no);
        const int exit = workers_[no]->wait().exit;
        if (exit == 9 && said.find("working") == std::string::npos) {
            ++begun_in_vain_;
        } else {
            ADD_FAILURE() << "worker " << no << " ended by itself with " << exit << ": "
                          << said.substr(said.size() - std::min<std::size_t>(said.size(), 3'000));
        }
        start(no);
    }
}

std::string PostgresFleet::all_said(std::size_t no) const {
    std::ifstream log(path("worker" + std::to_string(no)));
    return {std::istreambuf_iterator<char>(log), {}};
}

bool PostgresFleet::wait_until_said(std::size_t no, const std::string& part, std::chrono::seconds limit) const {
    const auto give_up = std::chrono::steady_clock::now() + limit;
    while (all_said(no).find(part) == std::string::npos) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        let_pass(20ms);
    }
    return true;
}

bool PostgresFleet::has_anyone_said(const std::string& part) const {
    for (std::size_t no = 0; no < size(); ++no) {
        if (all_said(no).find(part) != std::string::npos) return true;
    }
    return false;
}

void PostgresFleet::drain() {
    for (const auto& each : workers_) {
        if (each) each->signal(SIGTERM);
    }
    for (const auto& each : workers_) {
        if (each) { EXPECT_EQ(each->wait().exit, 0); }
    }
}

// ---- what the server says ----------------------------------------------------------------------------------------

std::string PostgresFleet::value(const std::string& query) const {
    for (int i = 0; i < 600; ++i) {
        if (auto found = test::ask_postgres(asked_, "(" + query + ")")) return *found;
        let_pass(100ms);
    }
    ADD_FAILURE() << "the server is away: " << query;
    return "-1";
}

bool PostgresFleet::wait_until(const std::string& query, const std::string& expected,
                               std::chrono::seconds limit) const {
    const auto give_up = std::chrono::steady_clock::now() + limit;
    while (value(query) != expected) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        let_pass(20ms);
    }
    return true;
}

void PostgresFleet::expect_all_final(std::chrono::seconds limit) const {
    if (wait_until("select count(*) from task where state < 4", "0", limit)) return;
    ADD_FAILURE() << "stuck after " << limit.count() << " s: "
                  << value(
                         "select string_agg(concat_ws(' ', id, state, reason, crash_count, fence & 4294967295), '; ') "
                         "from (select * from task where state < 4 limit 10) t")
                  << "\n"
                  << run({"list", "--state", "paused"}).out;
}

void PostgresFleet::expect_sound() const {
    EXPECT_EQ(value("select count(*) from (select task from journal group by task having max(no) <> count(*)) x"), "0")
        << "tasks whose journal has a gap";
    EXPECT_EQ(value("select count(*) from task t where not exists (select 1 from journal j where j.task = t.id)"), "0");
    const std::string ends = std::to_string(static_cast<int>(core::EntryKind::step_completed));
    EXPECT_EQ(value("select count(*) from (select 1 from journal where kind = " + ends +
                    " group by task, path having count(*) > 1) x"),
              "0")
        << "steps recorded twice";
    EXPECT_EQ(value("select count(*) from (select 1 from journal where kind = 8 group by task having count(*) > 1) x"),
              "0")
        << "tasks completed twice";
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(path("ledger.once"), none)) {
        std::ifstream in(entry.path());
        int done = 0;
        for (std::string line; std::getline(in, line);) done += line.starts_with("done") ? 1 : 0;
        EXPECT_LE(done, 1) << "a once effect that happened twice: " << entry.path();
    }
    const auto checked = run({"doctor"});
    EXPECT_EQ(checked.exit, 0) << checked.out << checked.err;
}

// ---- producers ---------------------------------------------------------------------------------------------------

Producers::Producers(const std::string& url, int count, int ms_of_a_step, int in_transactions) : ms_(ms_of_a_step) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, url, i] { produce(url, i); });
    for (int i = count; i < count + in_transactions; ++i)
        threads_.emplace_back([this, url, i] { produce_in_transactions(url, i); });
}

void Producers::stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

std::size_t Producers::acknowledged() const {
    std::lock_guard lock(mutex_);
    return ids_.size();
}

void Producers::produce(const std::string& url, int producer) {
    const Client client = Client::open(url).value();
    for (int i = 0; !stopping_; ++i) {
        const SubmitOptions options = SubmitOptions().key(std::to_string(producer) + "-" + std::to_string(i));
        for (;;) {
            const auto task = client.submit(slow_steps_type, ms_, options);
            std::unique_lock lock(mutex_);
            if (task) {
                ids_.push_back(task->id());
                break;
            }
            ++repeated_;
            if (task.error().code == Errc::disk_full) ++refused_for_space_;
            else if (task.error().code != Errc::store_unavailable) refusals_.push_back(task.error().message);
            lock.unlock();
            let_pass(100ms);
        }
        let_pass(40ms);
    }
}

void Producers::produce_in_transactions(const std::string& url, int producer) {
    store::PgConnection connection;
    for (int i = 0; !stopping_; ++i) {
        const std::string arguments = "'slow_steps', '" + std::to_string(ms_) + "', key => '" +
                                      std::to_string(producer) + "-" + std::to_string(i) + "'";
        for (;;) {
            if (connection.is_open() || connection.open(store::parse_postgres_url(url).value(), 5s)) {
                const auto id = submit_in_transaction(connection, arguments);
                const std::lock_guard lock(mutex_);
                if (id) {
                    ids_.push_back(*id);
                    break;
                }
                connection.close();
                if (!store::is_outcome_unknown(id.error().fault) && !store::is_retryable(id.error().fault))
                    refusals_.push_back(id.error().message);
            }
            ++repeated_;
            let_pass(100ms);
        }
        let_pass(40ms);
    }
}

void Producers::expect_completed(const PostgresFleet& fleet) const {
    std::lock_guard lock(mutex_);
    for (const std::string& refusal : refusals_)
        ADD_FAILURE() << "a submit was not answered with 'try again': " << refusal;
    // The first task is that which made the tables.
    EXPECT_EQ(fleet.value("select count(*) from task where state = 4"), std::to_string(ids_.size() + 1));
    EXPECT_EQ(fleet.value("select count(*) from task"), std::to_string(ids_.size() + 1)) << "one for each key";
    EXPECT_EQ(fleet.value("select count(*) from key"), std::to_string(ids_.size()));
    const Client client = Client::open(fleet.asked()).value();
    for (std::size_t i = 0; i < ids_.size(); i += 1 + ids_.size() / 100) {
        const auto output = client.find<int>(ids_[i]).wait_for(1s);
        EXPECT_TRUE(output && *output == 3 * ms_ + 1) << ids_[i] << ": " << client.find<int>(ids_[i]).why();
    }
}

}  // namespace pawl::crash
