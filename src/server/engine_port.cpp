#include "server/engine_port.hpp"

#include "runtime/execution.hpp"
#include "runtime/worker_backend.hpp"

#include <algorithm>
#include <utility>

namespace pawl::server {

namespace {

// A feed moves with every batch, thousands of times a second under load; a reader that follows it need not.
constexpr core::Micros feed_gap = std::chrono::milliseconds(10);

}  // namespace

// Lives until it fired or its owner let go; the engine's callbacks hold it weakly.
class EnginePort::EngineWait final : public Wait {
public:
    struct State : std::enable_shared_from_this<State> {
        runtime::Holder* holder = nullptr;
        std::function<void(bool)> woken;
        std::optional<core::TaskId> watched;
        std::uint64_t watch_token = 0, feed_token = 0;
        runtime::TimerToken limit_timer = 0, gap_timer = 0;
        core::Micros armed_at{};

        void finish(bool changed) {
            auto f = std::exchange(woken, {});
            stop();
            if (f) f(changed);
        }
        void stop() {
            if (watch_token) holder->engine().forget(*watched, std::exchange(watch_token, 0));
            if (feed_token) holder->engine().forget_feed(std::exchange(feed_token, 0));
            holder->loop().cancel(std::exchange(limit_timer, 0));
            holder->loop().cancel(std::exchange(gap_timer, 0));
            woken = {};
        }
        /// The callback of a timer or watcher that must not keep the wait alive.
        std::function<void()> later(bool changed) {
            return [weak = weak_from_this(), changed] {
                if (const auto self = weak.lock()) self->finish(changed);
            };
        }
        void on_feed() {
            const core::Micros passed = holder->clock().boot() - armed_at;
            if (passed >= feed_gap) return finish(true);
            if (gap_timer == 0) gap_timer = holder->loop().after(feed_gap - passed, later(true));
        }
    };

    explicit EngineWait(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ~EngineWait() override { state_->stop(); }

private:
    std::shared_ptr<State> state_;
};

EnginePort::EnginePort(runtime::Holder& holder, const runtime::Registry& registry, runtime::EngineOptions options,
                       std::string name)
    : holder_(holder), registry_(registry), options_(std::move(options)), name_(std::move(name)) {}

EnginePort::~EnginePort() = default;

void EnginePort::send(std::vector<core::Command> commands,
                      std::function<void(std::vector<Result<core::Answer>>)> done) {
    struct Gathering {
        std::vector<Result<core::Answer>> answers;
        std::size_t left = 0;
        std::function<void(std::vector<Result<core::Answer>>)> done;
    };
    if (commands.empty()) return done({});
    auto gathering = std::make_shared<Gathering>();
    gathering->answers.assign(commands.size(), core::Answer{core::Ticked{}});
    gathering->left = commands.size();
    gathering->done = std::move(done);
    for (std::size_t i = 0; i < commands.size(); i++) {
        holder_.engine().send(
            std::move(commands[i]),
            [gathering, i](core::Command&, Result<core::Answer> answer) {
                gathering->answers[i] = std::move(answer);
                if (--gathering->left == 0) gathering->done(std::move(gathering->answers));
            },
            false);
    }
}

void EnginePort::read(std::function<void(core::Reader&)> work, std::function<void()> done) {
    holder_.read(std::move(work), std::move(done));
}

std::unique_ptr<Wait> EnginePort::wait(std::optional<core::TaskId> task, Change change, core::Micros limit,
                                       std::function<void(bool)> woken) {
    auto state = std::make_shared<EngineWait::State>();
    state->holder = &holder_;
    state->woken = std::move(woken);
    state->armed_at = holder_.clock().boot();
    if (task && change == Change::state) {
        state->watched = task;
        state->watch_token =
            holder_.engine().watch(*task, [done = state->later(true)](const core::Notice&) { done(); });
    } else {
        // Of one task's entries the engine knows only that the feed moved: the waiter looks again.
        const std::weak_ptr<EngineWait::State> weak = state;
        state->feed_token = holder_.engine().on_feed([weak] {
            if (const auto self = weak.lock()) self->on_feed();
        });
    }
    state->limit_timer = holder_.loop().after(limit, state->later(false));
    return std::make_unique<EngineWait>(std::move(state));
}

std::optional<WorkerStatus> EnginePort::worker() const {
    if (!working_) return std::nullopt;
    WorkerStatus status;
    status.types = registry_.served();
    status.queues = options_.queues;
    status.slots = options_.concurrency;
    status.busy = static_cast<int>(holder_.engine().held());
    status.draining = holder_.engine().draining();
    return status;
}

std::vector<LiveStep> EnginePort::live_steps(core::TaskRef task) const {
    std::vector<LiveStep> steps;
    const detail::Execution* execution = holder_.engine().holder(task);
    if (!execution) return steps;
    for (const auto& live : execution->live_attempts())
        steps.push_back({live.path, live.number, live.since, live.ignores_stop});
    return steps;
}

void EnginePort::set_defaults(core::SubmitRequest& request) const { runtime::apply_defaults(request, registry_); }

}  // namespace pawl::server
