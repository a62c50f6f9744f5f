// The simulated world: a disk that outlives its processes, one process at a time, clients, and a clock. Everything that
// happens, and in which order, follows from the seed.
#pragma once

#include "support/sim_process.hpp"

#include <pawl/task.hpp>
#include <pawl/workflow.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::testing {

struct SimOptions {
    std::uint64_t seed = 1;
    runtime::EngineOptions engine;
    core::MakeLedger make_ledger = core::make_ledger<core::AllGuards>;
    MakeTurns make_turns = testing::make_turns<core::AllGuards>;
    core::Micros pool_delay_max{100};
    core::Micros flush_length_max{500};
    std::function<std::unique_ptr<core::Net>(runtime::Loop&)> make_net;  ///< empty: no process has a network
};

class SimWorld {
public:
    explicit SimWorld(SimOptions options = {});
    ~SimWorld();

    /// Serves `f(Context&, In, deps...)` as type `name`, in every process from now on.
    template <class R, class In, class... D>
    detail::RegisteredType& serve(std::string name, Workflow<R> (*f)(Context&, In, D...),
                                  std::type_identity_t<D>... deps) {
        detail::RegisteredType& type = registry.add(std::move(name));
        type.run = [f, deps...](Context& ctx, std::string json) {
            return adapt<R, In, D...>(ctx, std::move(json), f, deps...);
        };
        return type;
    }

    // ---- processes
    bool is_up() const { return process_ != nullptr; }
    SimProcess& process() { return *process_; }
    void start();
    /// SIGKILL or power loss: of the unflushed batches a drawn number survives, or as many as said.
    void crash();
    void crash(int batches_kept);
    /// Another process opens the store behind the back of this one, which, frozen until then, sends one more command
    /// and dies. Whether the store took it.
    bool usurp(core::Command late);
    /// Like SIGTERM: drains, with time passing, then closes the store.
    void stop();
    /// The end of it alone, after a drain.
    void close_process();
    /// How often the store's next reopenings fail.
    void fail_opens(int times) { failing_opens_ = times; }
    /// Crashes, failures of the store and drains so far.
    int disturbances() const { return disturbances_; }
    int starts() const { return starts_; }

    // ---- time
    /// One thing happens, or time goes on to the next. False when nothing would ever happen.
    bool step();
    /// False when `limit` of boot time passed, or nothing can happen any more, before `done`.
    bool run_until(const std::function<bool()>& done, core::Micros limit = std::chrono::hours(48));
    /// Everything that falls into this length of boot time happens.
    void advance(core::Micros length);
    /// Runs until the engine holds nothing and nothing is under way; what waits for a later time is left.
    void settle();
    /// Calls `f` at that boot time, in whatever process lives then.
    void at(core::Micros boot, std::function<void()> f) { events_.add(++last_event_, boot.count(), std::move(f)); }

    // ---- clients
    using Done = std::function<void(Result<core::Answer>)>;
    /// A client in a process of its own: when the answer is lost, it hears store_unavailable.
    void send(core::Command command, Done done);
    /// The same, and the world runs until the answer is there.
    Result<core::Answer> call(core::Command command);
    core::Submit submission(const std::string& type, const std::string& input, const SubmitOptions& options = {});
    core::TaskId submit(const std::string& type, const std::string& input, const SubmitOptions& options = {});
    Result<core::Operated> operate(core::TaskId id, core::Operate::Verb verb);

    // ---- looking; needs a living process
    core::TaskRow row(core::TaskId id);
    std::vector<core::Entry> journal(core::TaskId id);
    bool is_final(core::TaskId id) { return pawl::is_final(row(id).state); }
    /// Runs until the task is final or paused.
    core::TaskRow run_to_end(core::TaskId id);

    SimOptions options;
    SimClock clock;
    SimRandom chance;
    runtime::Registry registry;
    const std::shared_ptr<store::MemoryDisk> disk;
    std::function<void(std::vector<runtime::Item>&)> on_take;

private:
    template <class R, class In, class... D>
    static Workflow<std::string> adapt(Context& ctx, std::string json, Workflow<R> (*f)(Context&, In, D...),
                                       D... deps) {
        In in = from_json<In>(json);
        Workflow<R> workflow = f(ctx, std::move(in), deps...);
        if constexpr (std::is_void_v<R>) {
            co_await std::move(workflow);
            co_return std::string("null");
        } else {
            R result = co_await std::move(workflow);
            co_return to_json(result);
        }
    }
    Result<std::unique_ptr<core::Store>> open();
    void lose_calls();

    runtime::TimerQueue events_;
    runtime::TimerToken last_event_ = 0;
    std::map<std::uint64_t, Done> calls_;  // sent, not answered
    std::uint64_t last_call_ = 0;
    int failing_opens_ = 0, disturbances_ = 0, starts_ = 0;
    std::int32_t living_epoch_ = 0;  // of the process's last opening
    std::unique_ptr<SimProcess> process_;
    std::vector<SimProcess::Choice> choices_;
};

}  // namespace pawl::testing
