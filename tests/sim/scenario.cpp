#include "sim/scenario.hpp"

#include "sim/interpreter.hpp"
#include "sim/late_writer.hpp"
#include "sim/person.hpp"

namespace pawl::sim {

namespace {

using namespace std::chrono_literals;
using core::Micros;
using store::MemoryDisk;
using testing::SimOptions;
using testing::SimRandom;
using testing::SimWorld;

/// What may go wrong in this run, and how often; 0 = never, else one in so many things that happen.
struct Dangers {
    int crash = 0, store_fault = 0, clock_jump = 0, stop = 0, usurper = 0;
    bool late_writer = false;
    Micros length{};

    explicit Dangers(SimRandom& draw) {
        crash = rate(draw);
        store_fault = rate(draw);
        clock_jump = draw.percent(30) ? 500 : 0;
        stop = draw.percent(30) ? 700 : 0;
        usurper = draw.percent(20) ? 700 : 0;
        late_writer = draw.percent(50);
        length = 5s + draw.length(5min);
    }
    static int rate(SimRandom& draw) {
        constexpr int rates[] = {0, 3'000, 600, 150, 40};
        return rates[draw.below(5)];
    }
};

SimOptions options_of(std::uint64_t seed, SimRandom& draw, const Guarding& guarding) {
    SimOptions o;
    o.seed = seed;
    o.make_ledger = guarding.make_ledger;
    o.make_turns = guarding.make_turns;
    o.engine.concurrency = draw.between(1, 8);
    o.engine.park_everywhere = draw.percent(30);
    if (draw.percent(20)) o.engine.parked_frames_max = 1;
    if (draw.percent(30)) o.pool_delay_max = 50ms;
    if (draw.percent(20)) o.flush_length_max = 300ms;
    return o;
}

class Run {
public:
    Run(std::uint64_t seed, const Guarding& guarding, bool keep_lines)
        : draw_(seed ^ 0xD1CE),
          dangers_(draw_),
          world_(options_of(seed, draw_, guarding)),
          trace_(world_.clock, keep_lines),
          history_(trace_),
          outside_(world_, history_, trace_),
          clients_(world_, trace_),
          person_(world_, outside_, clients_, trace_),
          late_writer_(draw_, trace_) {
        world_.serve("program", run_program, &outside_);
        if (dangers_.late_writer)
            world_.on_take = [this](std::vector<runtime::Item>& batch) {
                late_writer_.meet(batch, [this](core::TaskRef ref) { return world_.process().store()->get(ref); });
            };
    }

    // Functions that still run look at `outside_` when they are cut off.
    ~Run() {
        if (world_.is_up()) world_.crash();
    }

    RunResult run() {
        world_.start();
        set_queue();
        clients_.plan(draw_, dangers_.length * 2 / 3);
        person_.plan(draw_, dangers_.length);
        const Micros end = world_.clock.boot() + dangers_.length;
        world_.at(end, [] {});
        constexpr int chaos_steps_max = 4'000;
        while (is_fine() && world_.clock.boot() < end && steps_ < chaos_steps_max) {
            endanger();
            go_on();
        }
        calm_down();
        if (is_fine()) check_rest();
        return {trace_.digest(), trace_.violation(), steps_, crashes_, trace_.lines()};
    }

private:
    bool is_fine() const { return trace_.violation().empty(); }

    void go_on() {
        steps_++;
        if (!world_.step()) trace_.broken("liveness: nothing will ever happen any more");
        if (!world_.is_up() || !world_.process().store()) return;
        testing::SimProcess& process = world_.process();
        const bool is_opened = seen_start_ != world_.starts() || seen_opening_ != process.openings();
        if (!is_opened && seen_flush_ == process.flushes()) return;
        seen_start_ = world_.starts();
        seen_opening_ = process.openings();
        seen_flush_ = process.flushes();
        if (is_opened) {
            history_.compare(*process.store());
            clients_.check(*process.store());
        }
        history_.follow(*process.store());
        if (narrow_ > 0) check_queue();
    }

    // ---- what goes wrong
    void endanger() {
        const auto comes = [this](int rate) { return rate > 0 && draw_.one_in(rate); };
        if (comes(dangers_.clock_jump)) {
            const bool forward = draw_.one_in(2);
            trace_.note(forward ? "the wall clock is set forward" : "the wall clock is set back");
            world_.clock.set_wall_by(forward ? 2h : -2h);
        }
        if (!world_.is_up()) return;
        if (comes(dangers_.store_fault)) fail_store();
        if (comes(dangers_.stop) && !is_draining_) drain();
        if (comes(dangers_.usurper)) return usurp();
        if (comes(dangers_.crash)) crash();
    }

    void fail_store() {
        constexpr MemoryDisk::Fault faults[] = {MemoryDisk::Fault::before, MemoryDisk::Fault::after,
                                                MemoryDisk::Fault::full};
        const MemoryDisk::Fault fault = faults[draw_.below(3)];
        const bool in_flush = draw_.one_in(2);
        trace_.note("the store will fail, kind " + std::to_string(static_cast<int>(fault)) +
                    (in_flush ? " in a flush" : ""));
        if (in_flush) world_.disk->fail_next_flush(fault);
        else world_.disk->fail_next_apply(fault);
        world_.fail_opens(draw_.below(3));
    }

    void crash() {
        trace_.note("the process dies");
        crashes_++;
        is_draining_ = false;
        world_.crash();
        restart_later();
    }

    // What a lock file prevents, as long as it is there: two processes on one store. The newer one wins.
    void usurp() {
        trace_.note("another process opens the store");
        crashes_++;
        is_draining_ = false;
        if (world_.usurp(world_.submission("program", "0", {}))) trace_.broken("I6: two owners write to one store");
    }

