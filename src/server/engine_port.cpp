#include "server/engine_port.hpp"

#include "runtime/execution.hpp"
#include "runtime/worker_backend.hpp"

#include <algorithm>
#include <utility>

namespace pawl::server {

// Lives until it fired or its owner let go; the engine's callbacks hold it weakly.
class EnginePort::EngineWait final : public Wait {
public:
    struct State {
        runtime::Holder* holder = nullptr;
        std::function<void(bool)> woken;
        std::uint64_t feed_token = 0;
        runtime::TimerToken timer = 0;

        void finish(bool changed) {
            auto f = std::exchange(woken, {});
            stop();
            if (f) f(changed);
        }
        void stop() {
            if (feed_token) holder->engine().forget_feed(std::exchange(feed_token, 0));
            holder->loop().cancel(std::exchange(timer, 0));
            woken = {};
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

std::unique_ptr<Wait> EnginePort::wait(core::TaskRef task, Change change, core::Micros limit,
                                       std::function<void(bool)> woken) {
    auto state = std::make_shared<EngineWait::State>();
    state->holder = &holder_;
    state->woken = std::move(woken);
    const std::weak_ptr<EngineWait::State> weak = state;
    const auto fire = [weak](bool changed) {
        if (const auto s = weak.lock()) s->finish(changed);
    };
    // Waking without cause is allowed, so one kind of watch serves both: the waiter looks again.
    (void)task, (void)change;
    state->feed_token = holder_.engine().on_feed([fire](std::int64_t) { fire(true); });
    state->timer = holder_.loop().after(limit, [weak] {
        if (const auto s = weak.lock()) {
            s->timer = 0;
            s->finish(false);
        }
    });
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
