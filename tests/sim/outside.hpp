// The world outside of Pawl: receivers of effects. It knows what really happened, and which executions may not have
// been.
#pragma once

#include "runtime/attempt.hpp"
#include "sim/history.hpp"
#include "sim/program.hpp"
#include "support/sim_world.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace pawl::sim {

class Outside {
public:
    Outside(testing::SimWorld& world, History& history, Trace& trace)
        : world_(world), history_(history), trace_(trace) {}

    /// A step of a task; each name stands once in a program.
    using StepName = std::pair<core::TaskId, std::string>;
    /// "all#1/0/s3#1" is step s3.
    static std::string name_in(const std::string& path);
    struct Facts {
        int executions = 0, applied = 0, checks = 0;
        std::int64_t value = 0;
        bool may_start = true;  // `once`: proof that it did not happen, or somebody's word
        bool is_running = false;
        bool is_observed = false;  // the code has seen its end
        std::string key;
        // the newest execution
        int number = 0, disturbances = -1;
        bool has_returned = false;
    };
    struct TaskFacts {
        bool is_ended = false;   // an end was acknowledged
        bool is_mended = false;  // a person removed the causes of its failures
        std::int64_t fence = 0;
        int touched = 0;  // operator's verbs that may start attempts anew
    };

    Facts& facts(const StepName& name) { return facts_[name]; }
    TaskFacts& task(core::TaskId id) { return tasks_[id]; }
    bool has_happened(const StepName& name) const;
    /// A person says that the step did not happen.
    void allow(const StepName& name) { facts_[name].may_start = true; }
    /// `retry`: every failed step may be tried again.
    void reopen(core::TaskId id);

    // ---- what the code sees
    void observed(core::TaskId id, const std::string& step) { facts_[{id, step}].is_observed = true; }
    /// `what` must be the same each time the code of `id` comes to this place.
    void noted(core::TaskId id, int reopened, int place, const std::string& what);

    testing::SimWorld& world() { return world_; }
    Trace& trace() { return trace_; }
    History& history() { return history_; }

    /// One execution of a step's function, from its begin to its end.
    class Visit {
    public:
        Visit(Outside& outside, const StepPlan& plan, const Attempt& attempt);
        ~Visit();
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;

        /// From here on it may happen. Said by itself unless the step asks first.
        void commit();
        /// Thrown when the stop came before the effect.
        StepError stopped();
        /// The effect happens, or the attempt fails by its plan.
        void act();
        /// What the function returns, or what it throws after the effect.
        std::int64_t finish();
        const StepPlan& plan() const { return plan_; }
        const Attempt& attempt() const { return attempt_; }

    private:
        void check_begin();
        std::string name() const;

        Outside& outside_;
        const StepPlan& plan_;
        const Attempt& attempt_;
        Facts& facts_;
        TaskFacts& task_;
    };

    /// The declared check of an unknown outcome.
    std::optional<std::int64_t> look(const StepPlan& plan, const Attempt& attempt);

private:
    testing::SimWorld& world_;
    History& history_;
    Trace& trace_;
    std::map<StepName, Facts> facts_;
    std::map<core::TaskId, TaskFacts> tasks_;
    std::map<std::string, StepName> keys_;
    std::map<std::tuple<core::TaskId, int, int>, std::string> notes_;
};

}  // namespace pawl::sim