    void restart_later() {
        world_.at(world_.clock.boot() + (draw_.one_in(2) ? 1ms : draw_.length(20s)), [this] {
            if (!world_.is_up()) world_.start();
        });
    }

    void drain() {
        trace_.note("the process is asked to stop");
        is_draining_ = true;
        const int start = world_.starts();
        world_.process().loop().post([this, start] {
            world_.process().engine().drain([this, start] {
                world_.at(world_.clock.boot(), [this, start] {
                    if (!world_.is_up() || world_.starts() != start) return;
                    trace_.note("the process has stopped");
                    world_.close_process();
                    is_draining_ = false;
                    restart_later();
                });
            });
        });
    }

    // ---- when it stops
    void calm_down() {
        trace_.note("quiet from here on");
        world_.disk->fail_next_apply(MemoryDisk::Fault::none);
        world_.disk->fail_next_flush(MemoryDisk::Fault::none);
        world_.fail_opens(0);
        world_.on_take = {};
        if (!world_.is_up()) world_.start();
        core::SetQueue open;
        open.name = "narrow";
        open.concurrency = 0;
        narrow_ = 0;
        ask_for_queue(open);
        person_.help_to_the_end();
        const Micros limit = world_.clock.boot() + 12h;
        const int steps_max = steps_ + 200'000;
        while (is_fine() && !is_over()) {
            go_on();
            if (world_.clock.boot() > limit || steps_ > steps_max) report_stall();
        }
    }

    bool is_over() {
        if (!clients_.all_answered() || person_.is_waiting() || !queue_is_set_ || is_draining_) return false;
        if (!world_.is_up() || !world_.process().store() || !world_.process().is_quiet()) return false;
        for (const auto& [id, task] : history_.tasks())
            if (!pawl::is_final(task.state)) return false;
        return world_.process().pool().running() == 0;
    }

    void report_stall() {
        std::string text = "I3: when the faults had stopped, this did not end:";
        for (const auto& [id, task] : history_.tasks())
            if (!pawl::is_final(task.state)) text += " " + std::string(pawl::to_string(task.state));
        if (!clients_.all_answered()) text += " (a client waits)";
        if (person_.is_waiting()) text += " (the operator waits)";
        trace_.broken(text);
    }

    // ---- queues
    void set_queue() {
        if (!draw_.percent(50)) return;
        core::SetQueue narrow;
        narrow.name = "narrow";
        narrow.concurrency = draw_.between(1, 2);
        if (draw_.percent(30)) narrow.depth_max = draw_.between(1, 3);
        ask_for_queue(narrow);
    }

    void ask_for_queue(const core::SetQueue& command) {
        queue_is_set_ = false;
        world_.send(command, [this, command](const Result<core::Answer>& answer) {
            if (!answer) {
                world_.at(world_.clock.boot() + 100ms, [this, command] { ask_for_queue(command); });
                return;
            }
            queue_is_set_ = true;
            narrow_ = command.concurrency.value_or(0);
        });
    }

    void check_queue() {
        for (const core::QueueStatus& queue : world_.process().store()->queues().value())
            if (queue.name == "narrow" && queue.running > queue.concurrency)
                trace_.broken("more tasks of a queue run than its concurrency allows");
    }

    // ---- what must be true at the end
    void check_rest() {
        testing::SimProcess& process = world_.process();
        history_.follow(*process.store());
        history_.compare(*process.store());
        clients_.check(*process.store());
        if (process.batcher().free_slots() != world_.options.engine.concurrency)
            trace_.broken("a slot is lost: " + std::to_string(process.batcher().free_slots()) + " of " +
                          std::to_string(world_.options.engine.concurrency) + " are free");
        if (process.engine().deaf_steps() != 0) trace_.broken("a deaf step is counted that is no more");
        const auto counts = process.store()->counts().value();
        std::vector<std::int64_t> mine(counts.size());
        for (const auto& [id, task] : history_.tasks()) mine[static_cast<std::size_t>(task.state)]++;
        if (counts != mine) trace_.broken("I14: the counts by state are not those of the tasks");
        for (const Clients::Known& known : clients_.tasks()) check_end(known);
    }

    void check_end(const Clients::Known& known) {
        const core::TaskRow row = world_.row(known.id);
        const Expected expected = expected_of(program_of(known.program), *history_.task(known.id), known.has_deadline);
        using What = Expected::What;
        if (!expected.misfit.empty()) trace_.broken("I4: " + expected.misfit);
        if (row.state == TaskState::completed) {
            if (expected.what != What::value) trace_.broken("I4: completed, though not every step of it is recorded");
            else if (row.output != std::to_string(expected.value))
                trace_.broken("I4: its output is " + row.output + ", and should be " + std::to_string(expected.value));
        }
        if (row.state != TaskState::failed || row.reason != Reason::error) return;
        const core::Entry& last = history_.task(known.id)->entries.back();
        if (expected.what != What::failure || expected.failed_path != last.path)
            trace_.broken("I4: it failed by '" + last.path + "' (" + row.error + "), and should by '" +
                          expected.failed_path + "'");
    }

    SimRandom draw_;
    const Dangers dangers_;
    SimWorld world_;
    Trace trace_;
    History history_;
    Outside outside_;
    Clients clients_;
    Person person_;
    LateWriter late_writer_;
    int steps_ = 0, crashes_ = 0;
    int seen_start_ = 0, seen_opening_ = 0, seen_flush_ = 0;
    int narrow_ = 0;
    bool is_draining_ = false, queue_is_set_ = true;
};

}  // namespace

RunResult run_seed(std::uint64_t seed, const Guarding& guarding, bool keep_lines) {
    return Run(seed, guarding, keep_lines).run();
}

}  // namespace pawl::sim
