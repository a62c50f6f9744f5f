// Three workers and their server, to which everything happens that a seed says: nothing is lost, nothing is recorded
// twice, nothing stands still for ever. ./dev chaos runs it for ten minutes with the real lease.
#include "core/journal.hpp"
#include "crash/postgres_fleet.hpp"
#include "support/cut_proxy.hpp"
#include "support/postgres.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <random>

namespace pawl::crash {
namespace {

using test::CutProxy;
using Clock = std::chrono::steady_clock;

class Dangers {
public:
    Dangers(const ChaosLength& length, const test::TestCluster& cluster)
        : length_(length), cluster_(cluster), random_(length.seed) {
        for (int i = 0; i < 4; ++i) proxies_.push_back(std::make_unique<CutProxy>(port_of(cluster.url())));
        std::vector<std::string> urls;
        for (int i = 0; i < 3; ++i) urls.push_back(with_port(cluster.url(), proxies_[i]->port()));
        fleet_.emplace(cluster.url(), urls, length.lease);
        fleet_->start_all();
    }

    PostgresFleet& fleet() { return *fleet_; }
    std::string producers_url() const { return with_port(cluster_.url(), proxies_[3]->port()); }

    void run() {
        const auto end = Clock::now() + length_.length;
        while (Clock::now() < end) {
            let_pass(std::chrono::milliseconds(200 + draw(length_.is_long ? 2'500 : 1'000)));
            wake(false);
            fleet_->expect_alive();
            next();
        }
    }
    /// Everything is well again.
    void stop() {
        wake(true);
        for (const auto& proxy : proxies_) {
            proxy->disarm();
            proxy->heal();
        }
    }
    std::string summary() const {
        std::string all;
        for (const auto& [what, times] : counts_) all += std::to_string(times) + " x " + what + ", ";
        int cuts = 0;
        for (const auto& proxy : proxies_) cuts += proxy->cuts();
        return all + std::to_string(cuts) + " cuts came about";
    }

private:
    std::size_t draw(std::size_t below) { return random_() % below; }

    void say(const std::string& what, const std::string& detail = {}) {
        ++counts_[what];
        const double at = std::chrono::duration<double>(Clock::now() - begin_).count();
        std::printf("%8.2f s  %s %s\n", at, what.c_str(), detail.c_str());
        std::fflush(stdout);
    }

    void next() {
        const std::size_t drawn = draw(100);
        if (drawn < 25) kill();
        else if (drawn < 38) pause();
        else if (drawn < 78) cut();
        else if (drawn < 86) cut_off();
        else restart();
    }

    void kill() {
        const std::size_t no = draw(3);
        if (paused_.erase(no) > 0) say("kill of a paused worker", std::to_string(no));
        else say("kill", std::to_string(no));
        fleet_->kill(no);
        fleet_->start(no);
    }

    // For longer than the lease: the others take over, and then it wakes.
    void pause() {
        const std::size_t no = draw(3);
        if (!paused_.empty()) return kill();
        fleet_->worker(no).signal(SIGSTOP);
        const auto length = length_.lease + 1s + std::chrono::milliseconds(draw(3'000));
        paused_[no] = Clock::now() + length;
        say("pause", std::to_string(no) + " for " + std::to_string(length.count()) + " ms");
    }
    void wake(bool at_once) {
        for (auto at = paused_.begin(); at != paused_.end();) {
            if (!at_once && at->second > Clock::now()) {
                ++at;
                continue;
            }
            fleet_->worker(at->first).signal(SIGCONT);
            say("wake", std::to_string(at->first));
            at = paused_.erase(at);
        }
    }

    void cut() {
        using Cut = CutProxy::Cut;
        constexpr std::pair<Cut, const char*> cuts[] = {{Cut::before_commit, "cut before a commit"},
                                                        {Cut::during_commit, "cut during a commit"},
                                                        {Cut::after_commit, "cut after a commit"},
                                                        {Cut::at_bytes, "cut in what was sent"},
                                                        {Cut::in_answer, "cut in an answer"}};
        const auto& [kind, name] = cuts[draw(std::size(cuts))];
        const std::size_t proxy = draw(4);
        proxies_[proxy]->arm(kind, draw(6'000), draw(2) == 0);
        say(name, std::to_string(proxy));
    }

    void cut_off() {
        const std::size_t proxy = draw(4);
        say("no network", std::to_string(proxy));
        proxies_[proxy]->cut_off();
        let_pass(std::chrono::milliseconds(draw(3'000)));
        proxies_[proxy]->heal();
    }

    void restart() {
        const std::size_t how = draw(3);
        say(how == 0 ? "fast restart" : how == 1 ? "immediate restart" : "SIGKILL of the server");
        if (how == 2) cluster_.kill();
        else EXPECT_TRUE(cluster_.stop(how == 0 ? "fast" : "immediate"));
        let_pass(std::chrono::milliseconds(draw(1'500)));
        // After a SIGKILL the other processes of the server may take a moment to end.
        int tries = 0;
        while (!cluster_.start()) ASSERT_LT(++tries, 50) << "the server does not start again";
    }

    const ChaosLength length_;
    const test::TestCluster& cluster_;
    std::mt19937_64 random_;
    std::vector<std::unique_ptr<CutProxy>> proxies_;  // the last one is the producers'
    std::optional<PostgresFleet> fleet_;
    std::map<std::size_t, Clock::time_point> paused_;
    std::map<std::string, int> counts_;
    const Clock::time_point begin_ = Clock::now();
};

TEST(PostgresChaos, WhateverHappensNothingIsLostRepeatedOrStuck) {
    PAWL_NEEDS_POSTGRES();
    const ChaosLength length = ChaosLength::from_environment();
    std::printf("seed %llu\n", static_cast<unsigned long long>(length.seed));
    const test::TestCluster cluster;
    Dangers dangers(length, cluster);
    Producers producers(dangers.producers_url(), 3, 40);
    dangers.run();
    dangers.stop();
    producers.stop();
    PostgresFleet& fleet = dangers.fleet();
    const auto begun = Clock::now();
    fleet.expect_all_final(60s);
    const double rest = std::chrono::duration<double>(Clock::now() - begun).count();
    fleet.expect_alive();
    fleet.drain();
    fleet.expect_sound();
    producers.expect_completed(fleet);
    std::printf(
        "%s\n%zu tasks acknowledged (%d submits repeated); all final %.1f s after the last danger; takeovers %ld\n",
        dangers.summary().c_str(), producers.acknowledged(), producers.repeated(), rest,
        fleet.entries(static_cast<int>(core::EntryKind::taken_over)));
    if (!testing::Test::HasFailure()) std::printf("verdict: 0 lost, 0 recorded twice, 0 stuck\n");
}

}  // namespace
}  // namespace pawl::crash
