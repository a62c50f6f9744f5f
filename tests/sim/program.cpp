#include "sim/program.hpp"

#include "support/sim_time.hpp"

namespace pawl::sim {

namespace {

using namespace std::chrono_literals;
using Policy = OnUnknown::Policy;

class Maker {
public:
    explicit Maker(std::uint64_t seed) : draw_(seed) {}

    Node chain(int depth, int parts) {
        Node node;
        node.kind = NodeKind::chain;
        for (int i = 0; i < parts && left_ > 0; i++) node.parts.push_back(any(depth));
        return node;
    }

private:
    Node any(int depth) {
        const int pick = draw_.below(100);
        if (pick < 50 || depth >= 3) return leaf();
        Node node;
        if (pick < 62) node = chain(depth + 1, draw_.between(1, 3));
        if (pick >= 50 && pick < 56) node.kind = NodeKind::part;
        else if (pick < 62) node.kind = NodeKind::rescue;
        else if (pick < 78) node = branches(NodeKind::all, depth);
        else if (pick < 86) node = steps(NodeKind::all_steps);
        else if (pick < 93) node = steps(NodeKind::all_tried);
        else node = with_step(NodeKind::beside);
        return node;
    }

    Node leaf() {
        const int pick = draw_.below(100);
        if (pick < 68) return with_step(NodeKind::step);
        if (pick < 80) return with_step(NodeKind::outcome);
        if (pick < 92) return timer();
        Node node;
        node.kind = NodeKind::note;
        node.id = ++last_id_;
        return node;
    }

    Node branches(NodeKind kind, int depth) {
        Node node;
        node.kind = kind;
        const int n = draw_.between(1, 3);
        for (int i = 0; i < n; i++) node.parts.push_back(chain(depth + 1, draw_.between(0, 3)));
        return node;
    }

    Node steps(NodeKind kind) {
        Node node;
        node.kind = kind;
        const int n = draw_.between(1, 4);
        const bool is_async = draw_.percent(30);
        for (int i = 0; i < n; i++) {
            node.parts.push_back(with_step(NodeKind::step));
            // One vector holds one type.
            StepPlan& plan = node.parts.back().step;
            if (is_async) be_async(plan);
            else if (plan.how == detail::HowToRun::async) plan.how = detail::HowToRun::pool;
        }
        return node;
    }

    static void be_async(StepPlan& plan) {
        plan.how = detail::HowToRun::async;
        plan.asks_first = false;
    }

    Node timer() {
        Node node;
        node.kind = NodeKind::sleep;
        left_--;
        node.sleep = Duration{draw_.length(30s).count() / 1'000};
        return node;
    }

    Node with_step(NodeKind kind) {
        Node node;
        node.kind = kind;
        node.step = plan();
        if (kind == NodeKind::beside) node.sleep = Duration{draw_.length(10s).count() / 1'000};
        return node;
    }

    StepPlan plan() {
        StepPlan p;
        left_--;
        p.id = ++last_id_;
        p.name = "s" + std::to_string(p.id);
        p.value = draw_.below(1'000'000);
        const int how = draw_.below(100);
        p.how = how < 50 ? detail::HowToRun::pool : how < 75 ? detail::HowToRun::loop : detail::HowToRun::async;
        const int effect = draw_.below(100);
        p.effect = effect < 50 ? Effect::idempotent : effect < 65 ? Effect::read : Effect::once;
        if (draw_.percent(60)) p.attempts = draw_.between(1, 4);
        p.delay = Duration{draw_.length(5s).count() / 1'000};
        if (draw_.percent(20)) p.on_exhausted = Exhausted::pause;
        if (draw_.percent(12)) p.timeout = Duration{draw_.length(20s).count() / 1'000 + 200};
        if (draw_.percent(8)) p.total = Duration{draw_.length(60s).count() / 1'000 + 1};
        if (draw_.percent(30)) p.fails = draw_.between(1, 2);
        if (draw_.percent(4)) p.fails = 6;
        p.fails_for_good = draw_.percent(5);
        p.heeds_stop = draw_.percent(80);
        if (p.how != detail::HowToRun::loop) {
            if (draw_.percent(50)) p.before = draw_.length(draw_.percent(5) ? 100s : 2s);
            if (draw_.percent(50)) p.after = draw_.length(draw_.percent(5) ? 100s : 2s);
        }
        if (p.effect == Effect::once) {
            p.on_unknown = static_cast<Policy>(draw_.below(5));
            if (draw_.percent(15)) p.cuts = 1;
            if (draw_.percent(15)) p.blind_checks = 1;
            p.asks_first = p.how == detail::HowToRun::pool && draw_.percent(25);
        }
        return p;
    }

    testing::SimRandom draw_;
    int last_id_ = 0;
    int left_ = 14;  // operations still allowed
};

}  // namespace

Program make_program(std::uint64_t seed) {
    testing::SimRandom size(seed ^ 0x51AE);
    return {seed, Maker(seed).chain(0, size.between(1, 6))};
}

bool may_fail(const StepPlan& plan, bool has_deadline) {
    const bool reports = plan.on_unknown == Policy::report || plan.on_unknown == Policy::fail;
    const bool is_late = plan.before + plan.after >= plan.timeout.value_or(Duration{60s}) / 2;
    return plan.fails_for_good || plan.fails > 0 || is_late || plan.total || has_deadline ||
           (plan.effect == Effect::once && (reports || plan.cuts > 0));
}

}  // namespace pawl::sim
