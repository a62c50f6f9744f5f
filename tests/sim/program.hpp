// Random workflow programs: data that one workflow function interprets, and that a second, plain interpreter checks.
#pragma once

#include <pawl/step.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pawl::sim {

/// What a step does to the world, and how badly.
struct StepPlan {
    int id = 0;
    std::string name;
    detail::HowToRun how = detail::HowToRun::pool;
    Effect effect = Effect::idempotent;
    OnUnknown::Policy on_unknown = OnUnknown::Policy::pause;
    bool asks_first = false;  ///< records its own intent (begin_effect)
    std::optional<int> attempts;
    Duration delay{1'000};
    Exhausted on_exhausted = Exhausted::fail;
    std::optional<Duration> timeout, total;

    int fails = 0;                                  ///< attempts that fail retryably before one succeeds
    bool fails_for_good = false;                    ///< and then none does
    int cuts = 0;                                   ///< attempts of a `once` step that end without a word
    int blind_checks = 0;                           ///< checks that cannot tell
    std::chrono::microseconds before{0}, after{0};  ///< work before and after the effect
    bool heeds_stop = true;
    std::int64_t value = 0;
};

enum class NodeKind : std::uint8_t {
    step,
    outcome,  ///< a step whose failure is a value
    sleep,
    note,       ///< now, random, uuid
    chain,      ///< one after the other
    part,       ///< a workflow of its own
    rescue,     ///< a workflow whose failure is caught
    all,        ///< branches that are workflows
    all_steps,  ///< branches that are steps
    all_tried,  ///< branches that are steps whose failures are values
    beside,     ///< a step and a sleep
};

struct Node {
    NodeKind kind = NodeKind::chain;
    int id = 0;
    StepPlan step;
    Duration sleep{0};
    std::vector<Node> parts;
};

struct Program {
    std::uint64_t seed = 0;
    Node root;
};
Program make_program(std::uint64_t seed);

/// How values come together; order matters.
inline std::int64_t mixed(std::int64_t so_far, std::int64_t value) {
    const auto sum = static_cast<std::uint64_t>(so_far) * 1'000'003u + static_cast<std::uint64_t>(value);
    return static_cast<std::int64_t>(sum & 0xFFFF'FFFF'FFFFu);
}
constexpr std::int64_t value_of_failure = 7;

/// Whether a recorded failure of this step has a cause that lies in the plan.
bool may_fail(const StepPlan& plan, bool has_deadline);

}  // namespace pawl::sim
