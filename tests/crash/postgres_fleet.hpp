// Worker processes on one PostgreSQL store, tasks submitted beside them, and what must hold whatever happens to them.
#pragma once

#include "core/journal.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <pawl/client.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pawl::crash {

using namespace std::chrono_literals;

/// From ./dev chaos: how long, and from which seed. The tests of every day are short and have a short lease.
struct ChaosLength {
    bool is_long = false;
    std::chrono::seconds length{25};
    std::uint64_t seed = 1;
    std::chrono::milliseconds lease{2'000};

    static ChaosLength from_environment();
};

/// Real time is what these tests are about: they wait for it here.
void let_pass(std::chrono::milliseconds time);

/// Asks for the number of entries of that kind.
std::string entries_of(core::EntryKind kind);

/// Workers of tests/crash/programs with a number each, from 0; what they say goes to files.
class PostgresFleet {
public:
    /// `urls`: one for each worker. `asked`: where the test itself looks.
    PostgresFleet(std::string asked, std::vector<std::string> urls, std::chrono::milliseconds lease);

    void start(std::size_t no, const std::string& concurrency = "64");
    void start_all();
    void kill(std::size_t no);
    test::Background& worker(std::size_t no) { return *workers_.at(no); }
    std::size_t size() const { return urls_.size(); }
    /// Until the worker has said `part`; false when `limit` has passed.
    bool wait_until_said(std::size_t no, const std::string& part, std::chrono::seconds limit) const;
    bool has_anyone_said(const std::string& part) const;
    /// Starts those again that ended since the server was away when they began, as a supervisor does; fails the test
    /// for any other that ended by itself.
    void expect_alive();
    int begun_in_vain() const { return begun_in_vain_; }
    /// SIGTERM to all, and waits.
    void drain();

    /// Asks the server until it answers.
    std::string value(const std::string& query) const;
    long number(const std::string& query) const { return std::stol(value(query)); }
    /// Entries of that kind.
    long entries(int kind) const { return number("select count(*) from journal where kind = " + std::to_string(kind)); }
    /// Until the query gives that; false when `limit` has passed.
    bool wait_until(const std::string& query, const std::string& expected, std::chrono::seconds limit) const;
    /// Until everything is final; fails the test and says what is not when it takes too long.
    void expect_all_final(std::chrono::seconds limit) const;
    /// Journals without gaps, one end for each step of each task, no `once` effect twice, tables that fit each other.
    void expect_sound() const;

    std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
    const std::string& asked() const { return asked_; }
    test::ProcessResult run(std::vector<std::string> verb) const;

private:
    std::string all_said(std::size_t no) const;

    test::TempFolder folder_ = test::TempFolder::in_memory();
    std::string asked_;
    std::vector<std::string> urls_;
    test::Surroundings surroundings_;
    std::vector<std::unique_ptr<test::Background>> workers_;
    int begun_in_vain_ = 0;
};

/// Submits tasks with keys, each again and again until it is acknowledged, on threads of its own.
class Producers {
public:
    /// `in_transactions`: so many more that do it in transactions of their own, by pawl_submit.
    Producers(const std::string& url, int count, int ms_of_a_step, int in_transactions = 0);
    ~Producers() { stop(); }
    /// Each ends when its newest submit has been acknowledged.
    void stop();
    std::size_t acknowledged() const;
    int repeated() const { return repeated_; }
    /// Submits that were answered with disk_full.
    int refused_for_space() const { return refused_for_space_; }
    /// Every one is completed, and its key still leads to it.
    void expect_completed(const PostgresFleet& fleet) const;

private:
    void produce(const std::string& url, int producer);
    void produce_in_transactions(const std::string& url, int producer);

    const int ms_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> repeated_{0}, refused_for_space_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> ids_, refusals_;
    std::vector<std::thread> threads_;
};

/// The same server at another port.
std::string with_port(std::string url, int port);
int port_of(const std::string& url);

}  // namespace pawl::crash
