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
        make_up();
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

    enum class Danger : std::uint8_t {
        kill,
        pause,
        cut_before_commit,
        cut_during_commit,
        cut_after_commit,
        cut_at_bytes,
        cut_in_answer,
        cut_off,
        fast_restart,
        immediate_restart,
        server_kill,
    };

    // Cards that are drawn until none is left: each kind comes in any length, and as often as it is there.
    void next() {
        using enum Danger;
        static constexpr Danger all[] = {kill,
                                         kill,
                                         kill,
                                         kill,
                                         pause,
                                         pause,
                                         pause,
                                         cut_off,
                                         fast_restart,
                                         immediate_restart,
                                         server_kill,
                                         cut_at_bytes,
                                         cut_in_answer,
                                         cut_before_commit,
                                         cut_before_commit,
                                         cut_during_commit,
                                         cut_during_commit,
                                         cut_after_commit,
                                         cut_after_commit};
        if (deck_.empty()) {
            deck_.assign(std::begin(all), std::end(all));
            for (std::size_t i = deck_.size() - 1; i > 0; --i) std::swap(deck_[i], deck_[draw(i + 1)]);
        }
        const Danger danger = deck_.back();
        deck_.pop_back();
        happen(danger);
    }

    void happen(Danger danger) {
        using Cut = CutProxy::Cut;
        switch (danger) {
            case Danger::kill:
                return kill(draw(3));
            case Danger::pause:
                return pause();
            case Danger::cut_before_commit:
                return cut(Cut::before_commit, "cut before a commit");
            case Danger::cut_during_commit:
                return cut(Cut::during_commit, "cut during a commit");
            case Danger::cut_after_commit:
                return cut(Cut::after_commit, "cut after a commit");
            case Danger::cut_at_bytes:
                return cut(Cut::at_bytes, "cut in what was sent");
            case Danger::cut_in_answer:
                return cut(Cut::in_answer, "cut in an answer");
            case Danger::cut_off:
                return cut_off();
            case Danger::fast_restart:
            case Danger::immediate_restart:
            case Danger::server_kill:
                return restart(danger);
        }
    }

    // What the seed and the load of the machine have kept from taking effect.
    void make_up() {
        for (int tries = 0; tries < 5 && !missing().empty() && !testing::Test::HasFailure(); ++tries) {
            for (const Danger danger : missing()) {
                wake(true);
                happen(danger);
                while (!paused_.empty()) {
                    let_pass(100ms);
                    wake(false);
                }
                let_pass(1s);
            }
            fleet_->expect_alive();
        }
        EXPECT_TRUE(missing().empty()) << "not all dangers took effect: " << summary();
    }
    std::vector<Danger> missing() const {
        using Cut = CutProxy::Cut;
        const auto cuts = [&](Cut cut) {
            int n = 0;
            for (const auto& proxy : proxies_) n += proxy->cuts(cut);
            return n;
        };
        const auto times = [&](const char* what) {
            const auto found = counts_.find(what);
            return found == counts_.end() ? 0 : found->second;
        };
        std::vector<Danger> missing;
        if (times("kill") == 0) missing.push_back(Danger::kill);
        if (times("takeover during a pause") == 0) missing.push_back(Danger::pause);
        if (cuts(Cut::before_commit) == 0) missing.push_back(Danger::cut_before_commit);
        if (cuts(Cut::during_commit) == 0) missing.push_back(Danger::cut_during_commit);
        if (cuts(Cut::after_commit) == 0) missing.push_back(Danger::cut_after_commit);
        if (times("fast restart") + times("immediate restart") == 0) missing.push_back(Danger::fast_restart);
        if (times("SIGKILL of the server") == 0) missing.push_back(Danger::server_kill);
        return missing;
    }

    void kill(std::size_t no) {
        if (paused_.erase(no) > 0) say("kill of a paused worker", std::to_string(no));
        else say("kill", std::to_string(no));
        fleet_->kill(no);
        fleet_->start(no);
    }

    struct Pause {
        Clock::time_point until;
        std::string worker;  // its number
        long held = 0;       // when it was stopped
    };

    // For longer than the lease: the others take over, and then it wakes.
    void pause() {
        const std::size_t no = draw(3);
        if (!paused_.empty()) return kill(no);
        fleet_->worker(no).signal(SIGSTOP);
        const auto length = length_.lease + 1s + std::chrono::milliseconds(draw(3'000));
        Pause pause;
        pause.until = Clock::now() + length;
        pause.worker = fleet_->value("select coalesce(max(id), 0) from worker where ended is null and pid = " +
                                     std::to_string(fleet_->worker(no).pid()));
        pause.held = fleet_->number(held_by(pause.worker));
        say("pause", std::to_string(no) + " for " + std::to_string(length.count()) + " ms, with " +
                         std::to_string(pause.held) + " tasks");
        paused_[no] = std::move(pause);
    }
    void wake(bool at_once) {
        for (auto at = paused_.begin(); at != paused_.end();) {
            const Pause& pause = at->second;
            if (!at_once && pause.until > Clock::now()) {
                ++at;
                continue;
            }
            // While it sleeps: what it does when it wakes tells nothing.
            if (pause.held > 0 && fleet_->number(held_by(pause.worker)) == 0) say("takeover during a pause");
            fleet_->worker(at->first).signal(SIGCONT);
            say("wake", std::to_string(at->first));
            at = paused_.erase(at);
        }
    }
    static std::string held_by(const std::string& worker) {
        return "select count(*) from task where line = 3 and (fence & 4294967295) = " + worker;
    }

    void cut(CutProxy::Cut kind, const char* name) {
        const std::size_t no = draw(4);
        CutProxy& proxy = *proxies_[no];
        const int before = proxy.cuts();
        proxy.arm(kind, draw(6'000), draw(2) == 0);
        say(name, std::to_string(no));
        // The next danger would not wait for it, or take its place.
        const auto give_up = Clock::now() + 1s;
        while (proxy.cuts() == before && Clock::now() < give_up) let_pass(5ms);
    }

    void cut_off() {
        const std::size_t proxy = draw(4);
        say("no network", std::to_string(proxy));
        proxies_[proxy]->cut_off();
        let_pass(std::chrono::milliseconds(draw(3'000)));
        proxies_[proxy]->heal();
    }

    void restart(Danger how) {
        const bool is_fast = how == Danger::fast_restart;
        say(is_fast ? "fast restart" : how == Danger::server_kill ? "SIGKILL of the server" : "immediate restart");
        if (how == Danger::server_kill) cluster_.kill();
        else EXPECT_TRUE(cluster_.stop(is_fast ? "fast" : "immediate"));
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
    std::map<std::size_t, Pause> paused_;
    std::vector<Danger> deck_;
    std::map<std::string, int> counts_;
    const Clock::time_point begin_ = Clock::now();
};

TEST(PostgresChaos, WhateverHappensNothingIsLostRepeatedOrStuck) {
    PAWL_NEEDS_POSTGRES();
    const ChaosLength length = ChaosLength::from_environment();
    std::printf("seed %llu\n", static_cast<unsigned long long>(length.seed));
    const test::TestCluster cluster;
    Dangers dangers(length, cluster);
    Producers producers(dangers.producers_url(), 3, 40, 1);
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
